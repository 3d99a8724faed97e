// Writes the table of rooms in docs/architecture.md from the first sentence at each room's door: the doc comment at the
// top of apps/<app>/main.ts and of a library's index.ts. With --check it writes nothing and fails when the page differs.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as prettier from 'prettier';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'architecture.md');
const BEGIN = '<!-- rooms: written by `npm run docs` from the first sentence at each door -->';
const END = '<!-- end of rooms -->';

/** Floors from the top: each may import from those below it, and from none above. */
const FLOORS = [
  { folder: 'apps', door: 'main.ts', title: 'apps: one process each, wiring only' },
  { folder: 'libs/modules', door: 'index.ts', title: 'libs/modules: bounded modules, none imports another' },
  { folder: 'libs/platform', door: 'index.ts', title: 'libs/platform: technical rooms' },
  { folder: 'libs', door: 'index.ts', only: 'evidence', title: 'libs/evidence: the ground, imports nothing' },
  { folder: 'libs/dev', door: 'index.ts', title: 'libs/dev: development and tests, in no production image' },
];

const missing = [];
const lines = [];
for (const { folder, door, only, title } of FLOORS) {
  lines.push(`| **${title}** | |`);
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const rooms = entries.filter((entry) => entry.isDirectory() && (only ?? entry.name) === entry.name);
  for (const { name } of rooms.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = `${folder}/${name}/${door}`;
    const sentence = firstSentence(await readFile(join(root, file), 'utf8').catch(() => ''));
    if (sentence === undefined) missing.push(file);
    lines.push(`| \`${folder}/${name}\` | ${sentence?.replaceAll('|', '\\|')} |`);
  }
}
if (missing.length > 0) {
  console.error(`${missing.join(', ')}: begin the file with a doc comment that says what the room is for.`);
  process.exit(1);
}

const text = await readFile(page, 'utf8');
const [before, rest] = text.split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`docs/architecture.md lacks the lines ${BEGIN} and ${END}`);
const written = await prettier.format(
  [`${before}${BEGIN}`, '', '| room | its one job |', '| --- | --- |', ...lines, '', `${END}${after}`].join(
    '\n',
  ),
  { ...(await prettier.resolveConfig(page)), parser: 'markdown' },
);
if (!process.argv.includes('--check')) await writeFile(page, written);
else if (text !== written) {
  console.error(
    'docs/architecture.md does not list the rooms that there are; run `npm run docs` and commit the page.',
  );
  process.exitCode = 1;
}

/** The first sentence of the doc comment that a file begins with. */
function firstSentence(source) {
  const comment = /^(?:#!.*\n)?\/\*\*([\s\S]*?)\*\//.exec(source)?.[1];
  const prose = comment
    ?.replaceAll(/\n\s*\*/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (prose === undefined || prose === '') return undefined;
  return /^.*?[.](?=\s|$)/.exec(prose)?.[0] ?? prose;
}
