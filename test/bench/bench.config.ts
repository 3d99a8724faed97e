import { type ConfigOf, defineConfig, list, loadConfig, oneOf, wholeNumber } from '#platform/process';

const BACKENDS = ['software', 'pkcs11', 'aws-kms', 'vault-transit', 'proxy'] as const;
const PIPELINES = ['postgres+fs', 'kafka+s3'] as const;
export type BenchSigner = (typeof BACKENDS)[number];

/** Settings that the HTTP benchmarks read from the environment; the defaults are those of the published figures. */
const benchConfig = defineConfig({
  BENCH_SECONDS: {
    schema: wholeNumber({ min: 1, max: 600 }),
    description: 'How long each cell of a table is measured, after a third of that as warm-up.',
    default: 6,
    unit: 's',
  },
  BENCH_SIGNERS: {
    schema: list(oneOf('software', 'pkcs11'), 'a list of software, pkcs11'),
    description: 'Signing backends to measure; pkcs11 needs SoftHSM.',
    default: 'software,pkcs11',
  },
  BENCH_BACKENDS: {
    schema: list(oneOf(...BACKENDS), `a list of ${BACKENDS.join(', ')}`),
    description:
      'What the benchmark signers measures; pkcs11 needs SoftHSM, and vault-transit takes OpenBao where it is.',
    default: BACKENDS.join(','),
  },
  BENCH_CONCURRENCY: {
    schema: list(wholeNumber({ min: 1, max: 1_000 }), 'a list of whole numbers').optional(),
    description: "Concurrent callers, instead of the benchmark's own list.",
  },
  BENCH_EVENTS: {
    schema: wholeNumber({ min: 10_000, max: 100_000_000 }),
    description: 'Events in the store for the benchmarks fetch, log and explorer.',
    default: 1_000_000,
  },
  BENCH_PIPELINE_SECONDS: {
    schema: wholeNumber({ min: 5, max: 86_400 }),
    description: 'How long the benchmark pipeline writes.',
    default: 60,
    unit: 's',
  },
  BENCH_PIPELINE_RATE: {
    schema: wholeNumber({ min: 10, max: 100_000 }),
    description: 'Events a second that the benchmark pipeline writes.',
    default: 1_000,
  },
  BENCH_PIPELINE_PARTS: {
    schema: list(oneOf(...PIPELINES), `a list of ${PIPELINES.join(', ')}`),
    description: 'Stream and archive of the benchmark pipeline, one run for each pair.',
    default: PIPELINES.join(','),
  },
  BENCH_EXPLORER_LOADS: {
    schema: wholeNumber({ min: 5, max: 1_000 }),
    description: 'How often the benchmark explorer opens each page.',
    default: 20,
  },
  BENCH_EXPLORER_PAGES: {
    schema: wholeNumber({ min: 20, max: 10_000 }),
    description: 'How many times the benchmark explorer goes to the next page of a list.',
    default: 120,
  },
  BENCH_EXPLORER_RATE: {
    schema: wholeNumber({ min: 1, max: 200 }),
    description: 'Events a second that are written while the benchmark explorer looks at them live.',
    default: 20,
  },
  BENCH_EXPLORER_SECONDS: {
    schema: wholeNumber({ min: 30, max: 86_400 }),
    description: 'How long the benchmark explorer looks at events live.',
    default: 600,
    unit: 's',
  },
  BENCH_MEMORY_SECONDS: {
    schema: wholeNumber({ min: 20, max: 86_400 }),
    description: 'How long the benchmark memory runs.',
    default: 300,
    unit: 's',
  },
});

export type BenchConfig = ConfigOf<typeof benchConfig>;

export function loadBenchConfig(): BenchConfig {
  return loadConfig(benchConfig);
}
