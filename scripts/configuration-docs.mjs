// Writes docs/configuration.md from the configuration that each app declares in apps/<app>/<app>.config.ts.
// With --check it writes nothing and fails when the page is not what it would write.
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import * as prettier from 'prettier';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'configuration.md');

/** Compiles a TypeScript file of this repository, with what it imports from here, and loads it. */
async function load(file, folder) {
  const outfile = join(folder, `${file.replaceAll(/[/.]/g, '-')}.cjs`);
  await build({
    entryPoints: [join(root, file)],
    absWorkingDir: root,
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    packages: 'external',
    // package.json maps #platform/* and the other floors to the sources under this condition.
    conditions: ['types'],
    logLevel: 'error',
  });
  return createRequire(import.meta.url)(outfile);
}

async function definitions(folder) {
  const apps = new Map();
  for (const app of (await readdir(join(root, 'apps'))).sort()) {
    const file = `apps/${app}/${app}.config.ts`;
    const exists = await access(join(root, file)).then(
      () => true,
      () => false,
    );
    if (!exists) continue;
    const exported = Object.values(await load(file, folder));
    const definition = exported.find(
      (value) => typeof value === 'object' && value !== null && 'members' in value,
    );
    if (definition === undefined) throw new Error(`${file} exports no definition made by defineConfig`);
    apps.set(app, definition);
  }
  return apps;
}

// Inside the repository, so that packages are resolved from there.
const folder = await mkdtemp(join(root, 'node_modules', '.configuration-docs-'));
try {
  const { configurationPage } = await load('libs/platform/process/config/configuration-page.ts', folder);
  const text = await prettier.format(configurationPage(await definitions(folder)), {
    ...(await prettier.resolveConfig(page)),
    parser: 'markdown',
  });
  if (!process.argv.includes('--check')) await writeFile(page, text);
  else if ((await readFile(page, 'utf8').catch(() => '')) !== text) {
    console.error(
      'docs/configuration.md is not what the apps declare; run `npm run docs` and commit the page.',
    );
    process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
