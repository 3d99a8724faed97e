// Sees to it that dependencies and dist/ are those of the sources, then hands over to the CLI (apps/cli).
import { enableCompileCache } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { prepare, PrepareError } from './prepare.mjs';

const root = join(import.meta.dirname, '..');
// Whatever is started by the name `node` from here on (npm and its scripts) is this Node.js, not the system's old one.
process.env.PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;

try {
  await prepare(root, (line) => process.stderr.write(`kernel: ${line}\n`));
} catch (error) {
  if (!(error instanceof PrepareError)) throw error;
  process.stderr.write(`kernel: ${error.message}\n`);
  process.exit(1);
}
// Half of the time of a short command is compiling the same libraries again.
enableCompileCache(join(root, '.build', 'compile-cache'));
await import(pathToFileURL(join(root, 'dist', 'apps', 'cli', 'main.js')).href);
