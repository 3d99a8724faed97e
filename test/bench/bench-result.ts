/** Result that a file test/bench/<name>.bench.ts returns to `./kernel bench`. */
export interface BenchResult {
  name: string;
  rows: Record<string, string | number>[];
  notes: string[];
}

/** What `./kernel bench` was told beside the names; only `stack` asks. */
export interface BenchOptions {
  /** Servers of others to measure in turn with the kernel: `openbao`, `tessera`. */
  peers: readonly string[];
  kernels: number;
  shards: number;
  /** Each kernel is asked to write to shards of its own only. */
  affinity: boolean;
}
