import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate, openEventStoreDataSource, StoreRestore } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { archivedEvent, ArchiveError, FolderArchive } from '#platform/archive';
import { IndexWriter } from '#platform/audit-stream';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  archiveKey,
  AUDIT_REPORT,
  documentEnvelope,
  documentPayload,
  documentSigningInput,
  sha256Hex,
  verifyDocument,
} from '#evidence';
import { createLogger, Registry } from '#platform/process';
import { SignerError, type SigningProxyClient } from '#platform/signer';
import { EvidenceChain, migratedBy, type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { Auditor, type AuditorOptions } from './auditor';
import { AuditorMetrics } from './auditor.metrics';

const postgres = withPostgres();
const ORIGIN = 'kernel.test/auditor';
const DAYS = ['2026-01-31', '2026-02-01', '2026-02-02'];

describe('the auditor', () => {
  const audit = new TestSigner('audit-1', { purposes: ['audit'] });
  const checkpoint = new TestSigner('checkpoint-1', { purposes: ['checkpoint'] });
  let chain: EvidenceChain;
  let database: TestDatabase;
  let owner: DataSource;
  let dataSource: DataSource;
  let dir: string;
  let archive: FolderArchive;
  let registry: Registry;
  let away: boolean;

  const proxy: Pick<SigningProxyClient, 'keys' | 'sign'> = {
    keys: () =>
      Promise.resolve([
        {
          kid: checkpoint.kid,
          keyVersion: '1',
          algorithm: 'ed25519' as const,
          publicKeyPem: checkpoint.entry.public_key_pem,
          purposes: checkpoint.entry.purposes,
          backend: 'test',
          protection: 'software' as const,
          createdAt: null,
        },
      ]),
    sign: (requests) =>
      away
        ? Promise.reject(new SignerError('signing_unavailable', 'the proxy is away'))
        : Promise.resolve(
            requests.map(({ kid, input }) => ({ kid, keyVersion: '1', signature: checkpoint.sign(input) })),
          ),
  };

  /** A chain of three days in the store, the index and the archive, with manifests of the first two. */
  beforeEach(async () => {
    away = false;
    const { runtimeRole, workerRole } = postgres();
    database = await postgres().createDatabase(
      migratedBy(migrate, { origin: ORIGIN, shards: 1, runtimeRole, workerRole }),
    );
    owner = await openEventStoreDataSource({ url: database.ownerUrl, poolSize: 1 });
    dataSource = await openEventStoreDataSource({
      url: database.workerUrl,
      poolSize: 3,
      statementTimeoutMs: 0,
    });
    dir = await mkdtemp(join(tmpdir(), 'kernel-auditor-'));
    archive = await FolderArchive.open({ dir });
    chain = new EvidenceChain(audit, ORIGIN);
    const at = (day: string | undefined, n: number) => `${day}T10:00:00.${String(n).padStart(3, '0')}Z`;
    chain.found([audit, checkpoint], { ts: at(DAYS[0], 0) });
    for (const day of DAYS)
      for (let n = 10; n < (day === DAYS[0] ? 29 : 30); n++) chain.append({ ts: at(day, n) });
    const events = chain.events.map((event, n) => ({ event, bytes: chain.bytes[n] ?? new Uint8Array() }));
    for (const { event, bytes } of events) await archive.put(archivedEvent(event, bytes));
    const store = await StoreRestore.open({
      ownerUrl: database.ownerUrl,
      origin: ORIGIN,
      shards: 1,
      divisionOf: () => null,
      reason: 'a test',
    });
    await store.add(0, events);
    await store.finish('a test');
    await store.close();
    const index = new IndexWriter({ dataSource, origin: ORIGIN, divisionOf: () => null });
    await index.apply(
      0,
      events.map((event) => ({ ...event, nextCursor: '' })),
    );
    const head = chain.events.at(-1);
    await dataSource.query(
      `INSERT INTO kernel.stream_positions (consumer, shard, seq, hash) VALUES ('archiver', 0, $1, $2)`,
      [head?.seq, Buffer.from(head?.hash ?? '', 'hex')],
    );
    const [first, second] = DAYS;
    const previous = await manifest(first ?? '', null);
    await manifest(second ?? '', { day: first ?? '', sha256: previous });
  });
  afterEach(async () => {
    await Promise.all([owner.destroy(), dataSource.destroy(), archive.close()]);
    await database.drop();
    await rm(dir, { recursive: true, force: true });
  });

  async function manifest(day: string, previous: ArchiveDay['previous'], change: Partial<ArchiveDay> = {}) {
    const own = chain.events.filter(({ ts }) => ts.startsWith(day));
    const [first, last] = [own[0], own.at(-1)];
    const document: ArchiveDay = {
      origin: ORIGIN,
      shard: 0,
      day,
      count: own.length,
      first: { seq: first?.seq ?? 0, hash: first?.hash ?? '' },
      last: { seq: last?.seq ?? 0, hash: last?.hash ?? '' },
      previous,
      signedAt: '2026-02-03T00:00:00.000Z',
      ...change,
    };
    const payload = documentPayload(ARCHIVE_DAY, document);
    const signature = checkpoint.sign(documentSigningInput(ARCHIVE_DAY, payload));
    const envelope = documentEnvelope(ARCHIVE_DAY, payload, checkpoint.kid, signature);
    await archive.putDocument(archiveDayKey(document), envelope);
    return sha256Hex(envelope);
  }

  const auditorWith = (options: Partial<AuditorOptions> = {}): Auditor => {
    registry = new Registry();
    return new Auditor({
      origin: ORIGIN,
      shards: 1,
      dataSource,
      archive,
      proxy,
      roots: [audit.entry],
      spotCheckEvents: 1_000,
      metrics: new AuditorMetrics(registry),
      logger: createLogger({ app: 'auditor', level: 'silent' }),
      now: () => new Date('2026-02-02T12:00:00.000Z'),
      sealPausesMs: [1, 1],
      ...options,
    });
  };

  const kinds = async (auditor = auditorWith()): Promise<string[]> => {
    const { audit: done } = await auditor.audit();
    return done.findings.listed.map(({ kind, seq }) => `${kind} ${seq}`).sort();
  };

  async function changeFile(key: string, text: string | null): Promise<void> {
    await chmod(join(dir, key), 0o600);
    await (text === null ? rm(join(dir, key)) : writeFile(join(dir, key), text));
  }

  it('is content, and its metrics say so', async () => {
    const auditor = auditorWith();
    expect(await kinds(auditor)).toEqual([]);
    expect(() => auditor.check()).not.toThrow();
    const metrics = await registry.metrics();
    expect(metrics).toContain('auditor_runs_total{result="clean"} 1');
    expect(metrics).toContain('auditor_last_run_events 62');
    expect(metrics).toMatch(/auditor_last_clean_run_timestamp_seconds 1770033600/);
  });

  it('shows from its start what earlier processes found, until it has audited itself', async () => {
    await auditorWith().recall();
    const none = await registry.metrics();
    expect(none).toContain('auditor_last_clean_run_timestamp_seconds 0');
    const day = (date: string) => () => new Date(`${date}T12:00:00.000Z`);
    await auditorWith({ now: day('2026-02-02') }).audit();
    await changeFile('manifests/0/2026/02/01.json', null);
    await auditorWith({ now: day('2026-02-05') }).audit();
    await auditorWith({ now: day('2026-02-06') }).recall();
    const recalled = await registry.metrics();
    expect(recalled).toContain(
      `auditor_last_clean_run_timestamp_seconds ${Date.parse('2026-02-02T12:00Z') / 1_000}`,
    );
    expect(recalled).toContain(
      `auditor_last_run_timestamp_seconds ${Date.parse('2026-02-05T12:00Z') / 1_000}`,
    );
    expect(recalled).toContain('auditor_last_run_findings{kind="manifest_missing"} ');
    expect(recalled).toContain('auditor_runs_total{result="clean"} 0');
    const late = auditorWith({ now: day('2026-02-06') });
    await late.audit();
    await late.recall();
    expect(await registry.metrics()).toContain(
      `auditor_last_run_timestamp_seconds ${Date.parse('2026-02-06T12:00Z') / 1_000}`,
    );
    // Another kernel's reports beside them say nothing of this one.
    await auditorWith({ origin: 'kernel.test/other', now: day('2026-02-06') }).recall();
    expect(await registry.metrics()).toContain('auditor_last_clean_run_timestamp_seconds 0');
  });

  it('finds a manifest that was changed, and the one that follows without it', async () => {
    await changeFile('manifests/0/2026/01/31.json', '{}');
    expect(await kinds()).toEqual(['manifest 23', 'manifest null']);
  });

  it('finds a manifest that is gone, and one that is overdue', async () => {
    await changeFile('manifests/0/2026/02/01.json', null);
    expect(await kinds()).toEqual([]);
    const later = auditorWith({ now: () => new Date('2026-02-03T00:00:00.000Z') });
    expect(await kinds(later)).toEqual(['manifest_missing 23']);
    const auditor = auditorWith({ now: () => new Date('2026-02-03T00:00:00.000Z') });
    await auditor.audit();
    expect(() => auditor.check()).toThrow(/1 findings: {"manifest_missing":1}/);
    expect(await registry.metrics()).toContain('auditor_last_run_findings{kind="manifest_missing"} 1');
  });

  it('finds a manifest that says something else than the store', async () => {
    await changeFile('manifests/0/2026/02/01.json', null);
    await manifest('2026-02-01', { day: '2026-01-31', sha256: 'ab'.repeat(32) });
    expect(await kinds()).toEqual(['manifest 23']);
    await changeFile('manifests/0/2026/02/01.json', null);
    const { hash = '' } = chain.events[40] ?? {};
    const [first] = await keysBelow('manifests/0/2026/01/');
    const sha256 = sha256Hex((await archive.get(first ?? '')) ?? new Uint8Array());
    await manifest('2026-02-01', { day: '2026-01-31', sha256 }, { count: 19, last: { seq: 41, hash } });
    expect(await kinds()).toEqual(['manifest 23']);
  });

  it('looks at no copy beyond the position that it had', async () => {
    await dataSource.query(
      `UPDATE kernel.stream_positions SET seq = 60 WHERE consumer IN ('indexer', 'archiver')`,
    );
    await owner.query('DELETE FROM kernel_index.events WHERE seq > 60');
    for (const event of chain.events.slice(60)) await changeFile(archiveKey(event), null);
    expect(await kinds()).toEqual([]);
  });

  it('goes on behind a fault and names each', async () => {
    const [, , , , , sixth, , eighth] = chain.events;
    for (const [event, text] of [
      [sixth, 'Event 6'],
      [eighth, 'Event 8'],
    ] as const) {
      const bytes = Buffer.from(chain.bytes[(event?.seq ?? 1) - 1] ?? []).toString();
      const changed = bytes.replace(/event \d+/, text);
      await owner.query('ALTER TABLE kernel.events DISABLE TRIGGER USER');
      await owner.query('UPDATE kernel.events SET canonical = $2 WHERE seq = $1', [
        event?.seq,
        Buffer.from(changed),
      ]);
    }
    expect(await kinds()).toEqual([
      'archive_different 6',
      'archive_different 8',
      'hash 6',
      'hash 8',
      'index_different 6',
      'index_different 8',
    ]);
  });

  it('finds by spot checks what was changed, and asks for a whole audit', async () => {
    const auditor = auditorWith();
    await auditor.spotCheck();
    expect(await registry.metrics()).toContain('auditor_spot_checks_total{result="clean"} 1');
    for (const event of chain.events) await changeFile(archiveKey(event), '{}');
    await auditor.spotCheck();
    expect(() => auditor.check()).toThrow(/spot check found/);
    const metrics = await registry.metrics();
    expect(metrics).toContain('auditor_spot_checks_total{result="findings"} 1');
    expect(metrics).toMatch(/auditor_spot_check_findings_total\{kind="archive_different"\} [1-9]/);
  });

  it('leaves the report when nothing can be signed, and seals when it can', async () => {
    away = true;
    const { written } = await auditorWith().audit();
    expect(written).toBeNull();
    const [report] = await keysBelow('reports/');
    expect(report).toMatch(/^reports\/2026\/02\/02\/[0-9a-f-]{36}\.json$/);
    expect(await registry.metrics()).toContain('auditor_report_failures_total{kind="signing_unavailable"} 3');
    away = false;
    const second = await auditorWith().audit();
    const { document, reasons } = verifyDocument(AUDIT_REPORT, {
      envelope: (await archive.get(second.written?.seal ?? '')) ?? new Uint8Array(),
      keys: [checkpoint.entry],
      origin: ORIGIN,
    });
    expect(reasons).toEqual([]);
    expect(document?.id).toBe(second.audit.id);
  });

  it('does not audit while the store is restored', async () => {
    await owner.query(`UPDATE kernel.mode SET mode = 'safe-mode', restoring = true`);
    await expect(auditorWith().audit()).rejects.toThrow(/being restored/);
    expect(await recorded()).toEqual([
      {
        ...NOTHING,
        outcome: 'refused',
        message: 'The event store is being restored from the archive; audit it when that is done.',
      },
    ]);
  });

  describe('records in the database', () => {
    it('what the archive has of each audit, byte for byte', async () => {
      const { audit: done, written } = await auditorWith().audit();
      await changeFile(archiveKey(chain.events[4]!), null);
      const second = await auditorWith().audit();
      const of = async (result: typeof second, outcome: string, findings: string) => ({
        id: result.audit.id,
        outcome,
        events: '62',
        findings,
        message: null,
        report: Buffer.from((await archive.get(result.written?.report ?? '')) ?? []),
        seal: Buffer.from((await archive.get(result.written?.seal ?? '')) ?? []),
      });
      const [newest, older] = await recorded();
      expect(older).toEqual(await of({ audit: done, written }, 'clean', '0'));
      expect(newest).toEqual(await of(second, 'findings', '1'));
      expect(older?.report?.length).toBeGreaterThan(100);
      const [row] = await owner.query<{ at: Date; sha256: string; size: number }[]>(
        `SELECT started_at AS at, encode(report_sha256, 'hex') AS sha256, report_size AS size FROM kernel.audit_runs WHERE id = $1`,
        [done.id],
      );
      expect(row).toEqual({
        at: new Date(done.startedAt),
        sha256: sha256Hex(older?.report ?? Buffer.alloc(0)),
        size: older?.report?.length,
      });
    });

    it('that nothing could be sealed, and why', async () => {
      away = true;
      const { audit: done } = await auditorWith().audit();
      expect(await recorded()).toEqual([
        {
          id: done.id,
          outcome: 'clean',
          events: '62',
          findings: '0',
          message: 'Not sealed: the proxy is away',
          report: expect.any(Buffer) as unknown,
          seal: null,
        },
      ]);
    });

    it('that an audit could not be carried out, and why', async () => {
      const gone = new ArchiveError('unavailable', 'the archive does not answer');
      jest.spyOn(archive, 'get').mockRejectedValue(gone);
      const auditor = auditorWith();
      await auditor.auditOnTime();
      expect(await recorded()).toEqual([{ ...NOTHING, outcome: 'failed', message: gone.message }]);
      expect(() => auditor.check()).toThrow(/could not be carried out/);
    });

    it('nothing of an audit that another one is in the way of: that one is recorded', async () => {
      await owner.query(`SELECT pg_advisory_lock(hashtextextended('illuvrse-kernel/audit', 0))`);
      await expect(auditorWith().audit()).rejects.toThrow('Another audit is under way.');
      await owner.query(`SELECT pg_advisory_unlock(hashtextextended('illuvrse-kernel/audit', 0))`);
      expect(await recorded()).toEqual([]);
    });

    it('or not, where the database does not let it: the archive has the report all the same', async () => {
      await owner.query('DROP TABLE kernel.audit_runs');
      const { written } = await auditorWith().audit();
      expect(await archive.get(written?.report ?? '')).not.toBeNull();
      expect(await archive.get(written?.seal ?? '')).not.toBeNull();
      expect(await registry.metrics()).toContain('auditor_record_failures_total 1');
    });
  });

  interface Recorded {
    id: string;
    outcome: string;
    events: string | null;
    findings: string | null;
    message: string | null;
    report: Buffer | null;
    seal: Buffer | null;
  }
  const NOTHING = {
    id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    events: null,
    findings: null,
    report: null,
    seal: null,
  };

  /** What the kernel's role reads, the newest first. */
  async function recorded(): Promise<Recorded[]> {
    const kernel = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 1 });
    try {
      return await kernel.query<Recorded[]>(
        'SELECT id, outcome, events, findings, message, report, seal FROM kernel.audit_runs ORDER BY n DESC',
      );
    } finally {
      await kernel.destroy();
    }
  }

  async function keysBelow(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of archive.list(prefix)) keys.push(key);
    return keys;
  }
});
