import { existsSync } from 'node:fs';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, wholeNumber, loadConfig, text } from '#platform/process';
import {
  backupToolsMissing,
  readEnvironmentFile,
  type S3Server,
  s3ServerMissing,
  startS3Server,
} from '#dev/devstack';
import { describeWith, MtlsClient, nightly } from '#dev/testing';
import { type Head } from '#openapi/kernel';
import { Launcher, type Result, until } from '../launcher/launcher.driver';

const {
  restoreEvents: EVENTS,
  path: PATH,
  home: HOME,
  xdgCacheHome: XDG_CACHE_HOME,
} = loadConfig(
  defineConfig({
    RESTORE_EVENTS: {
      schema: wholeNumber({ min: 400, max: 1_000_000 }),
      description: 'Events of the database.',
      default: 200_000,
    },
    PATH: { schema: text(), description: 'Where programs are.', default: '/usr/bin:/bin' },
    HOME: { schema: text().optional(), description: 'Where the cache of the launcher is.' },
    XDG_CACHE_HOME: { schema: text().optional(), description: 'The same, where it is elsewhere.' },
  }),
);
const BATCH = 200;
const BUCKET = 'backups';

interface Restored {
  backup: string;
  skipped: { id: string }[];
  recovered: { shard: number; seq: number }[];
  heads: { shard: number; seq: number; hash: string }[];
  seconds: { recovery: number; whole: number };
}

