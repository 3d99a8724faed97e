// Checks format and lint of the files staged for a commit, as they are in the work tree. Runs on Node.js 20 too,
// which may be the one that git finds.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const staged = execFileSync('git', ['diff', '--cached', '--name-only', '--diff-filter=d', '-z'], {
  cwd: root,
})
  .toString()
  .split('\0')
  .filter((file) => file !== '');

/** Runs a tool of node_modules on files; returns whether it succeeded. */
function passes(tool, args, files) {
  if (files.length === 0) return true;
  const program = join(root, 'node_modules', ...tool);
  return (
    spawnSync(process.execPath, [program, ...args, ...files], { cwd: root, stdio: 'inherit' }).status === 0
  );
}

if (!existsSync(join(root, 'node_modules', 'eslint'))) {
  process.stderr.write('the packages are not installed: run npm ci, or commit with --no-verify\n');
  process.exit(1);
}
const results = [
  passes(['prettier', 'bin', 'prettier.cjs'], ['--check', '--ignore-unknown', '--log-level', 'warn'], staged),
  passes(
    ['eslint', 'bin', 'eslint.js'],
    ['--max-warnings', '0', '--no-warn-ignored'],
    staged.filter((file) => /\.(tsx?|mjs|cjs|js)$/.test(file)),
  ),
];
if (results.includes(false)) process.exitCode = 1;
