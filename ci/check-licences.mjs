// Holds the licences of all packages in a package-lock.json to the list in licences.json beside this file. What only builds and tests
// is not handed on, so more is allowed there.
//   node ci/check-licences.mjs [FOLDER of the package-lock.json and node_modules]
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'));
const read = (...path) => JSON.parse(readFileSync(join(...path), 'utf8'));
const { allowed, allowedForDevelopment, named } = read(import.meta.dirname, 'licences.json');

/** An SPDX expression, or undefined. Old packages have a list of licences, of which one may choose. */
function licenceOf(path, { license }) {
  if (license !== undefined) return license;
  const file = join(root, path, 'package.json');
  if (!existsSync(file)) return undefined;
  const { license: own, licenses } = read(file);
  if (typeof own === 'string') return own;
  return Array.isArray(licenses) ? licenses.map(({ type }) => type).join(' OR ') : own?.type;
}

/** Whether one may take it: any side of an OR, both sides of an AND (SPDX 2.3, annex D; no expression here nests deeper). */
function isAllowed(expression, list) {
  return expression
    .replaceAll(/[()]/g, '')
    .split(' OR ')
    .some((side) => side.split(' AND ').every((licence) => list.includes(licence.trim())));
}

const { packages } = read(root, 'package-lock.json');
const unused = new Set(Object.keys(named));
const counts = new Map();
const refused = [];
for (const [path, entry] of Object.entries(packages)) {
  if (path === '' || entry.link) continue;
  const name = `${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${entry.version}`;
  const licence = licenceOf(path, entry) ?? named[name]?.licence;
  if (entry.license === undefined && named[name]) unused.delete(name);
  const list = entry.dev ? [...allowed, ...allowedForDevelopment] : allowed;
  if (licence === undefined)
    refused.push(`${name} does not say its licence; read it, and name it in ci/licences.json`);
  else if (!isAllowed(licence, list)) {
    refused.push(
      `${name} is under ${licence}, which is not allowed ${entry.dev ? 'at all' : 'for what is handed on'}`,
    );
  } else counts.set(licence, (counts.get(licence) ?? 0) + 1);
}
for (const name of unused)
  refused.push(`ci/licences.json names ${name}, which is not installed any more; remove it`);

for (const [licence, count] of [...counts].sort(([, a], [, b]) => b - a))
  console.log(`${String(count).padStart(5)}  ${licence}`);
for (const line of refused) console.error(line);
if (refused.length > 0) process.exitCode = 1;
