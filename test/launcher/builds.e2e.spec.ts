import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { isRunning, signalProcess } from '#dev/devstack';
import { gone, Launcher, until } from './launcher.driver';
import { folderOfPrograms, WorkTreeCopy } from './work-tree.driver';

/** Answers at once and builds nothing, but whatever is built is listed. */
const ANY_VERB_THAT_BUILDS = ['bench', '--list'];

interface Status {
  build: { digest: string; folder: string; movedOn: boolean };
}

describe('./kernel where nothing was built yet', () => {
  let copy: WorkTreeCopy;
  beforeAll(async () => {
    copy = await WorkTreeCopy.create();
  });
  afterAll(() => copy.remove());

  it('answers without building what it can answer without', async () => {
    const state = join(copy.tree, '.kernel');
    const nothing = `there is no kernel in ${state}, and nothing is installed and built in ${copy.tree}.\n`;
    expect(await copy.kernelInFull(['status'])).toEqual({
      code: 1,
      stdout: `Not running: ${nothing}`,
      stderr: '',
    });
    const asJson = await copy.kernelInFull(['status', '--json', '--state=elsewhere']);
    expect(JSON.parse(asJson.stdout)).toEqual({
      state: join(copy.scratch, 'elsewhere'),
      running: false,
      ready: false,
    });
    expect(await copy.kernelInFull(['down'])).toEqual({
      code: 0,
      stdout: `Nothing to stop: ${nothing}`,
      stderr: '',
    });
    expect(await copy.kernelInFull(['--version'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^illuvrse-kernel \d+\.\d+\.\d+, not built\n$/),
      stderr: '',
    });
    expect(await readdir(copy.tree)).not.toContain('.build');
  });

  it('fetches no Node.js for such an answer', async () => {
    const bin = await folderOfPrograms(copy.scratch, {
      node: `[ "$1" = --version ] && echo v20.20.2 || exec "${process.execPath}" "$@"`,
      npx: 'echo fetched',
    });
    expect(await copy.kernelInFull(['down'], { env: { PATH: `${bin}:/usr/bin:/bin` } })).toMatchObject({
      code: 0,
      stderr: '',
    });
  });

  it('claims nothing about a state folder that somebody may run', async () => {
    const state = join(copy.scratch, 'state');
    await mkdir(state);
    await writeFile(join(state, 'run.json'), '{}');
    for (const verb of ['status', 'down']) {
      expect(await copy.kernelInFull([verb, '--state', state])).toEqual({
        code: 1,
        stdout: '',
        stderr: `kernel: There may be a kernel in ${state}, but nothing is installed and built in ${copy.tree} that could tell or stop it; use the folder that started it, or build here with ./kernel help.\n`,
      });
    }
  });
});

