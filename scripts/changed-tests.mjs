// Says which test files a change can reach: `node scripts/changed-tests.mjs ROOT [REVISION]` prints them as a JSON array,
// and on stderr why each was chosen. A file that is chosen needlessly costs seconds, one that is left out costs a
// defect, so in doubt a test is chosen:
// - a test reaches what it imports, directly or indirectly;
// - a test that starts processes reaches what the started apps import; the apps are read from the text of the test and
//   of what it imports outside libs/, and where the text names none, every app;
// - a file of the admin UI reaches the tests that look at its pages in a browser;
// - a file that is no module (a contract, a runbook, a test vector) stands for the modules whose text names it or its folder;
// - a change to what every test runs on (dependencies, compiler, launcher) reaches every test.
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

const [root, asked] = process.argv.slice(2);

/** Files that every test depends on. */
const EVERYTHING = [
  /^(package\.json|package-lock\.json|\.npmrc|\.nvmrc|\.swcrc|jest\.config\.cjs|kernel)$/,
  /^scripts\/(jest\/|(build|prepare|launcher)\.mjs$|swc-options\.cjs$)/,
];
/** Files that no program reads, and no test unless its text names them. */
const SILENT = [
  /\.md$/,
  /^(\.vscode|\.devcontainer|\.githooks)\//,
  /\.types\.ts$/,
  /^(LICENSE|\.editorconfig|\.gitattributes|\.gitignore|\.prettierignore|\.prettierrc\.json|eslint\.config\.mjs|\.dependency-cruiser\.cjs|tsconfig\.json)$/,
];
const ADMIN_UI = /^apps\/admin-ui\/(?!.*\.spec\.ts$)/;
const LOOKS_AT_PAGES = /\b(PeopleAtBrowsers\.start|BrowserPage\.open|FirefoxPage\.open)\(/;
const SPEC = /\.(unit|int|e2e)\.spec\.ts$/;
const TEST = /\.(spec|fixture)\.ts$|^test\//;
const STARTS_STACK = /\b(withStack|startStack)\(/;
const STARTS_PROCESS =
  /\b(spawn|execFile|fork|startChild|SupervisedService)\(|launcher\.driver|dist\/apps|'dist', 'apps'/;

function git(...args) {
  return execFileSync('git', ['-C', root, ...args], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** Exits with git's message, in one line. */
function fail(message) {
  process.stderr.write(`${message.trim().split('\n')[0]}\n`);
  process.exit(1);
}

function tryGit(...args) {
  try {
    return git(...args);
  } catch {
    return undefined;
  }
}

/** The commit at which the branch left main; on main itself, and without a main, the last commit. */
function base() {
  if (asked !== undefined) {
    const commit = tryGit('rev-parse', '--verify', '--quiet', `${asked}^{commit}`);
    if (commit !== undefined) return { commit, name: asked };
    fail(`there is no revision ${asked}`);
  }
  for (const main of ['main', 'origin/main']) {
    const commit = tryGit('merge-base', 'HEAD', main);
    if (commit !== undefined) return { commit, name: `${main} (${commit.slice(0, 12)})` };
  }
  try {
    return { commit: git('rev-parse', 'HEAD'), name: 'the last commit' };
  } catch (error) {
    return fail(error.stderr || error.message);
  }
}

const since = base();
const lines = (text) => text.split('\0').filter((line) => line !== '');
const changed = [
  ...new Set([
    // Both names of a moved file.
    ...lines(git('diff', '--name-only', '--no-renames', '-z', since.commit, '--')),
    ...lines(git('ls-files', '--others', '--exclude-standard', '-z')),
  ]),
].sort();

const sources = globSync('{apps,libs,test}/**/*.ts', { cwd: root }).map((file) => file.replaceAll('\\', '/'));
const known = new Set(sources);
const texts = new Map(sources.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
/** Removes comments, so that names in them do not count. */
const uncommented = new Map(
  [...texts].map(([file, text]) => [file, text.replaceAll(/^\s*(\/\/|\/?\*).*$/gm, '')]),
);

/** `#platform/*` -> `libs/platform/*\/index.ts`, as package.json has it for the sources. */
const aliases = Object.entries(
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).imports ?? {},
).flatMap(([name, to]) =>
  typeof to?.types === 'string' ? [[name.split('*'), posix.normalize(to.types)]] : [],
);

/** The module of this repository that an import names, if it is one. */
function resolved(from, specifier) {
  if (specifier.startsWith('.')) {
    const inside = posix.join(posix.dirname(from), specifier);
    return [inside, `${inside}.ts`, `${inside}/index.ts`].find((file) => known.has(file));
  }
  for (const [[before, after], target] of aliases) {
    if (
      after === undefined ? specifier === before : specifier.startsWith(before) && specifier.endsWith(after)
    ) {
      const file = target.replaceAll(
        '*',
        specifier.slice(before.length, specifier.length - (after ?? '').length),
      );
      if (known.has(file)) return file;
    }
  }
  return undefined;
}

const imports = new Map(
  sources.map((file) => [
    file,
    ts
      .preProcessFile(texts.get(file), true, true)
      .importedFiles.map(({ fileName }) => resolved(file, fileName))
      .filter((to) => to !== undefined),
  ]),
);

/** A module with everything that it imports. */
const closures = new Map();
function closure(file) {
  let found = closures.get(file);
  if (found === undefined) {
    found = new Set([file]);
    for (const one of found) for (const to of imports.get(one) ?? []) found.add(to);
    closures.set(file, found);
  }
  return found;
}

const apps = [
  ...new Set(sources.filter((file) => file.startsWith('apps/')).map((file) => file.split('/')[1])),
];
const reachOfApp = new Map(
  apps.map((app) => {
    const programs = sources.filter((file) => file === `apps/${app}/main.ts`);
    return [app, new Set(programs.flatMap((file) => [...closure(file)]))];
  }),
);

/** The apps that a test starts as processes. */
function startedBy(spec) {
  if (spec.endsWith('.unit.spec.ts')) return [];
  // A test in libs/ that starts processes does so itself.
  const text = [...closure(spec)]
    .filter((file) => file === spec || !file.startsWith('libs/'))
    .map((file) => uncommented.get(file))
    .join('\n');
  const stack = STARTS_STACK.test(text);
  if (!stack && !STARTS_PROCESS.test(text) && !spec.endsWith('.e2e.spec.ts')) return [];
  // The launcher's arguments, known only at run time, say what it starts.
  if (text.includes('launcher.driver') || spec.startsWith('test/launcher/')) return apps;
  const named = apps.filter((app) => new RegExp(`['"/]${app}(['"/.]|$)`, 'm').test(text));
  if (stack) named.push('kernel', 'signing-proxy');
  return named.length === 0 ? apps : [...new Set(named)];
}

/** Whether a text names a file by its name, or a folder that contains it by its path. */
function names(text, file) {
  if (text.includes(posix.basename(file))) return true;
  if (isSilent(file)) return false;
  for (let folder = posix.dirname(file); folder.includes('/'); folder = posix.dirname(folder)) {
    if (text.includes(folder) || text.includes(`'${folder.split('/').join("', '")}'`)) return true;
  }
  return false;
}

function isSilent(file) {
  return SILENT.some((pattern) => pattern.test(file));
}

const everything = changed.find((file) => EVERYTHING.some((pattern) => pattern.test(file)));
/** A changed module -> the changed file that it stands for. */
const touched = new Map();
let unknown;
for (const file of changed) {
  if (ADMIN_UI.test(file)) {
    for (const one of sources.filter((source) => SPEC.test(source))) {
      if (LOOKS_AT_PAGES.test(uncommented.get(one))) touched.set(one, file);
    }
  }
  if (known.has(file)) {
    touched.set(file, file);
  } else if (!/^(apps|libs|test)\/.*\.ts$/.test(file)) {
    const readers = sources.filter(
      (source) => (!isSilent(file) || TEST.test(source)) && names(uncommented.get(source), file),
    );
    for (const source of readers) touched.set(source, file);
    if (readers.length === 0 && !isSilent(file)) unknown ??= file;
  }
  // Modules that imported a removed module have changed too.
}

const chosen = [];
for (const spec of sources.filter((file) => SPEC.test(file)).sort()) {
  const why = reasonFor(spec);
  if (why !== undefined) chosen.push([spec, why]);
}

function reasonFor(spec) {
  if (everything !== undefined) return `${everything} reaches every test`;
  if (unknown !== undefined) return `nothing says which tests ${unknown} reaches`;
  const hit = (files) => [...touched].find(([module]) => files.has(module))?.[1];
  const imported = hit(closure(spec));
  if (imported !== undefined) return imported === spec ? 'it has changed' : `it imports or reads ${imported}`;
  for (const app of startedBy(spec)) {
    const inside = hit(reachOfApp.get(app));
    if (inside !== undefined) return `it starts ${app}, which imports or reads ${inside}`;
  }
  return undefined;
}

const total = sources.filter((file) => SPEC.test(file)).length;
process.stderr.write(
  `${changed.length} files differ from ${since.name}; they reach ${chosen.length} of ${total} test files\n`,
);
for (const [spec, why] of chosen) process.stderr.write(`  ${spec}: ${why}\n`);
process.stdout.write(`${JSON.stringify(chosen.map(([spec]) => spec))}\n`);
