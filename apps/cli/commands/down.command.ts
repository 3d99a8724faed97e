import { resolve } from 'node:path';
import { type Command } from 'commander';
import { endLeftovers, readRun, signalProcess, StateFolder, untilGone } from '#dev/devstack';
import { CliError } from '../cli.error';
import { print, say } from '../output/print';
import { defaultState } from '../default-state';

/** Longer than the graces of all services together; past it the supervisor itself hangs. */
const STOP_TIMEOUT_MS = 60_000;

export function addDown(program: Command): void {
  program
    .command('down')
    .summary('stop what `up` started')
    .description(
      'Stops the kernel of a state folder: every process that `up` started there, and nothing else.',
    )
    .option('--state <dir>', 'the state folder (default: .kernel)')
    .option('--json', 'print it as JSON')
    .action(async (options: { state?: string; json?: true }) => {
      const state = resolve(options.state ?? defaultState());
      const said = await stop(state);
      print(
        options.json === true ? JSON.stringify({ state, stopped: !said.startsWith('Nothing'), said }) : said,
      );
    });
}

async function stop(dir: string): Promise<string> {
  if ((await StateFolder.find(dir)) === undefined) {
    return `Nothing to stop: there is no kernel in ${dir}.`;
  }
  const run = readRun(dir);
  if (run !== undefined && signalProcess(run.supervisor, 'SIGTERM')) {
    say('stopping');
    if (!(await untilGone(run.supervisor, STOP_TIMEOUT_MS))) {
      say(`the supervisor (process ${run.supervisor.pid}) does not end; killing it`);
      signalProcess(run.supervisor, 'SIGKILL');
      if (!(await untilGone(run.supervisor, 5_000))) {
        throw new CliError('failed', `Process ${run.supervisor.pid} cannot be ended.`);
      }
      await endLeftovers(dir);
    }
    return 'Stopped.';
  }
  const ended = await endLeftovers(dir);
  if (ended.length > 0) return `The supervisor was gone; ended what it left behind: ${ended.join(', ')}.`;
  return 'Nothing to stop: the kernel is not running.';
}
