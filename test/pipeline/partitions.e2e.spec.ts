import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { archiveKey } from '#evidence';
import { withStack, workTree } from '#dev/testing';
import { type AppendAnswer } from '#openapi/kernel';
import { until } from '../faults/until';

interface Listed {
  name: string;
  state: string;
}
interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

const SIZE = 50;
const LOGGED = { headers: { 'kernel-await': 'logged', prefer: 'wait=30' } };

/** Runs a program of the build; what it says of the trust root is of no interest here. */
async function run(program: string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  return promisify(execFile)(process.execPath, program, { env, maxBuffer: 64 * 1024 * 1024 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Error & { code?: number; stdout?: string; stderr?: string }) => ({
      code: error.code ?? -1,
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? '',
    }),
  );
}

describe('partitions that are detached from a running kernel', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'archiver', 'auditor', 'log-publisher'],
    partitionEvents: SIZE,
    kernelVariables: { KERNEL_AWAIT_TIMEOUT_MS: '30000' },
  });
  /** Ids of what was written, in order. */
  const ids: string[] = [];

  const program = (app: string): string => join(workTree(), 'dist', 'apps', app, 'main.js');
  const partitions = (...args: string[]): Promise<Run> =>
    run([program('cli'), 'partitions', ...args], {
      ...stack().archive.environment,
      DATABASE_OWNER_URL: stack().postgres.ownerUrl,
    });
  const listed = async (): Promise<string[]> => {
    const { stdout } = await partitions('list', '--json');
    return (JSON.parse(stdout) as Listed[]).map(({ name, state }) => `${name} ${state}`);
  };
  const detach = (...more: string[]): Promise<Run> =>
    partitions(
      'detach',
      '--shard',
      '0',
      '--below',
      '120',
      '--reason',
      'CHG-7',
      '--by',
      'ada',
      '--yes',
      ...more,
    );

  async function write(count: number): Promise<void> {
    for (let n = 0; n < count; n += 25) {
      const events = Array.from({ length: 25 }, (_, at) => ({
        type: 'thing.changed',
        stream: `thing/${(n + at) % 9}`,
        payload: { n: n + at },
      }));
      const answer = await stack().client('OPERATOR').post('/kernel/audit', { events }, LOGGED);
      expect(answer.status).toBe(201);
      ids.push(...(answer.json as AppendAnswer).events.map(({ id }) => id));
    }
  }

  async function caughtUp(): Promise<void> {
    for (const durable of ['archived', 'logged']) {
      const event = { type: 'thing.changed', payload: {} };
      const headers = { 'kernel-await': durable, prefer: 'wait=30' };
      const { status } = await stack().client('OPERATOR').post('/kernel/audit', event, { headers });
      expect(status).toBe(201);
    }
    await until('the index has everything', async () => {
      const { rows } = await asOwner(
        `SELECT FROM kernel.shard_head h JOIN kernel.stream_positions p USING (shard, seq) WHERE p.consumer = 'indexer'`,
      );
      return rows.length === 1;
    });
  }

  const everything = async () => {
    const auditor = stack().client('AUDITOR');
    const some = ids.filter((_, n) => n % 12 === 0);
    const bytesOf = async (path: string): Promise<string> => {
      const { status, bytes } = await auditor.get(path);
      return `${status} ${Buffer.from(bytes).toString('base64')}`;
    };
    return {
      byId: await Promise.all(some.map((id) => bytesOf(`/kernel/audit/${id}`))),
      list: await bytesOf('/kernel/audit?limit=60&stream=thing/3'),
      first: await bytesOf('/kernel/audit?limit=30'),
      reason: (await auditor.get(`/kernel/reason/${ids[5]}`)).status,
      export: (await bytesOf('/kernel/audit/export?fromSeq=1&toSeq=140')).length > 10_000,
      receipts: (await Promise.all(some.map((id) => auditor.get(`/kernel/audit/${id}/receipt`)))).map(
        ({ status }) => status,
      ),
    };
  };

  beforeAll(async () => {
    await write(150);
    await caughtUp();
  }, 120_000);

  it('are listed, and made ahead', async () => {
    expect(await listed()).toEqual(
      expect.arrayContaining(['events_0_1 full', 'events_0_51 full', 'events_0_101 full']),
    );
    const { text } = await stack().management('/metrics');
    await until('the kernel has looked', async () =>
      (await stack().management('/metrics')).text.includes('kernel_partition_room_events{shard="0"}'),
    );
    expect(text).toContain('kernel_partition_failures_total 0');
    const ready = JSON.parse((await stack().management('/ready')).text) as object;
    expect(JSON.stringify(ready)).toContain('"partitions"');
  });

  it('stay while a legal hold touches them', async () => {
    const admin = stack().client('SUPERADMIN');
    const hold = { shard: 0, fromSeq: 60, toSeq: 65, reason: 'case 17' };
    expect((await admin.post('/kernel/audit/legal-hold', { ...hold, hold: true })).status).toBe(201);
    await caughtUp();
    const refused = await detach();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      'A legal hold is in force on 0:60 to 0:65 (case 17); lift it first. Nothing was changed.',
    );
    expect((await admin.post('/kernel/audit/legal-hold', { ...hold, hold: false })).status).toBe(201);
    await caughtUp();
  });

  it('leave, are recorded, and every read and proof goes on', async () => {
    const before = await everything();
    expect(before).toMatchObject({ reason: 200, export: true });
    const statuses = [...before.byId, before.list, before.first].map((answer) => answer.slice(0, 3));
    expect(new Set([...statuses, ...before.receipts.map(String)])).toEqual(new Set(['200']));
    const dry = await detach('--dry-run');
    expect(dry).toMatchObject({ code: 0, stderr: expect.stringContaining('could detach 0:1 to 0:100') });
    const done = await detach();
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('detached 0:1 to 0:100') });
    const report = JSON.parse(done.stdout) as { eventId: string; checkpoint: { size: number } };
    expect(report.checkpoint.size).toBeGreaterThan(150);
    expect((await listed())[0]).toBe('events_0_kept_100 kept');

    const auditor = stack().client('AUDITOR');
    await until(
      'the kernel has recorded it',
      async () => (await auditor.get(`/kernel/audit/${report.eventId}`)).status === 200,
    );
    expect((await auditor.get(`/kernel/audit/${report.eventId}`)).json).toMatchObject({
      type: 'store.detached',
      payload: {
        shard: 0,
        fromSeq: 1,
        toSeq: 100,
        reason: 'CHG-7',
        statedBy: 'ada',
        checkpoint: report.checkpoint,
      },
    });
    expect(await everything()).toEqual(before);

    // A kernel and workers that start now.
    const kernel = stack().kernels[0]?.process;
    await kernel?.kill();
    await kernel?.start();
    for (const { process } of stack().workers) {
      await process.kill();
      await process.start();
    }
    await stack().whenReady();
    expect(await everything()).toEqual(before);
    await write(25);
    await caughtUp();
  });

  it('are audited from the index and the archive', async () => {
    const audit = (): Promise<Run> =>
      run([program('auditor'), '--once'], stack().worker('auditor').environment);
    expect(await audit()).toMatchObject({ code: 0 });
    const { json } = await stack().client('AUDITOR').get(`/kernel/audit/${ids[10]}`);
    const event = json as { id: string; ts: string; seq: number };
    const file = join(stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '', archiveKey(event));
    await rm(file);
    const found = await audit();
    expect(found.code).toBe(1);
    expect(found.stdout).toContain(`archive_missing: 0:${event.seq}`);
  });

  it('are verified by those who trust only keys', async () => {
    const signers = join(stack().dir, 'signers.json');
    await writeFile(signers, (await stack().client('AUDITOR').get('/kernel/keys/signers.json')).text);
    const verify = (): Promise<Run> =>
      run([
        join(workTree(), 'tools', 'audit-verify.js'),
        ...['--signers', signers, '--database-url', stack().postgres.ownerUrl, '--jobs', '1'],
      ]);
    const verdict = await verify();
    expect(verdict).toMatchObject({ code: 0, stdout: expect.stringContaining('Audit chain verified.') });
  });

  it('come back into a rebuilt index from the archive alone', async () => {
    const { dir } = stack();
    // One object was removed by the test above: put back from the index first.
    const { rows } = await asOwner(
      `SELECT id, ts, canonical FROM kernel_index.events WHERE shard = 0 AND seq <= 100`,
    );
    for (const { id, ts, canonical } of rows as { id: string; ts: Date; canonical: Buffer }[]) {
      const file = join(
        stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '',
        archiveKey({ id, ts: ts.toISOString() }),
      );
      await writeFile(file, canonical, { flag: 'wx' }).catch(() => undefined);
    }
    const replay = await run([program('cli'), 'replay', '--from', 'archive', '--to', 'index'], {
      ...stack().archive.environment,
      DATABASE_URL: stack().postgres.workerUrl,
      HOME: dir,
    });
    expect(replay).toMatchObject({ code: 0 });
    const { status } = await stack().client('AUDITOR').get(`/kernel/audit/${ids[10]}`);
    expect(status).toBe(200);
  });

  async function asOwner(sql: string): Promise<{ rows: unknown[] }> {
    const client = new Client({ connectionString: stack().postgres.ownerUrl });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }
});
