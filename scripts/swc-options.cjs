const { readFileSync } = require('node:fs');
const { basename, join } = require('node:path');

const CONFIGURED = JSON.parse(readFileSync(join(__dirname, '..', '.swcrc'), 'utf8'));

/**
 * Options of SWC for a source, for the build and for Jest: .swcrc, which loads another room or a package when something
 * of it is first used. The door of a room, index.ts, so loads its files too: who needs one thing of a room does not wait
 * for all of it, and for the packages behind it.
 */
function swcOptions(file, source) {
  if (basename(file) !== 'index.ts') return CONFIGURED;
  const behind = [...source.matchAll(/^(?:export|import|\}) .*?from '([^']+)';$/gm)].map(([, from]) => from);
  return { ...CONFIGURED, module: { ...CONFIGURED.module, lazy: [...new Set(behind)] } };
}

module.exports = { swcOptions };
