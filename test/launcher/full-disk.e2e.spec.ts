import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readEnvironmentFile, type RunRecord } from '#dev/devstack';
import { workTree } from '#dev/testing';
import { finished, Launcher, type Result, until } from './launcher.driver';

/** A disk of its own needs a mount, and a mount of its own a namespace: it is gone with the processes in it. */
const mayMount =
  spawnSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs tmpfs /mnt'], { stdio: 'ignore' }).status ===
  0;
const suite = mayMount ? describe : describe.skip;

/** PostgreSQL takes 50 MB of it, and more when it recovers. */
const DISK = '260m';

suite(
  `a kernel whose disk becomes full${mayMount ? '' : ' (skipped: a tmpfs cannot be mounted here)'}`,
  () => {
    let launcher: Launcher;
    let up: ChildProcess;
    let said = '';
    beforeAll(async () => {
      launcher = await Launcher.create();
      await mkdir(launcher.state, { mode: 0o755 });
      const script = 'mount -t tmpfs -o "size=$1,mode=755" tmpfs "$2" && shift 2 && exec "$@"';
      const state = launcher.state;
      up = launcher.start(
        ['--mount', 'sh', '-c', script, 'sh', DISK, state, kernel, 'up', '--state', state].concat(
          '--port-base',
          String(launcher.portBase),
        ),
        {},
        'unshare',
      );
      for (const stream of [up.stdout, up.stderr])
        stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      await until(() => said.includes('Stop it with') || up.exitCode !== null);
      if (up.exitCode !== null) throw new Error(said);
    }, 120_000);
    afterAll(async () => {
      up.kill('SIGINT');
      await until(() => up.exitCode !== null);
      await launcher.stop();
    }, 60_000);

    const kernel = join(workTree(), 'kernel');
    /** The folder as it is on that disk; seen from here it is empty. */
    const onDisk = (path = ''): string => join(`/proc/${up.pid}/root`, launcher.state, path);
    const cli = (...args: string[]): Promise<Result> =>
      finished(
        launcher.start(
          ['-t', String(up.pid), '-m', kernel, ...args, '--state', launcher.state],
          {},
          'nsenter',
        ),
      );
    const services = async (): Promise<RunRecord['services']> =>
      (JSON.parse(await readFile(onDisk('run.json'), 'utf8')) as RunRecord).services;
    const sign = async (id: string): Promise<Result> => {
      const file = join(launcher.scratch, `${id}.json`);
      await writeFile(file, JSON.stringify({ id, version: '1.0.0', kind: 'agent' }));
      return cli('sign', file);
    };

    it('goes on, says so everywhere, and works again when there is room', async () => {
      expect((await sign('before')).code).toBe(0);
      const before = await services();
      spawnSync('dd', ['if=/dev/zero', `of=${onDisk('filler')}`, 'bs=1M'], { stdio: 'ignore' });

      // PostgreSQL has files that it made beforehand: a write may find room in them, or is refused as temporary.
      const during = await sign('during');
      if (during.code !== 0) expect(during.stderr).toContain('The kernel answered 503');
      const full = /The disk of \S.*state is full: 0 MiB are free, 32 MiB are needed; make room\./;
      const status = await cli('status');
      expect(status).toMatchObject({ code: 1, stdout: expect.stringMatching(full) });
      const { KERNEL_MANAGEMENT_URL } = await readEnvironmentFile(onDisk('kernel.env'));
      const ready = await fetch(`${KERNEL_MANAGEMENT_URL}/ready`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({ error: { disk: { message: expect.stringMatching(full) } } });

      // The supervisor has to note that, and cannot: it starts it again all the same, as soon as that can be.
      process.kill(before['postgres']?.process?.pid as number, 'SIGKILL');
      await until(() => said.includes('postgres: ended (SIGKILL), starting it again'));
      spawnSync('rm', [onDisk('filler')]);
      await until(async () => (await cli('status')).code === 0);
      expect((await sign('after')).code).toBe(0);
      const after = await services();
      expect(after['postgres']?.restarts).toBeGreaterThan(0);
      // Nothing but what was killed has ended.
      delete before['postgres'];
      expect(after).toMatchObject(before);
      expect((await cli('audit', 'verify')).stdout).toContain('Audit chain verified');
    }, 180_000);

    it('refuses in one sentence to start on it', async () => {
      spawnSync('dd', ['if=/dev/zero', `of=${onDisk('filler')}`, 'bs=1M'], { stdio: 'ignore' });
      const other = join(launcher.state, 'other');
      const result = await finished(
        launcher.start(
          ['-t', String(up.pid), '-m', kernel, 'up', '--detach', '--state', other],
          {},
          'nsenter',
        ),
      );
      spawnSync('rm', [onDisk('filler')]);
      expect(result).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^kernel: The disk of .* is full: /),
      });
    }, 60_000);
  },
);
