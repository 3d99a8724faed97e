import { type ConfigOf, defineConfig, loadConfig, wholeNumber } from '#platform/process';

/** What the fault tests take from the environment; the defaults are those of `./kernel test`. */
const faultConfig = defineConfig({
  FAULT_OUTAGE_SECONDS: {
    schema: wholeNumber({ min: 1, max: 3_600 }),
    description: 'How long a part of the pipeline is away in the outage tests.',
    default: 10,
    unit: 's',
  },
  FAULT_KILLS: {
    schema: wholeNumber({ min: 1, max: 10_000 }),
    description: 'How many times a worker is killed at random under load.',
    default: 15,
  },
  FAULT_SEED: {
    schema: wholeNumber({ min: 1, max: 2_147_483_647 }).optional(),
    description: 'Repeats the random choices of an earlier run, which printed its seed when it failed.',
  },
});

export function loadFaultConfig(): ConfigOf<typeof faultConfig> {
  return loadConfig(faultConfig);
}
