// Compiles apps/, libs/ and test/ with SWC into the given folder (`npm run check:types` checks types), bundles the admin
// UI, and copies what they read at run time: the result needs no sources beside it.
// scripts/prepare.mjs calls it; people use ./kernel or `npm run build`.
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { transform } from '@swc/core';
import { parse } from 'yaml';
import { buildAdminUi } from './build-admin-ui.mjs';
import { swcOptions } from './swc-options.cjs';

const root = join(import.meta.dirname, '..');
const [out] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node scripts/build.mjs FOLDER');
  process.exit(2);
}

/** Runs in browsers, and is bundled for them. */
const ADMIN_UI = join(root, 'apps', 'admin-ui');

/** Every .ts source below dir except tests, their fixtures and declarations. */
async function sources(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => e.isFile() && e.name.endsWith('.ts') && !/\.(spec|fixture|d)\.ts$/.test(e.name))
    .map((e) => join(e.parentPath, e.name))
    .filter((file) => !file.startsWith(ADMIN_UI));
}

async function compile(file) {
  const target = join(out, relative(root, file)).replace(/\.ts$/, '.js');
  const source = await readFile(file, 'utf8');
  const { code, map } = await transform(source, {
    ...swcOptions(file, source),
    filename: file,
    swcrc: false,
  });
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, `${code}\n//# sourceMappingURL=${basename(target)}.map\n`);
  if (map) await writeFile(`${target}.map`, map);
}

/**
 * SWC's message in the usual form of compilers, `file:line:column: what`, with the piece of source that it draws. Omits
 * the compiler's own stack, which follows.
 */
function complaint(file, error) {
  const text = String(error.message).split('\n\nCaused by:')[0].trimEnd();
  const what = /^\s*[x×]\s*(.+)$/m.exec(text)?.[1] ?? text;
  const line = /(?:,-|╭─)\[.*:(\d+):\d+\]/.exec(text)?.[1];
  if (line === undefined) return `${relative(root, file)}: ${what}`;
  // Its column is that of the beginning of the line; the marks below the source are in the right place.
  const marks = /^( *)[:·]( *)\^/m.exec(text);
  const column = marks === null ? '' : `:${marks[2].length}`;
  const source = text.split('\n').filter((row) => /^\s*(\d+ [|│]|[:·] )/.test(row));
  return [`${relative(root, file)}:${line}${column}: ${what}`, ...source].join('\n');
}

/** package.json of a build: what the work tree maps to dist/ is in the build itself. */
function manifestOf(manifest) {
  const within = (target) => {
    if (typeof target === 'string') return target.replace(/^\.\/dist\//, './');
    return Object.fromEntries(
      Object.entries(target)
        .filter(([condition]) => condition !== 'types')
        .map(([condition, inner]) => [condition, within(inner)]),
    );
  };
  const imports = Object.entries(manifest.imports).map(([name, target]) => [name, within(target)]);
  return {
    ...manifest,
    scripts: undefined,
    devDependencies: undefined,
    imports: Object.fromEntries(imports),
  };
}

// Beside SWC's: both have threads of their own.
const adminUi = buildAdminUi(join(out, 'admin-ui')).then(
  () => null,
  (error) => error,
);
const files = (await Promise.all(['apps', 'libs', 'test'].map((d) => sources(join(root, d))))).flat();
const results = await Promise.allSettled(files.map(compile));
const complaints = results.flatMap((result, n) =>
  result.status === 'rejected' ? [complaint(files[n], result.reason)] : [],
);
const adminUiError = await adminUi;
if (adminUiError !== null) complaints.push(`apps/admin-ui: ${adminUiError.message}`);
if (complaints.length > 0) {
  console.error(complaints.join('\n\n'));
  process.exit(1);
}
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
await writeFile(join(out, 'package.json'), `${JSON.stringify(manifestOf(manifest), null, 2)}\n`);
// The contracts that servers load, the verifier that `audit verify` runs, and the script that detects changed sources.
for (const name of ['openapi', 'tools', 'scripts/builds.mjs']) {
  await cp(join(root, name), join(out, name), { recursive: true });
}
// The kernel reads its contract as JSON: reading the YAML took a tenth of its start.
const contract = parse(await readFile(join(root, 'openapi', 'kernel.yaml'), 'utf8'));
await writeFile(join(out, 'openapi', 'kernel.json'), `${JSON.stringify(contract)}\n`);
