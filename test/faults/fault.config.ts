import { defineConfig, flag, loadConfig, wholeNumber } from '#platform/process';

/**
 * Some 50 and 500 kills over all processes and tests: enough to see that a part comes back, and the many that rare races
 * need.
 */
const ROUNDS = { daily: 5, nightly: 50 };
/** Longer than the Kafka and S3 clients retry one request, and long enough for a backlog. */
const OUTAGE_SECONDS = { daily: 5, nightly: 60 };

/** Settings that the fault tests read from the environment. */
const faultConfig = defineConfig({
  NIGHTLY: {
    schema: flag(),
    description: 'Many rounds of every fault, as the nightly run has them.',
    default: false,
  },
  FAULT_ROUNDS: {
    schema: wholeNumber({ min: 1, max: 10_000 }).optional(),
    description: 'How many times a process is killed under load; default 5, in the nightly run 50.',
  },
  FAULT_OUTAGE_SECONDS: {
    schema: wholeNumber({ min: 1, max: 3_600 }).optional(),
    description:
      'How long a part of the pipeline is away in the outage tests; default 5, in the nightly run 60.',
    unit: 's',
  },
  FAULT_SEED: {
    schema: wholeNumber({ min: 1, max: 2_147_483_647 }).optional(),
    description: 'Repeats the random choices of an earlier run, which printed its seed when it failed.',
  },
});

export interface FaultSettings {
  rounds: number;
  outageSeconds: number;
  seed: number | undefined;
}

export function loadFaultSettings(): FaultSettings {
  const { nightly, faultRounds, faultOutageSeconds, faultSeed } = loadConfig(faultConfig);
  const run = nightly ? 'nightly' : 'daily';
  return {
    rounds: faultRounds ?? ROUNDS[run],
    outageSeconds: faultOutageSeconds ?? OUTAGE_SECONDS[run],
    seed: faultSeed,
  };
}

/** Time that a test of `rounds` rounds may take: a fixed part for its start and end, the rest for each round. */
export function timeoutOf(rounds: number, perRoundMs: number): number {
  return 180_000 + rounds * perRoundMs;
}
