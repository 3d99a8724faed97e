// Builds apps/admin-ui into the given folder: hashed files, index.html with their digests (Subresource Integrity), and
// bundle.json, which lists every file with its SHA-256; the digest of bundle.json names the bundle
// (docs/adr/0183). scripts/build.mjs calls it. What it made of the same sources before is taken from a cache.
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { existsSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { digestOfFiles } from './builds.mjs';

const root = join(import.meta.dirname, '..');
const SOURCES = join(root, 'apps', 'admin-ui');
/** Beside the packages, which it depends on as much: where they are replaced, it is gone. */
const CACHE = join(root, 'node_modules', '.cache', 'admin-ui');
/** What the bundle is made of. The packages stand in the lock file. */
const INPUTS = [
  'apps/admin-ui',
  'libs/evidence',
  'package-lock.json',
  'scripts/build-admin-ui.mjs',
  'tsconfig.json',
];
/** Bundles kept in the cache. */
const KEPT = 4;
/** Browsers with import of modules, `:focus-visible`, `structuredClone` and Ed25519 to come: two years and younger. */
const TARGET = ['chrome120', 'firefox124', 'safari17.4'];
/** Beyond it the first page is too slow on a phone; test/admin-ui holds the sum. */
const CHUNK_WARNING_KB = 900;

/** @param out folder that the bundle gets; made */
export async function buildAdminUi(out) {
  const cached = join(CACHE, inputDigest());
  if (!existsSync(join(cached, 'bundle.json'))) {
    const made = join(CACHE, `making.${process.pid}`);
    try {
      await bundle(made);
      // Another work tree with the same packages may have been faster.
      await rename(made, cached).catch((error) => {
        if (!existsSync(join(cached, 'bundle.json'))) throw error;
      });
    } finally {
      await rm(made, { recursive: true, force: true });
    }
    await removeOld(cached);
  }
  await cp(cached, out, { recursive: true });
}

function inputDigest() {
  return digestOfFiles(root, INPUTS, /\.(spec|fixture)\.tsx?$/, `${process.version}\n`).slice(0, 32);
}

async function removeOld(newest) {
  const entries = (await readdir(CACHE)).map((name) => join(CACHE, name)).filter((path) => path !== newest);
  const byAge = entries.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const old of byAge.slice(KEPT - 1)) await rm(old, { recursive: true, force: true });
}

/** The bundle of the sources as they are, past the cache. The same sources make the same files, wherever and by whomever. */
export async function bundle(out) {
  // Written, not read: Vite and React's packages take it from here whatever the mode says, and a test that builds has its own.
  process.env.NODE_ENV = 'production';
  const { build } = await import('vite');
  await mkdir(out, { recursive: true });
  await build({
    root: SOURCES,
    configFile: false,
    envDir: false,
    logLevel: 'warn',
    mode: 'production',
    // index.html's own place: every path of the UI gets the same page.
    base: '/',
    plugins: [checkLazyFiles()],
    resolve: {
      alias: [
        { find: /^#evidence$/, replacement: join(root, 'libs', 'evidence', 'index.ts') },
        {
          find: /^#evidence-crypto$/,
          replacement: join(root, 'libs', 'evidence', 'crypto', 'browser-crypto.ts'),
        },
      ],
    },
    build: {
      outDir: out,
      emptyOutDir: true,
      target: TARGET,
      // A data: URL has no digest to check and no cache.
      assetsInlineLimit: 0,
      // One sheet: none is loaded by a script later, so each has its digest in the page.
      cssCodeSplit: false,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: CHUNK_WARNING_KB,
      reportCompressedSize: false,
      rolldownOptions: {
        // Nothing of it acts by being imported: a screen gets what it uses of the library, not what any screen uses.
        treeshake: { moduleSideEffects: [{ test: /[\\/]libs[\\/]evidence[\\/]/, sideEffects: false }] },
        onLog: (level, log, handle) => {
          // A mark for frameworks that render on a server, in every file of some packages.
          if (log.code !== 'MODULE_LEVEL_DIRECTIVE') handle(level, log);
        },
      },
      // The licenses of what is within; goes with the files.
      license: { fileName: 'licenses.md' },
    },
  });
  await addDigests(out);
}

/**
 * Scripts that are loaded later are checked too: Vite's loader announces each by <link rel=modulepreload>, which gets the
 * digest that the page knows for it. A script whose digest is another is not run.
 */
function checkLazyFiles() {
  const after = 'link.href = dep.href;';
  return {
    name: 'check-lazy-files',
    transform(code, id) {
      if (!id.includes('vite/preload-helper')) return undefined;
      if (!code.includes(after)) throw new Error("Vite's loader has changed; digests cannot be added to it");
      const digest =
        "const known = JSON.parse(document.querySelector('meta[name=integrity]').content)[dep.pathname];" +
        'if (known === undefined) throw new Error(`${dep.pathname} has no digest`);' +
        'link.integrity = known;';
      return { code: code.replace(after, `${after}${digest}`), map: null };
    },
  };
}

const sha384 = (bytes) => `sha384-${createHash('sha384').update(bytes).digest('base64')}`;

async function addDigests(out) {
  const paths = (await readdir(out, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(out, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
  const scripts = paths.filter((path) => path.endsWith('.js'));
  const digests = {};
  for (const path of scripts) digests[`/${path}`] = sha384(await readFile(join(out, path)));

  const file = join(out, 'index.html');
  let html = await readFile(file, 'utf8');
  const tags = html.match(/<(script|link)\b[^>]*\b(src|href)="\/[^"]*"[^>]*>/g) ?? [];
  for (const tag of tags) {
    const [, path] = /\b(?:src|href)="\/([^"]*)"/.exec(tag);
    if (!/rel="(stylesheet|modulepreload)"|^<script/.test(tag)) continue;
    const integrity = sha384(await readFile(join(out, path)));
    html = html.replace(tag, tag.replace(/\s*\/?>$/, ` integrity="${integrity}">`));
  }
  if (/<script(?![^>]*\bintegrity=)/.test(html)) throw new Error('index.html has a script without a digest');
  const known = JSON.stringify(digests).replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  html = html.replace('</title>', `</title>\n    <meta name="integrity" content="${known}">`);
  await writeFile(file, html);

  const files = [];
  for (const path of paths) {
    const bytes = await readFile(join(out, path));
    files.push({ path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  }
  await writeFile(join(out, 'bundle.json'), `${JSON.stringify({ v: 1, files }, null, 2)}\n`);
}
