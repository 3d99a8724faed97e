import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import {
  backupToolsMissing,
  emptyFolder,
  type PostgresServer,
  type S3Server,
  startPostgres,
  startS3Server,
  s3ServerMissing,
} from '#dev/devstack';
import { describeWith } from '#dev/testing';
import { backupStatus } from './backup-status';
import { type OpenBackups, withBackups } from './open-backups';
import { recoverBackup } from './recover-backup';
import { startBackup } from './start-backup';

const LIMITS = { limitMs: 5 * 60_000, failingMs: 3_000 };
const STATUS = { maxBaseHours: 26, maxRpoSeconds: 300 };
const BUCKET = 'backups';

describeWith(
  { missing: backupToolsMissing() ?? s3ServerMissing() },
  'backups of a database in a bucket',
  () => {
    let dir: string;
    let s3: S3Server;
    let postgres: PostgresServer;
    let client: Client;
    const variables: Record<string, string> = {};
    const use = <T>(work: (backups: OpenBackups) => Promise<T>): Promise<T> =>
      withBackups({}, work, variables);
    const stored = (...path: string[]): string => join(s3.dataDir, BUCKET, 'pg', 'kernel', ...path);

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'kernel-backups-'));
      await chmod(dir, 0o755);
      s3 = await startS3Server({ dir: join(dir, 's3') });
      const owner = await s3.addUser();
      await s3.createBucket(BUCKET, { owner, objectLock: false });
      const bucket = {
        destination: `s3://${BUCKET}/pg`,
        serverName: 'kernel',
        endpoint: s3.endpoint,
        region: s3.region,
        credentials: owner,
      };
      postgres = await startPostgres({ dir: join(dir, 'postgres'), throwaway: true, backup: bucket });
      Object.assign(variables, {
        KERNEL_BACKUP_DESTINATION: bucket.destination,
        KERNEL_BACKUP_S3_ENDPOINT: s3.endpoint,
        KERNEL_BACKUP_S3_ACCESS_KEY_ID: owner.accessKeyId,
        KERNEL_BACKUP_S3_SECRET_ACCESS_KEY: owner.secretAccessKey,
        KERNEL_BACKUP_DATABASE_URL: postgres.superuserUrl,
      });
      client = new Client({ connectionString: postgres.superuserUrl });
      await client.connect();
      await client.query(
        'CREATE TABLE said (n int PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())',
      );
    });
    afterAll(async () => {
      await client?.end();
      await postgres?.stop();
      await s3?.stop();
      await rm(dir, { recursive: true, force: true });
    });

    const say = async (n: number): Promise<void> => {
      await client.query('INSERT INTO said (n) VALUES ($1)', [n]);
    };
    /** Ends the segment that is written, and waits until it is in the bucket. */
    async function archived(): Promise<string> {
      const { rows } = await client.query<{ name: string }>(
        'SELECT pg_walfile_name(pg_current_wal_lsn()) AS name',
      );
      await client.query('SELECT pg_switch_wal()');
      const name = rows[0]?.name ?? '';
      for (;;) {
        const { rows: last } = await client.query<{ done: boolean }>(
          'SELECT last_archived_wal >= $1 AS done FROM pg_stat_archiver',
          [name],
        );
        if (last[0]?.done === true) return name;
      }
    }
    async function recovered(
      backups: OpenBackups,
      to: Date | null,
    ): Promise<{ backup: string; skipped: string[]; said: number[] }> {
      const folder = await emptyFolder(join(backups.scratch, 'data'));
      const { base, skipped, cluster } = await recoverBackup(backups, {
        folder,
        to,
        limitMs: LIMITS.limitMs,
      });
      const restored = new Client({ connectionString: cluster.urlOf('kernel') });
      try {
        await restored.connect();
        const { rows } = await restored.query<{ n: number }>('SELECT n FROM said ORDER BY n');
        return { backup: base.id, skipped: skipped.map(({ id }) => id), said: rows.map(({ n }) => n) };
      } finally {
        await restored.end();
        await cluster.stop();
      }
    }
    const scratches = async (): Promise<string[]> =>
      (await readdir(tmpdir())).filter((name) => name.startsWith('kb-'));

    it('brings back the newest state, a point in time, and says what stands in the way', async () => {
      const before = await scratches();
      // No backup yet.
      const none = await use((backups) => backupStatus(backups, STATUS));
      expect(none.problems).toContain('There is no base backup that is whole: run ./kernel backup start.');

      await say(1);
      const first = await use((backups) => startBackup(backups, LIMITS));
      await say(2);
      await archived();
      const { rows } = await client.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      const between = rows[0]?.now ?? new Date();
      await say(3);
      const third = await archived();
      const second = await use((backups) => startBackup(backups, LIMITS));
      await say(4);
      await archived();

      const status = await use((backups) => backupStatus(backups, STATUS));
      expect(status).toMatchObject({
        base: { id: second.base.id, status: 'DONE' },
        bases: { DONE: 2 },
        missing: [],
        problems: [],
      });
      expect(status.base?.endTime?.getTime()).toBeGreaterThan(between.getTime());
      expect(status.newestWal?.name).toMatch(/^[0-9A-F]{24}$/);

      expect(await use((backups) => recovered(backups, null))).toEqual({
        backup: second.base.id,
        skipped: [],
        said: [1, 2, 3, 4],
      });
      expect(await use((backups) => recovered(backups, between))).toEqual({
        backup: first.base.id,
        skipped: [],
        said: [1, 2],
      });
      await expect(use((backups) => recovered(backups, new Date(Date.now() + 3_600_000)))).rejects.toThrow(
        /The log that is archived ends before/,
      );

      // The newest base backup is broken: the one before it, and the log, have everything.
      const [data] = (await readdir(stored('base', second.base.id))).filter((name) =>
        name.startsWith('data.tar'),
      );
      const place = stored('base', second.base.id, data ?? '');
      await rename(place, `${dir}/kept`);
      await writeFile(place, 'this is no archive');
      expect(await use((backups) => recovered(backups, null))).toEqual({
        backup: first.base.id,
        skipped: [second.base.id],
        said: [1, 2, 3, 4],
      });

      // One log file is missing: PostgreSQL would end there without a word.
      const wal = stored('wals', third.slice(0, 16), `${third}.gz`);
      expect(existsSync(wal)).toBe(true);
      await rename(wal, `${dir}/kept.gz`);
      await expect(use((backups) => recovered(backups, null))).rejects.toThrow(
        new RegExp(`the log file ${third} is missing`),
      );
      expect((await use((backups) => backupStatus(backups, STATUS))).missing).toEqual([]);
      expect(await scratches()).toEqual(before);
    }, 600_000);

    it('does not wait for ever when PostgreSQL cannot run its archive_command', async () => {
      const command = join(dir, 'postgres', 'wal-archive', 'archive-wal');
      await chmod(command, 0o600);
      try {
        const started = performance.now();
        // Archiving worked until now, so the backup begins, and waits for a file that never comes.
        await expect(use((backups) => startBackup(backups, LIMITS))).rejects.toThrow(
          /^PostgreSQL cannot archive its log: [0-9A-F]{24}\S* has waited for \d+ s.* The backup was given up/,
        );
        expect(performance.now() - started).toBeLessThan(LIMITS.limitMs);
        // The next one says so at once.
        await expect(use((backups) => startBackup(backups, LIMITS))).rejects.toThrow(
          /nothing was archived.*wait for ever/,
        );
      } finally {
        await chmod(command, 0o700);
      }
    }, 300_000);

    it('leaves no process behind', () => {
      expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toMatch(/kb-[A-Za-z0-9]+\/data/);
    });
  },
);
