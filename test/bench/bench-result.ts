/** What a file test/bench/<name>.bench.ts gives back to `./kernel bench`. */
export interface BenchResult {
  name: string;
  rows: Record<string, string | number>[];
  notes: string[];
}
