// Runs a program on this Node.js and keeps its output in a file. Bare Node.js only.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';

/** An error whose message is meant for a person who typed a command: it is shown without a stack. */
export class PrepareError extends Error {}

/**
 * @param options.log where its output goes
 * @param options.failed what to say when it fails, before the end of its output
 * @throws PrepareError when it fails
 */
export async function runLogged(root, command, args, { log, failed, env = {}, lines = 15 }) {
  // npm starts `node` by name: this one comes first, so that engines and native parts fit the Node.js that runs them.
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
  const child = spawn(command, args, {
    cwd: root,
    env: { ...process.env, PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  // An interrupt is passed on to the program; the next call must not find an npm that is still running.
  let interrupted;
  const interrupt = (signal) => {
    interrupted = signal;
    child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, interrupt);
  const code = await new Promise((resolve) => {
    child.on('error', (error) => {
      chunks.push(Buffer.from(`${command}: ${error.message}\n`));
      resolve(1);
    });
    child.on('close', (status, signal) => resolve(status ?? signal));
  });
  for (const signal of signals) process.off(signal, interrupt);
  if (interrupted !== undefined) process.exit(128 + constants.signals[interrupted]);
  const output = Buffer.concat(chunks).toString();
  writeFileSync(log, output);
  if (code !== 0) {
    const last = output.trimEnd().split('\n').slice(-lines).join('\n');
    throw new PrepareError(`${failed} (${log}):\n${last}`);
  }
}
