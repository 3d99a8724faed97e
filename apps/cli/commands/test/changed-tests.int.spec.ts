import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { workTree } from '#dev/devstack';

/** A work tree with two apps over two rooms, and tests of each reach. */
const FILES: Readonly<Record<string, string>> = {
  'package.json': JSON.stringify({
    imports: {
      '#evidence': { types: './libs/evidence/index.ts' },
      '#platform/*': { types: './libs/platform/*/index.ts' },
      '#dev/*': { types: './libs/dev/*/index.ts' },
    },
  }),
  'README.md': '# readme\n',
  'openapi/kernel.yaml': 'openapi: 3.1.0\n',
  'docs/notes.md': 'notes\n',
  'docs/spec/vectors/keys.json': '{}',
  'compose.yaml': 'services: {}\n',
  'libs/evidence/index.ts': `export { key } from './keys/key';`,
  'libs/evidence/keys/key.ts': 'export const key = 1;',
  'libs/evidence/keys/key.unit.spec.ts': `import { key } from './key';\nread('../docs/spec/vectors', key);`,
  'libs/platform/store/index.ts': `// README.md says how\nimport { key } from '#evidence';\nexport const store = key;`,
  'libs/platform/store/store.int.spec.ts': `import { store } from './index';\nit('stores', () => store);`,
  'libs/platform/stream/index.ts': 'export const stream = 1;',
  'libs/dev/testing/index.ts': 'export function withStack() {}',
  'apps/kernel/main.ts': `import { store } from '#platform/store';\nload('openapi/kernel.yaml', store);`,
  'apps/signing-proxy/main.ts': `import '#evidence';`,
  'apps/indexer/main.ts': `import { stream } from '#platform/stream';\nstream;`,
  'test/contract/sign.e2e.spec.ts': `import { withStack } from '#dev/testing';\nconst stack = withStack();`,
  'test/pipeline/index.e2e.spec.ts': `import { withStack } from '#dev/testing';\nwithStack({ workers: ['indexer'] });`,
  'test/launcher/up.e2e.spec.ts': `import { Launcher } from './launcher.driver';\nLauncher.run('README.md');`,
  'test/launcher/launcher.driver.ts': 'export const Launcher = { run: (_: string) => 0 };',
};
const KEY = 'libs/evidence/keys/key.unit.spec.ts';
const STORE = 'libs/platform/store/store.int.spec.ts';
const SIGN = 'test/contract/sign.e2e.spec.ts';
const INDEX = 'test/pipeline/index.e2e.spec.ts';
const UP = 'test/launcher/up.e2e.spec.ts';

describe('tests that a change can reach', () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'kernel-test-changed-'));
    for (const [file, text] of Object.entries(FILES)) write(file, text);
    git('init', '--quiet', '--initial-branch=main');
    commit('first');
  });
  afterEach(() => {
    git('reset', '--quiet', '--hard');
    git('clean', '--quiet', '--force', '-d');
    git('switch', '--quiet', 'main');
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  function git(...args: string[]): void {
    execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@example.test', ...args], {
      stdio: 'pipe',
    });
  }

  function commit(message: string): void {
    git('add', '--all');
    git('commit', '--quiet', '--message', message);
  }

  function reached(...revision: string[]): string[] {
    const script = join(workTree(), 'scripts', 'changed-tests.mjs');
    const stdout = execFileSync(process.execPath, [script, root, ...revision], { stdio: 'pipe' });
    return JSON.parse(stdout.toString()) as string[];
  }

  it.each<[changed: string, tests: string[]]>([
    ['libs/evidence/keys/key.ts', [KEY, STORE, SIGN, UP, INDEX]],
    ['libs/platform/store/index.ts', [STORE, SIGN, UP, INDEX]],
    ['libs/platform/store/store.int.spec.ts', [STORE]],
    ['libs/platform/stream/index.ts', [UP, INDEX]],
    ['libs/dev/testing/index.ts', [SIGN, INDEX]],
    ['apps/indexer/main.ts', [UP, INDEX]],
    ['apps/kernel/main.ts', [SIGN, UP, INDEX]],
    ['openapi/kernel.yaml', [SIGN, UP, INDEX]],
    ['docs/spec/vectors/keys.json', [KEY]],
    // Named by a test, and by a comment, which does not count.
    ['README.md', [UP]],
    ['docs/notes.md', []],
    // What every test depends on, and a file of which nothing is known.
    ['package.json', [KEY, STORE, SIGN, UP, INDEX]],
    ['compose.yaml', [KEY, STORE, SIGN, UP, INDEX]],
  ])('finds those of %s', (changed, tests) => {
    write(changed, `${FILES[changed]}\n`);
    expect(reached()).toEqual(tests);
  });

  it('counts from where the branch left main, with what is not committed and what is new', () => {
    git('switch', '--quiet', '--create', 'branch');
    write('apps/indexer/main.ts', 'export {};');
    commit('on the branch');
    write('libs/platform/store/store.int.spec.ts', '// other');
    write('libs/evidence/new.unit.spec.ts', 'it.todo("is new");');
    expect(reached()).toEqual(['libs/evidence/new.unit.spec.ts', STORE, UP, INDEX]);
    expect(reached('HEAD')).toEqual(['libs/evidence/new.unit.spec.ts', STORE]);
    commit('all of it');
    expect(reached('HEAD')).toEqual([]);
  });

  it('says why, and refuses a revision that there is not', () => {
    write('apps/indexer/main.ts', 'export {};');
    const script = join(workTree(), 'scripts', 'changed-tests.mjs');
    const told = execFileSync('/bin/sh', [
      '-c',
      '"$0" "$1" "$2" 2>&1 >/dev/null',
      process.execPath,
      script,
      root,
    ]);
    expect(told.toString()).toMatch(
      /^1 files differ from main \([0-9a-f]{12}\); they reach 2 of 5 test files\n/,
    );
    expect(told.toString()).toContain(
      `  ${INDEX}: it starts indexer, which imports or reads apps/indexer/main.ts\n`,
    );
    expect(() => reached('no-such-revision')).toThrow('there is no revision no-such-revision');
  });
});
