import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const VERIFIER = fileURLToPath(new URL('../../tools/audit-verify.js', import.meta.url));

/**
 * Runs the committed verifier, which knows nothing but public keys.
 * @returns {Promise<{ code: number, said: string }>} its exit status, and what it said, in one line
 */
export function verifyOffline(args, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VERIFIER, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const said = Buffer.concat(chunks)
        .toString('utf8')
        .trim()
        .replaceAll(/\s*\n\s*/g, '; ');
      resolve({ code: code ?? 1, said });
    });
  });
}
