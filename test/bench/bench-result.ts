/** Result that a file test/bench/<name>.bench.ts returns to `./kernel bench`. */
export interface BenchResult {
  name: string;
  rows: Record<string, string | number>[];
  notes: string[];
}
