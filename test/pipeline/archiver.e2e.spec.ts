import { execFile } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { archiveKey, parseEvent } from '#evidence';
import { describeWithS3, type TestStack, withStack, workTree } from '#dev/testing';
import { loadFaultSettings, timeoutOf } from '../faults/fault.config';
import { until } from '../faults/until';

const { rounds: kills } = loadFaultSettings();
jest.setTimeout(timeoutOf(kills, 10_000));
/** Pause between two requests of one writer: the test is about a kill in the middle, not about speed. */
const PAUSE_MS = 20;

/** Appends events, a few hundred a second, until it is stopped. */
function startLoad(stack: TestStack): { stop(): Promise<number> } {
  const client = stack.client('OPERATOR', { connections: 2 });
  let running = true;
  let appended = 0;
  const writers = Array.from({ length: 2 }, async () => {
    while (running) {
      const events = Array.from({ length: 10 }, (_, n) => ({ type: 'load.applied', payload: { n } }));
      const answer = await client.post('/kernel/audit', { events });
      if (answer.status === 201) appended += events.length;
      await delay(PAUSE_MS);
    }
  });
  return {
    async stop() {
      running = false;
      await Promise.all(writers);
      return appended;
    },
  };
}

async function heads(stack: TestStack): Promise<{ shard: number; seq: number; hash: string }[]> {
  return (await stack.client('AUDITOR', { connections: 1 }).get('/kernel/audit/head')).json;
}

async function lag(stack: TestStack): Promise<number> {
  const metrics = await fetch(`${stack.worker('archiver').managementUrl}/metrics`).then(
    (answer) => answer.text(),
    () => '',
  );
  const values = [...metrics.matchAll(/^kernel_pipeline_lag_events\{stage="archiver",[^}]*\} (\d+)/gm)];
  return values.length === 0 ? Infinity : values.reduce((sum, [, value]) => sum + Number(value), 0);
}

/** Each kill leaves a backlog of the events that were appended while the archiver was away. */
const caughtUp = (stack: TestStack): Promise<void> =>
  until('the archiver has caught up', async () => (await lag(stack)) === 0, 60_000 + kills * 5_000);

async function signersFile(stack: TestStack): Promise<string> {
  const file = join(stack.dir, 'signers-of-test.json');
  await writeFile(
    file,
    (await stack.client('AUDITOR', { connections: 1 }).get('/kernel/keys/signers.json')).text,
  );
  return file;
}

async function verify(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const run = promisify(execFile)(process.execPath, [join(workTree(), 'tools', 'audit-verify.js'), ...args], {
    env,
  });
  return run.then(
    ({ stdout }) => stdout,
    (error: Error & { stdout?: string }) => `${error.stdout}${error.message}`,
  );
}

describe('the archiver behind a kernel', () => {
  const stack = withStack({ workers: ['outbox-relay', 'archiver'] });
  const folder = (): string => stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '';

  it('killed again and again in the middle of uploads: every event is there once, as it was committed', async () => {
    const load = startLoad(stack());
    const archiver = stack().worker('archiver').process;
    for (let kill = 0; kill < kills; kill++) {
      const before = await filesBelow(join(folder(), 'audit'));
      await until('uploads are under way', async () => (await filesBelow(join(folder(), 'audit'))) > before);
      await archiver.kill('SIGKILL');
      await archiver.start();
    }
    const appended = await load.stop();
    await caughtUp(stack());
    const committed = (await heads(stack())).reduce((sum, { seq }) => sum + seq, 0);
    expect(committed).toBeGreaterThanOrEqual(appended);
    expect(await filesBelow(join(folder(), 'audit'))).toBe(committed);
    const exported = (await stack().client('AUDITOR').get('/kernel/audit/export')).text
      .split('\n')
      .slice(0, -1);
    for (const line of exported) {
      expect(await readFile(join(folder(), archiveKey(parseEvent(line))), 'utf8')).toBe(line);
    }
    const [head] = await heads(stack());
    const args = [
      '--signers',
      await signersFile(stack()),
      '--dir',
      folder(),
      '--expect-head',
      head?.hash ?? '',
    ];
    expect(await verify(args)).toBe(`Audit chain verified. Head hash: ${head?.hash}\n`);
  });

  it('carries out a legal hold, and says how far it is', async () => {
    const admin = stack().client('SUPERADMIN');
    const body = { shard: 0, fromSeq: 1, toSeq: 120, hold: true, reason: 'case 17' };
    expect((await admin.post('/kernel/audit/legal-hold', body)).status).toBe(201);
    let listed: { legalHolds: { status: string }[] } = { legalHolds: [] };
    await until('the hold is applied', async () => {
      listed = (await admin.get('/kernel/audit/legal-hold')).json;
      return listed.legalHolds[0]?.status === 'applied';
    });
    expect(listed.legalHolds[0]).toMatchObject({
      shard: 0,
      fromSeq: 1,
      toSeq: 120,
      inForce: true,
      applied: 120,
      total: 120,
      failure: null,
    });
    expect(await filesBelow(join(folder(), '.holds'))).toBe(120);
  });

  it('finds a file that was changed', async () => {
    const [line = ''] = (
      await stack().client('AUDITOR').get('/kernel/audit/export?fromSeq=5&toSeq=5')
    ).text.split('\n');
    const file = join(folder(), archiveKey(parseEvent(line)));
    // Its owner can, which is why a folder is for development.
    await promisify(execFile)('chmod', ['u+w', file]);
    await writeFile(file, line.replace('"seq":5', '"seq":6'));
    const found = await verify(['--signers', await signersFile(stack()), '--dir', folder()]);
    expect(found).toContain('gap: event missing, position 0:5');
  });
});

describeWithS3('the archiver behind a kernel, with an S3 server', () => {
  const stack = withStack({ workers: ['outbox-relay', 'archiver'], archive: 's3' });

  it('goes on when the server is back, and the chain verifies from the bucket alone', async () => {
    const { server, environment } = stack().archive;
    const load = startLoad(stack());
    await until('events are archived', async () => Number.isFinite(await lag(stack())));
    await server?.stop();
    await until('a backlog grows', async () => {
      const now = await lag(stack());
      return Number.isFinite(now) && now > 500;
    });
    await server?.start();
    await load.stop();
    await caughtUp(stack());
    const [head] = await heads(stack());
    const args = ['--signers', await signersFile(stack()), '--s3', `s3://${environment['S3_BUCKET']}`];
    const env = {
      AWS_ENDPOINT_URL: environment['S3_ENDPOINT'],
      AWS_REGION: environment['S3_REGION'],
      AWS_ACCESS_KEY_ID: environment['S3_ACCESS_KEY_ID'],
      AWS_SECRET_ACCESS_KEY: environment['S3_SECRET_ACCESS_KEY'],
    };
    expect(await verify([...args, '--expect-head', head?.hash ?? ''], env)).toBe(
      `Audit chain verified. Head hash: ${head?.hash}\n`,
    );
  }, 180_000);
});

async function filesBelow(dir: string): Promise<number> {
  const found = await stat(dir).catch(() => null);
  if (found === null) return 0;
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
