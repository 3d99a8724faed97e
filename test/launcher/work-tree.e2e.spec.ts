import { access, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { folderOfPrograms, WorkTreeCopy, writeProgram } from './work-tree.driver';

/** Programs that the launcher script itself calls, besides node and npx. */
const SYSTEM_TOOLS = ['cat', 'dirname', 'env', 'mkdir', 'mv', 'readlink', 'sh'];

describe('./kernel in a work tree of its own', () => {
  let copy: WorkTreeCopy;
  let scratch: string;
  let tree: string;

  beforeAll(async () => {
    copy = await WorkTreeCopy.create();
    ({ scratch, tree } = copy);
  });
  afterAll(() => copy.remove());

  const kernel = (...call: Parameters<WorkTreeCopy['kernel']>) => copy.kernel(...call);
  /** All output before the answer. */
  const told = (raw: string) => raw.split('\n').filter((line) => line !== '');

  it('builds once when it is called twice at the same time, through a link and from another folder', async () => {
    const link = join(scratch, 'kernel-link');
    await symlink(join('a clone', 'kernel'), link);
    const results = await Promise.all([
      copy.kernelInFull(['bench', '--list'], { script: link }),
      copy.kernelInFull(['bench', '--list']),
    ]);
    for (const result of results) expect(result).toMatchObject({ code: 0, stdout: '\n' });
    const building = results
      .flatMap(({ stderr }) => told(stderr))
      .filter((line) => line === 'kernel: building');
    expect(building).toHaveLength(1);
    await expect(access(join(tree, '.kernel'))).rejects.toThrow();
  });

  it('builds again when a source changed, and says what is wrong with it', async () => {
    const file = join(tree, 'apps', 'cli', 'output', 'print.ts');
    const source = await readFile(file, 'utf8');
    await writeFile(file, `${source}\nexport const broken = ;\n`);
    const broken = await kernel(['frobnicate']);
    expect(broken).toMatchObject({ code: 1, stdout: '' });
    expect(broken.stderr).toMatch(/^kernel: the build failed \(.*\.build\/build\.log\):\n/);
    const line = source.split('\n').length + 1;
    expect(broken.stderr).toContain(`\napps/cli/output/print.ts:${line}:23: Expression expected\n`);
    // It shows the piece of source, not the compiler's stack.
    expect(broken.stderr).toContain('export const broken = ;');
    expect(broken.stderr).not.toMatch(/stack|unknown|libc|\bat /i);
    await writeFile(file, source.replaceAll('kernel: ', 'changed: '));
    expect((await kernel(['frobnicate'])).stderr).toMatch(/^changed: There is no command/);
    await writeFile(file, source);
    expect((await kernel(['frobnicate'])).stderr).toMatch(/^kernel: There is no command/);
  });

  /** A folder for the PATH with a Node.js that is too old, and an npx that finds the one of this process. */
  async function oldNode(): Promise<string> {
    const bin = await folderOfPrograms(scratch, { node: 'echo v20.20.2' });
    await writeProgram(bin, 'npx', `echo called >> "${bin}/npx-calls"; echo "${process.execPath}"`);
    return bin;
  }

  describe('on a machine whose Node.js is old', () => {
    let bin: string;

    beforeEach(async () => {
      bin = await oldNode();
      for (const tool of SYSTEM_TOOLS) await symlink(await whereIs(tool), join(bin, tool));
    });

    const call = (home: string) => kernel(['frobnicate'], { env: { PATH: bin, HOME: home } });

    it('gets Node.js 24 from npx once and remembers where it is', async () => {
      const home = await mkdtemp(join(scratch, 'home-'));
      const first = await call(home);
      expect(first.code).toBe(2);
      expect(first.stderr).toContain(
        'kernel: this machine has Node.js v20.20.2, fetching Node.js 24 with npx (once)\n',
      );
      const second = await call(home);
      expect(second.stderr).toBe(
        'kernel: There is no command "frobnicate"; ./kernel help lists what there is.\n',
      );
      // The noted path no longer exists: it is fetched again.
      await writeFile(join(home, '.cache', 'illuvrse-kernel', 'node24'), '/nowhere/node\n');
      expect((await call(home)).code).toBe(2);
      expect(await readFile(join(bin, 'npx-calls'), 'utf8')).toBe('called\ncalled\n');
    });

    it('says what is missing', async () => {
      await rm(join(bin, 'node'));
      await rm(join(bin, 'npx'));
      expect(await call(scratch)).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'kernel: Node.js is not installed; install Node.js 20 or newer with npm, then run this again.\n',
      });
      await writeProgram(bin, 'node', 'echo v20.20.2');
      const home = await mkdtemp(join(scratch, 'home-'));
      expect((await call(home)).stderr).toBe(
        'kernel: npm is not installed; install Node.js 20 or newer with npm, then run this again.\n',
      );
      await writeProgram(bin, 'npx', 'echo "npm error network" >&2; exit 1');
      expect((await call(home)).stderr).toMatch(
        /\nnpm error network\nkernel: npx could not fetch Node\.js 24 .*\n$/,
      );
    });
  });

  describe('test', () => {
    beforeAll(async () => {
      await cp(join(workTree(), 'jest.config.cjs'), join(tree, 'jest.config.cjs'));
      const sample = join(tree, 'test', 'sample');
      await mkdir(sample, { recursive: true });
      const spec = (name: string, text: string) => writeFile(join(sample, `${name}.unit.spec.ts`), text);
      await spec('good', `it('is', () => expect(1).toBe(1));\nit('is too', () => expect(2).toBe(2));\n`);
      await spec(
        'mixed',
        `it('is', () => expect(1).toBe(1));\nit('is not', () => expect(1).toBe(2));\nit.skip('may', () => undefined);\n`,
      );
      await spec('unreadable', `it('is', () => {\n`);
    });

    const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);

    it('ends with one plain line that counts', async () => {
      const good = await kernel(['test', 'sample/good']);
      expect(good).toMatchObject({ code: 0, stdout: '2 passed, 0 failed\n' });
      const some = await kernel(['test', 'sample/good', '-t', 'is too']);
      expect(some).toMatchObject({ code: 0, stdout: '1 passed, 0 failed, 1 skipped\n' });
    });

    it('fails when a test fails, a file cannot be run, or nothing is run', async () => {
      const mixed = await kernel(['test', 'sample/mixed']);
      expect(mixed).toMatchObject({ code: 1, stdout: '1 passed, 1 failed, 1 skipped\n' });
      expect(mixed.stderr).toContain('is not');
      expect(await kernel(['test', 'sample/unreadable'])).toMatchObject({
        code: 1,
        stdout: '0 passed, 1 failed\n',
      });
      expect(await kernel(['test', 'sample/nothing-there'])).toMatchObject({
        code: 1,
        stdout: '0 passed, 0 failed\n',
      });
      expect(await kernel(['test', 'sample/good', '-t', 'no such name'])).toMatchObject({ code: 1 });
    });

    it('runs the checks first when everything is tested', async () => {
      const manifest = join(tree, 'package.json');
      const original = await readFile(manifest, 'utf8');
      const config = join(tree, 'jest.config.cjs');
      await writeFile(
        config,
        (await readFile(config, 'utf8')).replace(/roots: \[.*\]/, `roots: ['<rootDir>/test']`),
      );
      await rm(join(tree, 'test', 'sample', 'mixed.unit.spec.ts'));
      await rm(join(tree, 'test', 'sample', 'unreadable.unit.spec.ts'));
      const withCheck = (check: string) => {
        const parsed = JSON.parse(original) as { scripts: Record<string, string> };
        return writeFile(manifest, JSON.stringify({ ...parsed, scripts: { ...parsed.scripts, check } }));
      };
      try {
        // They run on the Node.js that was found, whichever the system has.
        const bin = await oldNode();
        await withCheck('node -p process.version >&2');
        const passing = await kernel(['test'], { env: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` } });
        expect(passing).toMatchObject({ code: 0, stdout: '3 passed, 0 failed\n' });
        expect(passing.stderr).toContain(`\n${process.version}\n`);
        await withCheck('exit 3');
        const failing = await kernel(['test']);
        expect(failing.code).toBe(1);
        expect(lastLine(failing.stdout)).toBe('2 passed, 1 failed');
      } finally {
        await writeFile(manifest, original);
      }
    });
  });

  it('shows the figures of a benchmark as a table and writes them as JSON', async () => {
    const folder = join(tree, 'test', 'bench');
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'sample.bench.ts'),
      `export async function run() {
         return { name: 'Sample', rows: [{ path: 'short', 'per s': 12345.6 }, { path: 'longer', 'per s': 7.891 }], notes: ['a note'] };
       }`,
    );
    const json = join(scratch, 'figures.json');
    const result = await kernel(['bench', 'sample', '--json', json]);
    expect(result.code).toBe(0);
    expect(result.stdout).toBe(
      [
        '',
        'Sample',
        '',
        'path     per s',
        '------  ------',
        'short   12,346',
        'longer    7.89',
        '',
        '  a note',
        '',
      ].join('\n'),
    );
    const written = JSON.parse(await readFile(json, 'utf8')) as { machine: unknown; results: unknown[] };
    expect(written.results).toEqual([
      expect.objectContaining({
        rows: [
          { path: 'short', 'per s': 12345.6 },
          { path: 'longer', 'per s': 7.891 },
        ],
      }),
    ]);
    expect(written.machine).toMatchObject({ node: process.version, cores: expect.any(Number) });
    expect((await kernel(['bench', '--list'])).stdout).toBe('sample\n');
  });
});

async function whereIs(tool: string): Promise<string> {
  for (const folder of ['/usr/bin', '/bin', '/usr/local/bin']) {
    try {
      await access(join(folder, tool));
      return join(folder, tool);
    } catch {
      // The next one, then.
    }
  }
  throw new Error(`${tool} is not installed`);
}
