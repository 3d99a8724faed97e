import { defineConfig, flag, loadConfig, wholeNumber } from '#platform/process';

/** How much longer the nightly run is. */
const NIGHTLY_FACTOR = 25;
/** Time for each case on a busy machine. */
const CASE_MS = 0.5;

const fuzzConfig = defineConfig({
  NIGHTLY: {
    schema: flag(),
    description:
      'Many more cases of every fuzz test, from another seed each time, as the nightly run has them.',
    default: false,
  },
  FUZZ_SEED: {
    schema: wholeNumber({ min: 1, max: 2_147_483_647 }).optional(),
    description: 'Repeats the cases of an earlier run, which names its seed when it fails.',
  },
});

export interface FuzzSettings {
  cases: number;
  seed: number;
  /** Milliseconds that the test may take. */
  timeout: number;
}

/** @param daily number of cases in an ordinary run */
export function fuzzSettings(daily: number): FuzzSettings {
  const { nightly, fuzzSeed } = loadConfig(fuzzConfig);
  const cases = nightly ? daily * NIGHTLY_FACTOR : daily;
  const seed = fuzzSeed ?? (nightly ? 1 + (Date.now() % 2_147_483_647) : 1);
  return { cases, seed, timeout: 60_000 + cases * CASE_MS };
}
