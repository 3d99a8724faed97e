import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { compileCache, programFolder, workTree } from '#dev/devstack';
import { type UpOptions, type UpReporter, type UpSummary } from './run-stack';
import { serversToUse } from './servers';
import { CliError } from '../../cli.error';

type Message = { say: string } | { ready: UpSummary } | { failed: string };

/**
 * Starts a supervisor that stays when this process ends, in a session of its own: neither Ctrl-C nor the end of the
 * terminal reaches it. Settles when the kernel is ready.
 */
export async function runDetached(options: UpOptions, say: (line: string) => void): Promise<UpSummary> {
  const args = ['up', '--supervisor', '--state', options.state];
  if (options.portBase !== undefined) args.push('--port-base', String(options.portBase));
  if (options.signer !== undefined) args.push('--signer', options.signer);
  if (options.shards !== undefined) args.push('--shards', String(options.shards));
  if (options.stream !== undefined) args.push('--stream', options.stream);
  if (options.archive !== undefined) args.push('--archive', options.archive);
  // The program of this build, whatever is built in the meantime.
  const program = join(programFolder(), 'apps', 'cli', 'main.js');
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // Not the caller's folder, which may be deleted while the kernel runs.
    cwd: workTree(),
    // A process that may run for weeks takes nothing else from this shell.
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', ...compileCache(), ...serversToUse(options) },
  });
  const interrupt = () => child.kill('SIGTERM');
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await new Promise<UpSummary>((resolve, reject) => {
      child.on('message', (message: Message) => {
        if ('say' in message) say(message.say);
        else if ('ready' in message) resolve(message.ready);
        else reject(new CliError('failed', message.failed));
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        reject(
          new CliError('failed', `The supervisor ended before the kernel was ready (${signal ?? code}).`),
        );
      });
    });
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** The other end: reports from the supervisor to the process that started it, as long as that one listens. */
export function reportToParent(): UpReporter & { failed(message: string): Promise<void> } {
  const tell = (message: Message): Promise<void> =>
    new Promise((resolve) => {
      if (process.send === undefined || !process.connected) resolve();
      else process.send(message, undefined, undefined, () => resolve());
    });
  process.on('disconnect', () => undefined);
  return {
    say: (line) => void tell({ say: line }),
    ready: (summary) => void tell({ ready: summary }),
    failed: (message) => tell({ failed: message }),
  };
}