describe('./kernel while the sources change', () => {
  let copy: WorkTreeCopy;
  let launcher: Launcher;
  let first: string;

  beforeAll(async () => {
    copy = await WorkTreeCopy.create();
    launcher = await Launcher.create(join(copy.tree, 'kernel'));
    await launcher.upReady();
    first = await copy.newestBuild();
  }, 180_000);
  afterAll(async () => {
    await launcher.stop();
    await copy.remove();
  }, 60_000);

  const buildOf = async () => (JSON.parse((await launcher.on('status', '--json')).stdout) as Status).build;
  const commandLine = async (service: string) =>
    (await readFile(`/proc/${launcher.processOf(service).pid}/cmdline`, 'utf8')).split('\0');
  const newBuild = async () => {
    await copy.changeSources();
    expect((await copy.kernelInFull(ANY_VERB_THAT_BUILDS)).stderr).toBe('kernel: building\n');
    return await copy.newestBuild();
  };

  it('says which build answers, which one runs, and when the sources have moved on', async () => {
    expect(await copy.kernelInFull(['--version'])).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(`^illuvrse-kernel \\d+\\.\\d+\\.\\d+\nbuild ${first} \\(no commit\\), built 2.*Z\n$`),
      ),
      stderr: '',
    });
    expect(await buildOf()).toMatchObject({
      digest: first,
      folder: join(copy.tree, '.build', 'builds', first),
      movedOn: false,
    });
    expect((await launcher.on('status')).stdout).toMatch(
      new RegExp(`\nbuild {3}${first} \\(no commit\\)\nsince `),
    );
    await copy.changeSources();
    // None of them builds, whatever the state of the sources.
    for (const verb of ['status', '--version']) await copy.kernel([verb]);
    expect(await copy.builds()).toEqual([first]);
    expect(await buildOf()).toMatchObject({ digest: first, movedOn: true });
    expect((await launcher.on('status')).stdout).toContain('The checkout has moved on since; ');
  });

  it('builds beside what runs, which goes on with its own build also where it is started again', async () => {
    const second = await newBuild();
    expect(second).not.toBe(first);
    const old = launcher.processOf('kernel');
    signalProcess(old, 'SIGKILL');
    await until(() => {
      const service = launcher.runRecord().services['kernel'];
      return service?.state === 'running' && service.process?.pid !== old.pid;
    });
    await until(async () => (await launcher.on('status')).code === 0);
    expect(await commandLine('kernel')).toContain(
      join(copy.tree, '.build', 'builds', first, 'apps', 'kernel', 'main.js'),
    );
    expect(await commandLine('signing-proxy')).toContain(
      join(copy.tree, '.build', 'builds', first, 'apps', 'signing-proxy', 'main.js'),
    );
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  });

  it('keeps a few builds and every one that something runs from', async () => {
    let newest = '';
    for (let n = 0; n < 4; n += 1) newest = await newBuild();
    const kept = await copy.builds();
    expect(kept).toEqual(expect.arrayContaining([first, newest]));
    expect(kept).toHaveLength(4);
    // Going back to an earlier state of the sources builds nothing.
    await rm(join(copy.tree, 'test', 'change.ts'));
    expect(await copy.kernelInFull(ANY_VERB_THAT_BUILDS)).toMatchObject({ stderr: '' });
    expect(await copy.newestBuild()).toBe(first);
  }, 180_000);

  it('takes no packages away from what runs', async () => {
    const lock = join(copy.tree, 'package-lock.json');
    const locked = await readFile(lock, 'utf8');
    // node_modules of this copy are those of the real work tree: no npm may come near them.
    const bin = await folderOfPrograms(copy.scratch, {
      npm: 'exit 7',
      node: `exec "${process.execPath}" "$@"`,
    });
    await writeFile(
      lock,
      locked.replace('"name": "illuvrse-kernel"', '"name": "other"').replace(/"integrity": "sha512-/, '$&x'),
    );
    try {
      const { supervisor } = launcher.runRecord();
      const env = { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` };
      expect(await copy.kernelInFull(['keys'], { env })).toEqual({
        code: 1,
        stdout: '',
        stderr: `kernel: package-lock.json has changed, but the packages that are installed are still used by \`./kernel up --state ${launcher.state}\` (process ${supervisor.pid}); stop it (./kernel down) and call again.\n`,
      });
      expect((await copy.kernelInFull(['status', '--state', launcher.state], { env })).code).toBe(0);
    } finally {
      await writeFile(lock, locked);
    }
  });

  it('switches at the next up, and lets go of what no longer runs', async () => {
    const { supervisor } = launcher.runRecord();
    expect((await launcher.on('down')).code).toBe(0);
    await gone(supervisor);
    let newest = '';
    for (let n = 0; n < 3; n += 1) newest = await newBuild();
    expect(await copy.builds()).not.toContain(first);
    expect(await copy.builds()).toHaveLength(3);
    await launcher.upReady();
    expect(await buildOf()).toMatchObject({ digest: newest, movedOn: false });
  }, 240_000);

  it('goes on with the last build where the new sources do not compile', async () => {
    const before = await copy.newestBuild();
    const file = join(copy.tree, 'test', 'change.ts');
    await writeFile(file, 'export const changed = 1;\n\nexport class {}\nlet a b;\n');
    const broken = await copy.kernelInFull(['keys', '--state', launcher.state]);
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toMatch(/\ntest\/change\.ts:3:\d+: Expected ident\n/);
    expect(await copy.newestBuild()).toBe(before);
    expect((await launcher.on('status')).code).toBe(0);
    expect((await launcher.on('down')).code).toBe(0);
    await rm(file);
  });

  it('recovers from an interruption in the middle of a build', async () => {
    await copy.changeSources();
    const child = copy.start(ANY_VERB_THAT_BUILDS, { detached: true });
    const interrupted = once(child, 'close');
    const builds = join(copy.tree, '.build', 'builds');
    await until(async () => (await readdir(builds)).some((name) => name.endsWith('.partial')));
    // Signals the whole group, as Ctrl-C does.
    process.kill(-(child.pid as number), 'SIGINT');
    expect(await interrupted).toEqual([130, null]);
    await expect(access(join(copy.tree, '.build', 'lock'))).rejects.toThrow();
    expect(await copy.kernelInFull(ANY_VERB_THAT_BUILDS)).toMatchObject({
      code: 0,
      stderr: 'kernel: building\n',
    });
    expect(await readdir(builds)).toEqual(await copy.builds());
  });

  it('runs in the foreground by npm start as well', async () => {
    const child = copy.start(['start', '--', '--state', launcher.state], {
      script: 'npm',
      detached: true,
      cwd: copy.tree,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await until(() => stdout.includes('ready after') || child.exitCode !== null);
    const { supervisor } = launcher.runRecord();
    const service = launcher.processOf('kernel');
    process.kill(-(child.pid as number), 'SIGINT');
    await once(child, 'close');
    expect(stderr).toMatch(/\nkernel: stopped\n$/);
    expect([supervisor, service].some(isRunning)).toBe(false);
  }, 60_000);
});