describeWith(nightly(backupToolsMissing() ?? s3ServerMissing()), './kernel backup', () => {
  let launcher: Launcher;
  let s3: S3Server;
  let signers: string;
  let operator: MtlsClient | undefined;
  const environment: Record<string, string> = {};

  beforeAll(async () => {
    launcher = await Launcher.create();
    // Another server than the archive's: a backup is no use where the original burns.
    s3 = await startS3Server({ dir: join(launcher.scratch, 'backup-server') });
    const owner = await s3.addUser();
    await s3.createBucket(BUCKET, { owner, objectLock: false });
    Object.assign(environment, {
      PATH,
      ...(HOME === undefined ? {} : { HOME }),
      ...(XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }),
      KERNEL_BACKUP_DESTINATION: `s3://${BUCKET}/pg`,
      KERNEL_BACKUP_S3_ENDPOINT: s3.endpoint,
      KERNEL_BACKUP_S3_ACCESS_KEY_ID: owner.accessKeyId,
      KERNEL_BACKUP_S3_SECRET_ACCESS_KEY: owner.secretAccessKey,
    });
    await up();
    signers = join(launcher.scratch, 'signers.json');
    const { stdout } = await ok(kernel('keys', 'signers'));
    await writeFile(signers, stdout);
    await connect();
  }, 300_000);
  afterAll(async () => {
    await operator?.close();
    await launcher?.stop();
    await s3?.stop();
  }, 120_000);

  const kernel = (...args: string[]): Promise<Result> =>
    launcher.run([...args, '--state', launcher.state], { env: environment });
  const up = (): Promise<Result> => ok(kernel('up', '--detach', '--port-base', String(launcher.portBase)));
  async function ok(running: Promise<Result>): Promise<Result> {
    const result = await running;
    if (result.code === 0) return result;
    throw new Error(`./kernel ended with ${result.code}:\n${result.stdout}${result.stderr}`);
  }
  async function connect(): Promise<void> {
    await operator?.close();
    const variables = await readEnvironmentFile(join(launcher.state, 'kernel.env'));
    const value = (key: string): string => String(variables[`KERNEL_${key}`]);
    operator = new MtlsClient(value('API_URL'), {
      ca: value('CA_CERT'),
      identity: { cert: value('OPERATOR_CERT'), key: value('OPERATOR_KEY') },
    });
  }
  const api = (): MtlsClient => {
    if (operator === undefined) throw new Error('not connected');
    return operator;
  };
  async function write(count: number, awaited = 'committed'): Promise<void> {
    for (let from = 0; from < count; from += BATCH) {
      const events = Array.from({ length: Math.min(BATCH, count - from) }, (_, n) => ({
        type: 'thing.changed',
        payload: { n: from + n },
      }));
      const { status } = await api().post(
        '/kernel/audit',
        { events },
        { headers: { 'kernel-await': awaited } },
      );
      // 202: committed, and not yet as durable as was asked for.
      expect([201, 202]).toContain(status);
    }
  }
  const heads = async (): Promise<{ shard: number; seq: number; hash: string }[]> =>
    ((await api().get('/kernel/audit/head')).json as Head[]).map(({ shard, seq, hash }) => ({
      shard,
      seq,
      hash,
    }));
  /** Until every event is in the archive and the published log. */
  async function settled(): Promise<{ shard: number; seq: number; hash: string }[]> {
    const ends = await heads();
    await until(async () => {
      const { status } = await api().post(
        '/kernel/audit',
        { type: 'thing.settled', payload: {} },
        { headers: { 'kernel-await': 'archived' } },
      );
      return status === 201;
    });
    expect((await heads())[0]?.seq).toBeGreaterThan(ends[0]?.seq ?? 0);
    return heads();
  }
  const backUp = async (): Promise<string> => {
    const { stdout } = await ok(kernel('backup', 'start', '--json'));
    return (JSON.parse(stdout) as { base: { id: string } }).base.id;
  };
  /** The disk of the database is lost, all else is there. */
  async function loseDatabase(): Promise<void> {
    await ok(kernel('down'));
    await rm(join(launcher.state, 'postgres', 'data'), { recursive: true });
  }
  async function restored(...args: string[]): Promise<Restored> {
    const { stdout } = await ok(kernel('backup', 'restore', '--json', '--signers', signers, ...args));
    await connect();
    return JSON.parse(stdout) as Restored;
  }
  const stored = (...path: string[]): string => join(s3.dataDir, BUCKET, 'pg', 'kernel', ...path);
  const scratches = async (): Promise<string[]> =>
    (await readdir(tmpdir())).filter((name) => name.startsWith('kb-'));

  it('brings a lost database back with everything that was archived, and lets the kernel write again', async () => {
    await write(EVENTS / 2);
    const writing = write(EVENTS / 2);
    const backup = await backUp();
    await writing;
    const before = await settled();
    const status = await kernel('backup', 'status', '--json');
    expect(JSON.parse(status.stdout)).toMatchObject({ base: { id: backup, status: 'DONE' }, missing: [] });

    const verified = await kernel('backup', 'verify', '--json', '--signers', signers);
    expect({ code: verified.code, stderr: verified.stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(verified.stdout)).toMatchObject({ backup, pages: 'checked', problems: [] });

    // Something to lose on the way is not there yet: a full folder is refused.
    await ok(kernel('down'));
    const refused = await kernel('backup', 'restore', '--to', 'newest');
    expect({ code: refused.code, stderr: refused.stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a backup is put into an empty folder only'),
    });

    await loseDatabase();
    const result = await restored('--to', 'newest');
    expect(result).toMatchObject({ backup, skipped: [], heads: before });
    expect(result.recovered[0]?.seq).toBeLessThanOrEqual(before[0]?.seq ?? 0);
    process.stderr.write(
      `restore of ${before[0]?.seq} events: recovered after ${result.seconds.recovery.toFixed(1)} s, RTO ${result.seconds.whole.toFixed(1)} s, RPO 0 events\n`,
    );
    // It may write, on the same chain.
    await write(1);
    const verdict = await kernel('audit', 'verify', '--signers', signers);
    expect(verdict.stdout).toMatch(/^Audit chain verified/m);
  }, 1_800_000);

  it('goes back to a point in time, and forward from there by the archive', async () => {
    await backUp();
    await write(3);
    await until(() => walSwitched());
    const at = new Date();
    await write(5);
    const before = await settled();
    await until(() => walSwitched());
    await loseDatabase();
    const result = await restored('--to', at.toISOString());
    expect(result.heads).toEqual(before);
    expect(result.recovered[0]?.seq).toBeLessThan((before[0]?.seq ?? 0) - 4);
  }, 600_000);

  it('takes the backup before a broken one, and names a log file that is missing', async () => {
    const good = await backUp();
    await write(3);
    const bad = await backUp();
    const before = await settled();
    const [data] = (await readdir(stored('base', bad))).filter((name) => name.startsWith('data.tar'));
    await writeFile(stored('base', bad, data ?? ''), 'this is no archive');
    await loseDatabase();

    const folders = await readdir(stored('wals'));
    const wals = (
      await Promise.all(
        folders.map(async (folder) =>
          (await readdir(stored('wals', folder))).map((name) => join(folder, name)),
        ),
      )
    )
      .flat()
      .filter((name) => /\/[0-9A-F]{24}\.gz$/.test(name))
      .sort();
    // One that both backups need: the last but one.
    const lost = wals.at(-2) ?? '';
    await rename(stored('wals', lost), join(launcher.scratch, 'kept.gz'));
    const refused = await kernel('backup', 'restore', '--to', 'newest', '--signers', signers);
    expect({ code: refused.code, stderr: refused.stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${lost.slice(17, 41)} is missing`),
    });
    expect(existsSync(join(launcher.state, 'postgres', 'data', 'PG_VERSION'))).toBe(false);
    await rename(join(launcher.scratch, 'kept.gz'), stored('wals', lost));

    const result = await restored('--to', 'newest');
    expect(result).toMatchObject({ backup: good, skipped: [{ id: bad }], heads: before });
    expect(await scratches()).toEqual([]);
  }, 900_000);

  /** Whether nothing is written that is in no archive: a minute after the last write at the latest. */
  async function walSwitched(): Promise<boolean> {
    const { stdout } = await kernel('backup', 'status', '--json');
    const { archiver, rpoSeconds } = JSON.parse(stdout) as {
      archiver: { waiting: string | null };
      rpoSeconds: number;
    };
    return archiver.waiting === null && rpoSeconds < 90;
  }
});
