import { fork } from 'node:child_process';
import { join } from 'node:path';
import { type CertificateFiles } from '#dev/devstack';
import { type Workload } from './workload';

export interface LoadJob {
  /** https://host:port, or http://host:port of a server that knows no TLS; of several, callers take them in turn. */
  url: string | readonly string[];
  /** Paths of PEM files: the server's authority, the caller's certificate and key. */
  tls: { ca: string; cert?: string; key?: string } | null;
  /** Callers, each with one connection and one request at a time. */
  concurrency: number;
  warmUpMs: number;
  measureMs: number;
  workload: Workload;
  /** How many shards the kernel has; default 1. */
  shards?: number;
  /** Each server gets requests for shards of its own only, as if one kernel wrote to each shard. */
  affinity?: boolean;
}

/** Latencies in milliseconds, from handing a request to the connection to the end of its answer. */
export interface LoadReport {
  requests: number;
  /** Requests in all, warm-up included. */
  sent: number;
  seconds: number;
  perSecond: number;
  p50: number;
  p95: number;
  p99: number;
  max: number;
  /** Answers with another status than expected, and connections that failed; also during warm-up. */
  errors: number;
  firstError: string | undefined;
  /** Resources that the generator itself used while measuring: it shares the machine with what it measures. */
  cpuSeconds: number;
}

type Reply = { report: LoadReport } | { error: string };

/** Puts load on a server from a process of its own. */
export async function putLoad(job: LoadJob): Promise<LoadReport> {
  const child = fork(join(__dirname, 'load.process.js'), [], {
    serialization: 'advanced',
    execArgv: ['--enable-source-maps'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const reply = await new Promise<Reply>((resolve, reject) => {
      child.once('message', (message) => resolve(message as Reply));
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`the load generator ended (${signal ?? code})`)));
      child.send(job);
    });
    if ('error' in reply) throw new Error(`the load generator failed: ${reply.error}`);
    return reply.report;
  } finally {
    child.removeAllListeners('exit');
    if (child.connected) child.disconnect();
  }
}

/** The server, or all replicas of it, and the caller's identity. */
export interface LoadTarget {
  url: string | readonly string[];
  caCert: string;
  caller: CertificateFiles;
}

export function loadOn(
  { url, caCert, caller }: LoadTarget,
  load: Pick<LoadJob, 'concurrency' | 'warmUpMs' | 'measureMs' | 'workload' | 'shards' | 'affinity'>,
): Promise<LoadReport> {
  return putLoad({ url, tls: { ca: caCert, cert: caller.cert, key: caller.key }, ...load });
}
