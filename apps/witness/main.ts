/** Cosigns the checkpoints of other kernels' logs as long as each continues the one before (c2sp.org/tlog-witness). */
import { processRegistry, runApp } from '#platform/process';
import { createWitness } from './create-witness';
import { startWitness } from './start-witness';
import { WitnessFolderError } from './witness-folder.error';
import { witnessConfig } from './witness.config';

const EXIT_FAILED = 2;
const args = process.argv.slice(2);
const json = args.includes('--json');
const [verb, name] = args.filter((arg) => arg !== '--json');

/** `init NAME` makes key and state, `--once` looks once at each followed log; otherwise it serves until it is told to stop. */
runApp({
  name: 'witness',
  config: witnessConfig,
  explained: [WitnessFolderError],
  ...(verb === undefined ? {} : { failureCode: EXIT_FAILED, logLevel: 'error' as const }),
  async start(config, { logger, onStop, stopping }) {
    if (verb === 'init') {
      const vkey = await createWitness(config.witnessDir, name ?? '');
      process.stdout.write(`${json ? JSON.stringify({ vkey }) : vkey}\n`);
      return 0;
    }
    return startWitness(config, {
      logger,
      onStop,
      stopping,
      registry: processRegistry,
      once: verb === '--once',
      json,
    });
  },
});
