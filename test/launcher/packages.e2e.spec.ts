import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { processStart } from '#dev/devstack';
import { workTree } from '#dev/testing';
import { finished, until } from './launcher.driver';
import { folderOfPrograms, writeProgram } from './work-tree.driver';

/** An empty package, as a registry serves it. */
async function packageTarball(scratch: string): Promise<Buffer> {
  const folder = join(scratch, 'package');
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'mirrored', version: '1.0.0' }));
  await promisify(execFile)('tar', ['-czf', 'mirrored.tgz', 'package'], { cwd: scratch });
  return readFile(join(scratch, 'mirrored.tgz'));
}

describe('installing packages', () => {
  let scratch: string;
  let tree: string;
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'kernel-test-packages-'));
    // A tree with the launcher alone: what is installed is not enough to build, and the last message says so.
    tree = join(scratch, 'tree');
    await mkdir(tree);
    for (const name of ['kernel', 'scripts', '.npmrc']) {
      await cp(join(workTree(), name), join(tree, name), { recursive: true });
    }
  });
  afterEach(() => rm(scratch, { recursive: true, force: true }));

  /** A `package.json` and a lock file for these packages. */
  async function lock(names: readonly string[], integrity = 'sha512-x'): Promise<void> {
    const dependencies = Object.fromEntries(names.map((name) => [name, '1.0.0']));
    const root = { name: 'illuvrse-kernel', version: '0.1.0', dependencies };
    const packages = Object.fromEntries(
      names.map((name) => [`node_modules/${name}`, { version: '1.0.0', integrity }]),
    );
    await writeFile(join(tree, 'package.json'), JSON.stringify({ ...root, imports: {} }));
    const content = { ...root, lockfileVersion: 3, requires: true, packages: { '': root, ...packages } };
    await writeFile(join(tree, 'package-lock.json'), JSON.stringify(content));
  }

  /** The Node.js of this process, and an npm that prints where its configuration is and otherwise does only this. */
  const programs = (npm: string) =>
    folderOfPrograms(scratch, {
      node: `exec "${process.execPath}" "$@"`,
      npm: `[ "$1" = config ] && echo /nowhere/npmrc && exit\n${npm}`,
    });
  const start = (bin: string) =>
    spawn(join(tree, 'kernel'), ['bench', '--list'], {
      cwd: scratch,
      stdio: 'pipe',
      env: { PATH: `${bin}:/usr/bin:/bin`, HOME: scratch },
    });
  const kernel = (bin: string) => finished(start(bin));

  describe('on a machine whose npm has a configuration of its own', () => {
    let server: Server;
    afterEach(() => new Promise((resolve) => server.close(resolve)));

    it('takes them from the mirror that its global npmrc names, also on a Node.js that npx fetched', async () => {
      const tarball = await packageTarball(scratch);
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
      const asked: string[] = [];
      server = createServer((request, response) => {
        asked.push(request.url ?? '');
        if (request.url?.endsWith('.tgz') === true) return response.end(tarball);
        const dist = { tarball: `http://${request.headers.host}/mirrored/-/mirrored-1.0.0.tgz`, integrity };
        const versions = { '1.0.0': { name: 'mirrored', version: '1.0.0', dist } };
        return response.end(JSON.stringify({ name: 'mirrored', 'dist-tags': { latest: '1.0.0' }, versions }));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      await lock(['mirrored'], integrity);
      // Asked for anything else, npm gives up at once.
      await writeFile(join(scratch, '.npmrc'), 'fetch-retries=0\n');

      // The machine's own Node.js: too old by its version, and with an etc/npmrc beside its bin/, where npm looks.
      const system = join(scratch, 'system');
      await mkdir(join(system, 'bin'), { recursive: true });
      await mkdir(join(system, 'etc'));
      await writeFile(join(system, 'etc', 'npmrc'), `registry=${mirror}\n`);
      await copyFile(process.execPath, join(system, 'bin', 'node-itself'));
      const npm = (
        await promisify(execFile)('/bin/sh', ['-c', 'readlink -f "$(command -v npm)"'])
      ).stdout.trim();
      await writeProgram(
        join(system, 'bin'),
        'node',
        `[ "$1" = --version ] && echo v20.20.2 || exec "${system}/bin/node-itself" "$@"`,
      );
      await writeProgram(join(system, 'bin'), 'npx', `echo "${process.execPath}"`);
      await symlink(npm, join(system, 'bin', 'npm'));

      const { stderr } = await kernel(`${system}/bin`);
      expect(stderr).toContain('fetching Node.js 24 with npx');
      expect(stderr).toMatch(/\nkernel: installed 1 packages, \d+ MB, in \d+ s\n/);
      expect(asked).toContain('/mirrored/-/mirrored-1.0.0.tgz');
      expect(await readdir(join(tree, 'node_modules'))).toContain('mirrored');
    }, 60_000);
  });

  it('tells how far it is, now and then', async () => {
    await lock(['a', 'b', 'c']);
    // A slow npm: one package after another.
    const bin = await programs(
      `for name in a b c; do mkdir -p node_modules/$name; echo {} > node_modules/$name/package.json; sleep 4; done`,
    );
    const { stderr } = await kernel(bin);
    expect(stderr).toMatch(
      /^kernel: installing packages \(first start, .*\)\nkernel: installing packages: 3 of about 3, 1\d s\nkernel: installed 3 packages, 0 MB, in 1\d s\n/,
    );
  }, 60_000);

  it('rewrites one line on a terminal', async () => {
    const program = `import(process.argv[1]).then(({ tellProgress }) => {
      let n = 0;
      const stream = { isTTY: true, write: (text) => process.stdout.write(JSON.stringify(text) + '\\n') };
      const done = tellProgress(stream, () => 'line ' + ++n);
      setTimeout(done, 2500);
    })`;
    const { stdout } = await promisify(execFile)(process.execPath, [
      '-e',
      program,
      join(tree, 'scripts', 'progress.mjs'),
    ]);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as string),
    ).toEqual(['\r\x1b[Kkernel: line 1', '\r\x1b[Kkernel: line 2', '\r\x1b[K']);
  });

  it('ends npm when it is ended itself, and installs again at the next call', async () => {
    await lock(['a']);
    const pidFile = join(scratch, 'npm-pid');
    const bin = await programs(
      `echo $$ > "${pidFile}.partial"; mv "${pidFile}.partial" "${pidFile}"; exec sleep 60`,
    );
    const child = start(bin);
    const ended = once(child, 'close');
    let npm = 0;
    await until(async () => {
      npm = Number(await readFile(pidFile, 'utf8').catch(() => ''));
      return npm > 0;
    });
    child.kill('SIGTERM');
    expect(await ended).toEqual([143, null]);
    expect(processStart(npm)).toBeUndefined();
    expect(await readdir(join(tree, '.build'))).not.toContain('lock');
    const quick = await programs(`mkdir -p node_modules/a; echo {} > node_modules/a/package.json`);
    const { stderr } = await kernel(quick);
    expect(stderr).toContain('kernel: installed 1 packages');
  }, 60_000);

  it('is not held up by a process that only has the number of an earlier one', async () => {
    await lock(['a']);
    await mkdir(join(tree, 'node_modules'));
    await mkdir(join(tree, '.build', 'in-use'), { recursive: true });
    const note = join(tree, '.build', 'in-use', String(process.pid));
    await writeFile(note, '0123456789abcdef\nan earlier boot/1\n./kernel up\n');
    const bin = await programs(`mkdir -p node_modules/a; echo {} > node_modules/a/package.json`);
    expect((await kernel(bin)).stderr).toContain('kernel: installed 1 packages');
  });

  it('says what npm says when it fails', async () => {
    await lock(['a']);
    const bin = await programs('echo "npm error 403 Forbidden" >&2; exit 1');
    expect(await kernel(bin)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /\nkernel: npm ci failed \(.*install\.log\):\nnpm error 403 Forbidden\n$/,
      ),
    });
  });
});
