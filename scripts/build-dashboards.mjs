// Writes the dashboards of libs/dev/dashboards as JSON for Grafana into k8s/chart/files/dashboards. With --check it writes
// nothing, and fails when what is there is not what the sources say.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { build } from 'esbuild';
import * as prettier from 'prettier';

const root = join(import.meta.dirname, '..');
const target = join(root, 'k8s', 'chart', 'files', 'dashboards');

async function loadBoards() {
  await mkdir(join(root, '.build'), { recursive: true });
  const folder = await mkdtemp(join(root, '.build', 'dashboards-'));
  try {
    const outfile = join(folder, 'dashboards.cjs');
    await build({
      entryPoints: [join(root, 'libs', 'dev', 'dashboards', 'index.ts')],
      absWorkingDir: root,
      outfile,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      packages: 'external',
      logLevel: 'error',
    });
    return createRequire(import.meta.url)(outfile);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const { boards, grafanaJson } = await loadBoards();
const files = new Map();
for (const board of boards) {
  const file = join(target, `${board.name}.json`);
  const options = { ...(await prettier.resolveConfig(file)), parser: 'json' };
  files.set(`${board.name}.json`, await prettier.format(grafanaJson(board), options));
}

const found = await readdir(target).catch(() => []);
if (!process.argv.includes('--check')) {
  await mkdir(target, { recursive: true });
  for (const name of found) if (!files.has(name)) await rm(join(target, name));
  for (const [name, text] of files) await writeFile(join(target, name), text);
} else {
  const wrong = found.filter((name) => !files.has(name));
  for (const [name, text] of files) {
    if ((await readFile(join(target, name), 'utf8').catch(() => '')) !== text) wrong.push(name);
  }
  if (wrong.length > 0) {
    console.error(
      `k8s/chart/files/dashboards is not what libs/dev/dashboards says (${wrong.join(', ')}): run \`npm run build:dashboards\`.`,
    );
    process.exitCode = 1;
  }
}
