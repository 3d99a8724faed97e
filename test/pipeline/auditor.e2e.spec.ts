import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import {
  AUDIT_REPORT,
  archiveKey,
  canonicalize,
  parseEvent,
  parseSignersFile,
  sha256Hex,
  verifyDocument,
  type AuditEvent,
} from '#evidence';
import { withStack, workTree } from '#dev/testing';
import { type AuditRunDocuments, type AuditRunPage } from '#openapi/kernel';
import { until } from '../faults/until';
import { cli, connectionTo } from '../governance/cli';
import { type AuditRun, runAudit } from './run-audit';

/** `kind place` of each finding. */
function findings({ stdout }: AuditRun): string[] {
  return [...stdout.matchAll(/^([a-z_]+): (\S+): /gm)].map(([, kind, place]) => `${kind} ${place}`).sort();
}

describe('the auditor', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'archiver', 'auditor'],
    shards: 2,
  });
  const archive = (...path: string[]): string =>
    join(stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '', ...path);
  let database: Client;
  const superuserUrl = (): string =>
    stack().postgres.urlFor('superuser', new URL(stack().postgres.ownerUrl).pathname.slice(1));

  async function events(shard = 0): Promise<AuditEvent[]> {
    const { rows } = await database.query<{ canonical: Buffer }>(
      'SELECT canonical FROM kernel.events WHERE shard = $1 ORDER BY seq',
      [shard],
    );
    return rows.map(({ canonical }) => parseEvent(canonical));
  }

  beforeAll(async () => {
    database = new Client({ connectionString: superuserUrl() });
    // The stack goes down before this connection does.
    database.on('error', () => undefined);
    await database.connect();
    const client = stack().client('OPERATOR');
    for (let n = 0; n < 60; n++) {
      const body = {
        type: 'door.opened',
        stream: `door/${n % 7}`,
        payload: { n, text: 'nul \u0000 inside' },
      };
      expect((await client.post('/kernel/audit', body)).status).toBe(201);
    }
    await until('index and archive have everything', async () => {
      const { rows } = await database.query<{ behind: string }>(
        `SELECT count(*) AS behind FROM kernel.shard_head h CROSS JOIN (VALUES ('indexer'), ('archiver')) c(consumer)
         LEFT JOIN kernel.stream_positions p ON p.shard = h.shard AND p.consumer = c.consumer
         WHERE coalesce(p.seq, 0) < h.seq`,
      );
      return rows[0]?.behind === '0';
    });
  });
  afterAll(() => database.end());

  it('has nothing to complain about, and leaves a report with a signed seal in the archive', async () => {
    const run = await runAudit(stack());
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const count = (await events(0)).length + (await events(1)).length;
    expect(run.stdout).toContain(`clean, ${count} events, ${count} objects, `);
    const key = /report (reports\/\S+)\.json\.$/m.exec(run.stdout)?.[1] ?? '';
    const report = await readFile(archive(`${key}.json`));
    expect(JSON.parse(report.toString())).toMatchObject({
      origin: stack().origin,
      verdict: 'clean',
      events: count,
      findings: { count: 0, listed: [] },
    });
    const { signers } = parseSignersFile(
      (await stack().client('AUDITOR').get('/kernel/keys/signers.json')).text,
    );
    const { document, reasons } = verifyDocument(AUDIT_REPORT, {
      envelope: await readFile(archive(`${key}.seal.json`)),
      keys: signers,
      origin: stack().origin,
    });
    expect(reasons).toEqual([]);
    expect(document).toMatchObject({
      verdict: 'clean',
      findings: 0,
      report: { sha256: sha256Hex(report), size: report.length },
    });
  });

  it('is asked by the API and the command line what it found, with a report that verifies elsewhere', async () => {
    const run = await runAudit(stack());
    const id = /^Audit (\S+): clean/m.exec(run.stdout)?.[1] ?? '';
    const client = stack().client('AUDITOR');
    const { runs } = (await client.get('/kernel/audit-runs?limit=1')).json as AuditRunPage;
    expect(runs).toEqual([
      expect.objectContaining({
        id,
        outcome: 'clean',
        verdict: 'clean',
        seal: 'valid',
        findings: 0,
        detail: null,
      }),
    ]);
    const documents = (await client.get(`/kernel/audit-runs/${id}`)).json as AuditRunDocuments;
    expect(documents.run).toEqual(runs[0]);
    const keys = documents.archiveKeys;
    expect(Buffer.from(documents.report ?? '')).toEqual(await readFile(archive(keys?.report ?? '')));
    expect(Buffer.from(documents.seal ?? '')).toEqual(await readFile(archive(keys?.seal ?? '')));
    expect(documents.run.report?.sha256).toBe(sha256Hex(Buffer.from(documents.report ?? '')));

    const out = await mkdtemp(join(tmpdir(), 'kernel-audit-runs-'));
    try {
      const connection = connectionTo(stack(), stack().identities.callers.AUDITOR);
      const printed = await cli(['audit', 'runs', id, '--out', out, ...connection]);
      expect(printed).toContain(`${id}  clean  ${runs[0]?.events} events, 0 findings  sealed`);
      expect(await cli(['audit', 'runs', '--limit', '1', ...connection])).toContain(id);
      await writeFile(join(out, 'signers.json'), (await client.get('/kernel/keys/signers.json')).text);
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(workTree(), 'tools', 'audit-verify.js'),
        ...['--signers', join(out, 'signers.json')],
        ...['--audit-report', join(out, `${id}.json`), '--seal', join(out, `${id}.seal.json`)],
      ]);
      expect(stdout).toContain(`Audit report verified: ${id}, `);
    } finally {
      await rm(out, { recursive: true, force: true });
    }
  });

  it('has nobody believe a row that a thief of its database role wrote', async () => {
    const thief = new Client({ connectionString: stack().postgres.workerUrl });
    await thief.connect();
    try {
      await runAudit(stack());
      const client = stack().client('AUDITOR');
      const { runs } = (await client.get('/kernel/audit-runs?limit=1')).json as AuditRunPage;
      const genuine = (await client.get(`/kernel/audit-runs/${runs[0]?.id}`)).json as AuditRunDocuments;
      const forge = async (change: { id?: string; startedAt?: string; seal?: Buffer | null }) => {
        const {
          id = randomUUID(),
          startedAt = runs[0]?.startedAt,
          seal = Buffer.from(genuine.seal ?? ''),
        } = change;
        await thief.query(
          `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings, report, seal)
           VALUES ($1, $2, 'clean', $3, 0, $4, $5)`,
          [id, startedAt, runs[0]?.events, Buffer.from(genuine.report ?? ''), seal],
        );
      };
      // Its own row cannot be replaced, nor stand there twice.
      await expect(forge({ id: runs[0]?.id ?? '' })).rejects.toMatchObject({ code: '23505' });
      await forge({ startedAt: new Date().toISOString() });
      await forge({ seal: Buffer.from('{"payload":"","payloadType":"","signatures":[]}') });
      await forge({ seal: null });
      const listed = (await client.get('/kernel/audit-runs?limit=4')).json as AuditRunPage;
      expect(listed.runs.map(({ outcome, verdict, seal }) => [outcome, verdict, seal])).toEqual([
        ['clean', null, 'none'],
        ['clean', null, 'invalid'],
        ['clean', null, 'invalid'],
        ['clean', 'clean', 'valid'],
      ]);
      expect(listed.runs[2]?.detail).toContain(`that of the audit ${runs[0]?.id}`);
      const one = (await client.get(`/kernel/audit-runs/${listed.runs[1]?.id}`)).json as AuditRunDocuments;
      expect(one.run).toMatchObject({ verdict: null, seal: 'invalid' });
      const { text } = await stack().management('/metrics');
      expect(text).toMatch(/^kernel_integrity_faults_total\{where="audit_run"\} [1-9]/m);
      await expect(thief.query('DELETE FROM kernel.audit_runs')).rejects.toMatchObject({ code: '42501' });
    } finally {
      await thief.end();
    }
  });

  it('lists audits page by page, and knows none of another name', async () => {
    await runAudit(stack());
    const client = stack().client('AUDITOR');
    const seen: string[] = [];
    let cursor = '';
    do {
      const { json } = await client.get(`/kernel/audit-runs?limit=1${cursor}`);
      const { runs, nextCursor } = json as AuditRunPage;
      seen.push(...runs.map(({ id }) => id));
      cursor = nextCursor === null ? '' : `&cursor=${nextCursor}`;
    } while (cursor !== '');
    const all = (await client.get('/kernel/audit-runs')).json as AuditRunPage;
    expect(seen.length).toBeGreaterThan(1);
    expect(all.runs.map(({ id }) => id)).toEqual(seen);
    for (const id of [randomUUID(), 'no-uuid']) {
      const answer = await client.get(`/kernel/audit-runs/${id}`);
      expect([answer.status, answer.json]).toEqual([
        404,
        expect.objectContaining({ error: 'audit_run_not_found' }),
      ]);
    }
  });

  describe('finds', () => {
    /** Files of the archive that the test changed or took away. */
    const kept = new Map<string, Buffer>();
    const made: string[] = [];

    async function change(event: AuditEvent, to: string | null): Promise<void> {
      const file = archive(archiveKey(event));
      kept.set(file, await readFile(file));
      await chmod(file, 0o600);
      if (to === null) await rm(file);
      else await writeFile(file, to);
    }

    afterEach(async () => {
      for (const [file, bytes] of kept) await writeFile(file, bytes);
      for (const file of made.splice(0)) await rm(file, { force: true });
      kept.clear();
      expect(await runAudit(stack())).toMatchObject({ code: 0, stderr: '' });
    });

    it('an object that was changed, taken away, added', async () => {
      const [, , third, fourth, fifth] = await events();
      if (third === undefined || fourth === undefined || fifth === undefined)
        throw new Error('too few events');
      await change(third, '{}');
      await change(fourth, null);
      const foreign = archive(archiveKey({ ...fifth, id: '01a21234-0000-7000-8000-00000000000f' }));
      await writeFile(foreign, '{}');
      made.push(foreign);
      const run = await runAudit(stack());
      expect(run.code).toBe(1);
      expect(findings(run)).toEqual([
        'archive_different 0:3',
        'archive_extra 01a21234-0000-7000-8000-00000000000f',
        'archive_missing 0:4',
      ]);
      const [newest] = (await readdir(archive('reports'), { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile() && !entry.name.endsWith('.seal.json'))
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => run.stdout.includes(path.slice(-41)));
      expect(JSON.parse(await readFile(newest ?? '', 'utf8'))).toMatchObject({
        verdict: 'findings',
        findings: { count: 3, byKind: { archive_different: 1, archive_extra: 1, archive_missing: 1 } },
      });
    });

    it('a row of the index that was changed, taken away, added', async () => {
      await database.query(
        `CREATE TABLE kept AS SELECT * FROM kernel_index.events WHERE shard = 0 AND seq IN (5, 6)`,
      );
      await database.query(`UPDATE kernel_index.events SET actor_id = 'nobody' WHERE shard = 0 AND seq = 5`);
      await database.query('DELETE FROM kernel_index.events WHERE shard = 0 AND seq = 6');
      await database.query('SET session_replication_role = replica');
      await database.query(
        `INSERT INTO kernel_index.events
         SELECT (jsonb_populate_record(e, jsonb_build_object('seq', 1000000, 'id', gen_random_uuid(), 'stream_version', 1000000))).*
         FROM kernel_index.events e WHERE shard = 0 AND seq = 7`,
      );
      const run = await runAudit(stack());
      await database.query('DELETE FROM kernel_index.events WHERE shard = 0 AND seq IN (5, 1000000)');
      await database.query('INSERT INTO kernel_index.events SELECT * FROM kept');
      await database.query('RESET session_replication_role');
      await database.query('DROP TABLE kept');
      expect(run.code).toBe(1);
      expect(findings(run)).toEqual(['index_different 0:5', 'index_extra 0:1000000', 'index_missing 0:6']);
    });

    it.each([
      ['division', `'elsewhere'`],
      ['correlation_id', 'gen_random_uuid()'],
      ['sha256', `sha256('another')`],
    ])('a column of the index that decides what is found: %s', async (column, value) => {
      await database.query(
        `CREATE TABLE kept AS SELECT * FROM kernel_index.events WHERE shard = 0 AND seq = 5`,
      );
      await database.query(`UPDATE kernel_index.events SET ${column} = ${value} WHERE shard = 0 AND seq = 5`);
      const run = await runAudit(stack());
      await database.query(
        `UPDATE kernel_index.events e SET ${column} = kept.${column} FROM kept WHERE e.shard = 0 AND e.seq = 5`,
      );
      await database.query('DROP TABLE kept');
      expect(run.code).toBe(1);
      expect(findings(run)).toEqual(['index_different 0:5']);
    });

    /** Does to the event log what only a superuser could, with its guards off meanwhile. */
    async function unguarded(...statements: [sql: string, values?: unknown[]][]): Promise<void> {
      const { rows } = await database.query<{ tgname: string }>(
        `SELECT tgname FROM pg_trigger WHERE tgrelid = 'kernel.events'::regclass AND NOT tgisinternal AND tgenabled = 'A'`,
      );
      await database.query('ALTER TABLE kernel.events DISABLE TRIGGER USER');
      for (const [sql, values] of statements) await database.query(sql, values ?? []);
      for (const { tgname } of rows) {
        await database.query(`ALTER TABLE kernel.events ENABLE ALWAYS TRIGGER ${tgname}`);
      }
    }

    /** Tampers, audits, and undoes it. */
    async function auditTampered(seq: number, tamper: string, values: unknown[] = []): Promise<AuditRun> {
      await unguarded(
        [`CREATE TABLE kept AS SELECT * FROM kernel.events WHERE shard = 0 AND seq = ${seq}`],
        [tamper, values],
      );
      const run = await runAudit(stack());
      await unguarded(
        [`DELETE FROM kernel.events WHERE shard = 0 AND seq = ${seq}`],
        ['INSERT INTO kernel.events SELECT * FROM kept'],
        ['DROP TABLE kept'],
      );
      expect(run).toMatchObject({ code: 1, stderr: '' });
      return run;
    }

    it('an event of the store that was changed', async () => {
      const [, , , , , , , eighth] = await events();
      const changed = canonicalize({ ...eighth, payload: { n: -1 } } as never);
      const run = await auditTampered(
        8,
        `UPDATE kernel.events SET canonical = convert_to($1, 'UTF8') WHERE shard = 0 AND seq = 8`,
        [changed],
      );
      expect(findings(run)).toEqual(['archive_different 0:8', 'hash 0:8', 'index_different 0:8']);
    });

    it('a row of the store whose columns lie', async () => {
      const run = await auditTampered(
        8,
        `UPDATE kernel.events SET actor_id = 'nobody' WHERE shard = 0 AND seq = 8`,
      );
      expect(findings(run)).toEqual(['columns 0:8', 'index_different 0:8']);
    });

    it('an event that is gone from the store', async () => {
      const ninth = (await events())[8];
      const run = await auditTampered(9, 'DELETE FROM kernel.events WHERE shard = 0 AND seq = 9');
      const found = findings(run);
      expect(found).toEqual(
        expect.arrayContaining([`archive_extra ${ninth?.id}`, 'gap 0:10', 'index_extra 0:9']),
      );
      // Its stream may have lost a version in between, too.
      expect(found.filter((one) => !one.startsWith('stream '))).toHaveLength(3);
    });
  });

  it('waits for no other audit, and says so', async () => {
    const lock = new Client({ connectionString: superuserUrl() });
    await lock.connect();
    await lock.query(`SELECT pg_advisory_lock(hashtextextended('illuvrse-kernel/audit', 0))`);
    const run = await runAudit(stack());
    await lock.end();
    expect(run).toMatchObject({ code: 2, stderr: 'auditor: Another audit is under way.\n' });
  });

  it('is ready, with metrics, while it waits for the night', async () => {
    const { managementUrl } = stack().worker('auditor');
    expect((await fetch(`${managementUrl}/ready`)).status).toBe(200);
    expect(await (await fetch(`${managementUrl}/metrics`)).text()).toContain(
      'auditor_runs_total{result="clean"} 0',
    );
  });
});
