import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type BoundedLog } from './bounded-log';
import { guardProcess, releaseProcess } from './orphan-guard';
import { identityOf, type ProcessIdentity } from './process-identity';
import { DevstackError } from '../devstack.error';

export interface ChildOptions {
  /** Path of the program and its arguments; no shell is involved. */
  command: string;
  args: readonly string[];
  /** The whole environment of the child: nothing is inherited. */
  env: Readonly<Record<string, string>>;
  cwd: string;
  log: BoundedLog;
  /** Run as this account (root only). */
  account?: { uid: number; gid: number } | undefined;
  /** Signal that asks this program to stop in good order. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process whose end is always noticed and which does not outlive its parent. */
export interface RunningChild {
  readonly pid: number;
  readonly identity: ProcessIdentity;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly exit: ChildExit | undefined;
  kill(signal: NodeJS.Signals): void;
  /** Asks it to stop, and kills it after the grace. */
  stop(graceMs: number): Promise<ChildExit>;
}

export async function startChild(options: ChildOptions): Promise<RunningChild> {
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  options.log.startAnew();
  const child = spawn(options.command, options.args, {
    env: { ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Own process group: a Ctrl-C in the terminal reaches the supervisor, which then stops its children in order.
    detached: true,
    ...(options.account === undefined ? {} : { uid: options.account.uid, gid: options.account.gid }),
  });
  child.stdout.on('data', (chunk: Buffer) => options.log.write(chunk));
  child.stderr.on('data', (chunk: Buffer) => options.log.write(chunk));
  let exit: ChildExit | undefined;
  const exited = new Promise<ChildExit>((resolve) => {
    // 'exit', not 'close': a grandchild that keeps the pipe open must not hide the death of the child.
    child.once('exit', (code, signal) => {
      exit = { code, signal };
      if (child.pid !== undefined) releaseProcess(child.pid);
      resolve(exit);
    });
  });
  try {
    await once(child, 'spawn');
  } catch (cause) {
    throw new DevstackError(
      'process_failed',
      `Could not start ${options.command}: ${(cause as Error).message}.`,
      { command: options.command },
      { cause },
    );
  }
  const pid = child.pid as number;
  guardProcess(pid, stopSignal);
  // A process that died within the first millisecond has no start time any more; the marker matches nothing.
  const identity = identityOf(pid) ?? { pid, startedAt: 'gone' };
  const kill = (signal: NodeJS.Signals): void => {
    if (exit === undefined) child.kill(signal);
  };
  return {
    pid,
    identity,
    exited,
    get exit() {
      return exit;
    },
    kill,
    async stop(graceMs) {
      kill(stopSignal);
      const timer = setTimeout(() => kill('SIGKILL'), graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
