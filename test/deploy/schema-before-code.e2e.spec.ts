import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readEnvironmentFile } from '#dev/devstack';
import { describeWith, MtlsClient, workTree } from '#dev/testing';
import { until } from '../faults/until';
import { Launcher } from '../launcher/launcher.driver';

const MIGRATIONS = 'libs/platform/event-store/schema/migrations';
const CALLERS = 8;
/** Events that each caller has recorded before anything changes, and again afterwards. */
const EACH = 40;

const git = (...args: string[]) =>
  execFileSync('git', ['-C', workTree(), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();

/** The commit before the newest one that changed the schema; null where the history does not go back to it. */
function versionBefore(): string | null {
  try {
    const changed = git('log', '--first-parent', '-1', '--format=%H', '--', MIGRATIONS);
    return changed === '' ? null : git('rev-parse', '--verify', `${changed}^1`);
  } catch {
    return null;
  }
}

const before = versionBefore();
const missing = before === null ? 'this checkout lacks the commit before the newest schema' : null;

/*
 * What ADR 198 promises of each schema: the version before it goes on with it, and takes over again after the new one.
 */
describeWith(
  { missing },
  'the version before the newest schema',
  () => {
    let old: Launcher;
    let now: Launcher;
    beforeAll(async () => {
      const place = await Launcher.create();
      const tree = join(place.scratch, 'before');
      await mkdir(tree);
      await promisify(execFile)('sh', [
        '-c',
        'git -C "$1" archive "$2" | tar -x -C "$3"',
        'sh',
        workTree(),
        before ?? '',
        tree,
      ]);
      const lock = (folder: string) => readFileSync(join(folder, 'package-lock.json'), 'utf8');
      // Otherwise it installs its own, as in a clone.
      if (lock(tree) === lock(workTree())) {
        await symlink(join(workTree(), 'node_modules'), join(tree, 'node_modules'));
      }
      now = place;
      old = place.withScript(join(tree, 'kernel'));
      await old.upReady();
    }, 600_000);
    afterAll(() => now.stop(), 60_000);

    async function caller(): Promise<MtlsClient> {
      const env = await readEnvironmentFile(join(now.state, 'kernel.env'));
      return new MtlsClient(env['KERNEL_API_URL'] ?? '', {
        ca: env['KERNEL_CA_CERT'] ?? '',
        identity: { cert: env['KERNEL_OPERATOR_CERT'] ?? '', key: env['KERNEL_OPERATOR_KEY'] ?? '' },
      });
    }

    it('goes on under load while its database is migrated, without a failed request', async () => {
      const client = await caller();
      const statuses = new Set<number>();
      let isMigrated = false;
      const recorded = Array.from({ length: CALLERS }, () => 0);
      const work = recorded.map(async (_, n) => {
        // Each goes on until it has recorded as much on the new schema.
        for (let left = EACH; left > 0;) {
          const { status } = await (n % 2 === 0
            ? client.post('/kernel/audit', { type: 'schema.tried', payload: { n } }, { idempotencyKey: true })
            : client.post('/kernel/sign', { manifest: { id: `schema-${n}` } }, { idempotencyKey: true }));
          statuses.add(status);
          recorded[n] = (recorded[n] ?? 0) + 1;
          if (isMigrated) left -= 1;
        }
      });
      await until('each caller is at work', () => Promise.resolve(recorded.every((count) => count >= EACH)));
      expect(await now.on('migrate --check')).toMatchObject({ code: 1 });
      expect(await now.on('migrate')).toMatchObject({ code: 0, stderr: '' });
      expect(await now.on('migrate --check')).toMatchObject({ code: 0 });
      isMigrated = true;
      await Promise.all(work);
      expect([...statuses].sort()).toEqual([200, 201]);
      await client.close();
      expect(await old.on('status')).toMatchObject({ code: 0 });
      expect(await old.on('audit verify')).toMatchObject({ code: 0 });
    }, 180_000);

    it('hands over to the new version, and takes over again', async () => {
      await old.on('down');
      await now.upReady();
      expect(await now.on('audit verify')).toMatchObject({ code: 0 });
      const client = await caller();
      expect(await client.post('/kernel/audit', { type: 'schema.used', payload: {} })).toMatchObject({
        status: 201,
      });
      await client.close();
      await now.on('down');
      await old.upReady();
      expect(await old.on('audit verify')).toMatchObject({ code: 0 });
    }, 180_000);
  },
  false,
);
