import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { MAX_SHARDS } from '#evidence';
import { loadConfig } from '#platform/process';
import {
  type ArchiveChoice,
  ARCHIVES,
  DEFAULT_PORT_BASE,
  isRunning,
  MAX_PORT_BASE,
  portsFrom,
  probe,
  readRun,
  SIGNERS,
  type SignerChoice,
  StateFolder,
  type StreamChoice,
  STREAMS,
} from '#dev/devstack';
import { runDetached, reportToParent } from './detached';
import { runStack, type UpOptions, type UpSummary } from './run-stack';
import { nextSteps } from './next-steps';
import { assertServersThere, serversFrom } from './servers';
import { cliConfig } from '../../cli.config';
import { CliError } from '../../cli.error';
import { print, say } from '../../output/print';
import { defaultState } from '../../default-state';

interface Flags {
  detach?: true;
  json?: true;
  state?: string;
  portBase?: number;
  signer?: SignerChoice;
  shards?: number;
  stream?: StreamChoice;
  archive?: ArchiveChoice;
  /** Set by `--detach` for the process that stays. */
  supervisor?: true;
}

export function addUp(program: Command): void {
  program
    .command('up')
    .summary('run the whole kernel on this machine')
    .description(
      [
        'Runs the processes of production (kernel, signing proxy, workers) with a PostgreSQL of their own, starts one that dies',
        'again, and says "ready" when /ready is green. Stop it with Ctrl-C, or with ./kernel down when detached.',
      ].join(' '),
    )
    .option('--detach', 'return when it is ready and leave it running')
    .option('--state <dir>', 'where keys, database and logs live (default: .kernel)')
    .option(
      '--port-base <n>',
      `first of the ports: +3 API, +4 management, +5 signing proxy, +6 PostgreSQL (default: ${DEFAULT_PORT_BASE})`,
      portBase,
    )
    .addOption(
      new Option('--stream <kind>', 'how events reach their readers (default: postgres)').choices(STREAMS),
    )
    .addOption(
      new Option('--archive <kind>', 'where events are archived (default: fs, a folder)').choices(ARCHIVES),
    )
    .addOption(new Option('--signer <kind>', 'where private keys live (default: software)').choices(SIGNERS))
    .option('--shards <n>', 'number of chains (default: 1)', shards)
    .option('--json', 'print where it is as JSON, when it is ready')
    .addOption(new Option('--supervisor').hideHelp())
    .action(async (flags: Flags) => {
      const config = loadConfig(cliConfig);
      if (config.isProduction) {
        throw new CliError(
          'wrong_usage',
          '`up` runs development conveniences (a software CA, an embedded database), which NODE_ENV=production refuses; deploy the apps instead (docs/configuration.md).',
        );
      }
      const servers = serversFrom(config);
      assertServersThere(flags, servers);
      const options: UpOptions = {
        state: resolve(flags.state ?? defaultState()),
        ...(flags.portBase === undefined ? {} : { portBase: flags.portBase }),
        ...(flags.signer === undefined ? {} : { signer: flags.signer }),
        ...(flags.shards === undefined ? {} : { shards: flags.shards }),
        ...(flags.stream === undefined ? {} : { stream: flags.stream }),
        ...(flags.archive === undefined ? {} : { archive: flags.archive }),
        ...servers,
      };
      if (flags.supervisor !== true && (await isRunningAlready(options, flags.detach === true))) return;
      if (flags.supervisor === true) {
        const parent = reportToParent();
        await runStack(options, parent).catch(async (error: Error) => {
          await parent.failed(error.message);
          throw error;
        });
      } else if (flags.detach === true) {
        const summary = await runDetached(options, say);
        print(shown(summary, flags, './kernel down'));
        // It runs, but a script that waits for a kernel has none.
        if (summary.restoring) process.exitCode = 1;
      } else {
        await runStack(options, {
          say,
          ready: (summary) => print(shown(summary, flags, 'Ctrl-C')),
        });
      }
    });
}

function shown(summary: UpSummary, { json }: Flags, stopWith: string): string {
  return json === true ? JSON.stringify(summary) : nextSteps(summary, { stopWith });
}

/** A second `up` of the same folder changes nothing; with `--detach` it succeeds, for scripts that only want it up. */
async function isRunningAlready(options: UpOptions, detach: boolean): Promise<boolean> {
  const run = readRun(options.state);
  if (run === undefined || !isRunning(run.supervisor)) return false;
  const folder = await StateFolder.find(options.state);
  const ready = folder !== undefined && (await isReady(folder.record.portBase));
  say(
    `The kernel of ${options.state} is already running (process ${run.supervisor.pid}) and ${ready ? 'ready' : 'not ready'}; see ./kernel status, or stop it with ./kernel down.`,
  );
  const asAsked = options.portBase === undefined || options.portBase === folder?.record.portBase;
  process.exitCode = detach && ready && asAsked ? 0 : 1;
  return true;
}

async function isReady(base: number): Promise<boolean> {
  const [kernel] = portsFrom(base).kernels;
  return (await probe(`http://127.0.0.1:${kernel?.management}/ready`)).status === 200;
}

function portBase(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_PORT_BASE) {
    throw new InvalidArgumentError(`It is a port from 1 to ${MAX_PORT_BASE}.`);
  }
  return value;
}

function shards(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_SHARDS) {
    throw new InvalidArgumentError(`It is a number from 1 to ${MAX_SHARDS}.`);
  }
  return value;
}
