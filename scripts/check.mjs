// Runs every check:* script of package.json side by side, shows what each failing one printed, and tells the seconds of
// each. They keep caches in .build/check; with CI=true they start without, since a lint rule that reads types can miss
// what a change in another file did.
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
// In the order of package.json: the longest first.
const waiting = Object.keys(scripts).filter((name) => name.startsWith('check:'));
const failed = [];

if (['1', 'true'].includes(process.env.CI)) {
  rmSync(join(root, '.build', 'check'), { recursive: true, force: true });
}

/** Runs a script of package.json; resolves with its exit status and everything it printed. */
function run(name) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', name], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${error.message}\n`));
      resolve({ code: 1, output: Buffer.concat(chunks) });
    });
    child.on('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks) }));
  });
}

async function worker() {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const from = performance.now();
    const { code, output } = await run(name);
    const seconds = ((performance.now() - from) / 1_000).toFixed(1);
    process.stdout.write(`${name.padEnd(20)} ${seconds.padStart(6)} s  ${code === 0 ? 'ok' : 'FAILED'}\n`);
    if (code !== 0) {
      failed.push(name);
      process.stdout.write(output);
    } else {
      // What a part could not look at, and why: it must not pass for looked at.
      for (const line of output.toString('utf8').split('\n')) {
        if (line.startsWith('left out: ')) process.stdout.write(`  ${line}\n`);
      }
    }
  }
}

// At least two: even on one core, one part reads files while another computes.
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
if (failed.length > 0) {
  process.stdout.write(`failed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
