import { fork } from 'node:child_process';
import { join } from 'node:path';

export interface AppendJob {
  databaseUrl: string;
  origin: string;
  writing: 'optimistic' | 'locked';
  groupsInFlight: number;
  concurrency: number;
  /** Events in one request. */
  events: number;
  warmUpMs: number;
  measureMs: number;
}

export interface AppendReport {
  /** Requests. */
  perSecond: number;
  /** Milliseconds, unsorted. */
  latencies: Float64Array;
  /** Requests in a group, on average. */
  groupSize: number;
  /** Groups that had to be numbered again. */
  retriesPerSecond: number;
}

/** Runs one writer in a process of its own. */
export async function runWriter(job: AppendJob): Promise<AppendReport> {
  const child = fork(join(__dirname, 'append-writer.process.js'), [], {
    serialization: 'advanced',
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    return await new Promise<AppendReport>((resolve, reject) => {
      child.once('message', (reply: { report?: AppendReport; error?: string }) =>
        reply.report ? resolve(reply.report) : reject(new Error(`the writer failed: ${reply.error}`)),
      );
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`the writer ended (${signal ?? code})`)));
      child.send(job);
    });
  } finally {
    child.removeAllListeners('exit');
    if (child.connected) child.disconnect();
  }
}
