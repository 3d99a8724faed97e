import { type LoadJob } from '../load/load';
import { type Workload } from '../load/workload';

/** A server of others that users would choose instead of the kernel. */
export interface Peer {
  readonly name: string;
  /** Null when it can be started, otherwise what is missing. */
  missing(): string | null;
  start(): Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly pid: number;
  readonly url: string;
  readonly tls: LoadJob['tls'];
  readonly workload: Workload;
  stop(): Promise<void>;
}
