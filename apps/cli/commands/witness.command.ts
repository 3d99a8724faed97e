import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command } from 'commander';
import { compileCache, programFolder } from '#dev/devstack';
import { CliError } from '../cli.error';

interface WitnessOptions {
  dir: string;
  log?: string[];
  logs?: string;
  follow?: string;
  followCa?: string;
  interval?: string;
  publish?: string;
  listen?: string;
  tlsCert?: string;
  tlsKey?: string;
  managementPort?: string;
  once?: true;
  json?: true;
}

const FOLDER = 'folder of the witness: its key, its state, and the list of logs';
/** A name or IPv4 address, or an IPv6 address in brackets; then a port. */
const LISTEN = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+):([0-9]{1,5})$/;

export function addWitness(program: Command): void {
  const witness = program
    .command('witness')
    .summary("cosign other kernels' logs, so that none can show two views")
    .description(
      [
        'Serves POST /add-checkpoint (c2sp.org/tlog-witness) for the logs that it knows, and follows those that have a URL.',
        'With --once it looks at each followed log once: exit code 0 when all were cosigned, 1 when one contradicts what was',
        'cosigned before, 2 when one could not be read.',
      ].join(' '),
    )
    .option('--dir <dir>', FOLDER, 'witness')
    .option(
      '--log <vkeys...>',
      'logs to cosign, by their verifier keys, or @FILE with one (instead of a list)',
    )
    .option('--logs <file>', 'list of the logs: log <vkey> [<url>] (default: logs in the folder)')
    .option('--follow <url>', 'KERNEL_LOG_URL of a kernel whose logs are followed')
    .option('--follow-ca <file>', 'authorities (PEM) of the servers of followed logs')
    .option('--interval <seconds>', 'time between two looks at a followed log (default: 10)')
    .option('--publish <dir>', 'folder for the newest cosigned checkpoint of each log')
    .option('--listen <host:port>', 'where checkpoints are submitted (default: 127.0.0.1:8470)')
    .option('--tls-cert <file>', 'certificate chain (PEM) for that address')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--management-port <port>', 'port of /health, /ready and /metrics (default: 8471)')
    .option('--once', 'look once at each followed log, and serve nobody')
    .option('--json', 'with --once: print a line of JSON for each log')
    .action(async (options: WitnessOptions) => {
      process.exitCode = await serve(options);
    });
  witness
    .command('init')
    .argument('<name>', 'name of the witness, a URL without its scheme: witness.example.com/w1')
    .summary('make the key and the state of a new witness, and print its verifier key')
    .option('--dir <dir>', FOLDER, 'witness')
    .option('--json', 'print it as JSON')
    .action(async (name: string, _: unknown, command: Command) => {
      // The option is the group's too, which takes it first.
      const options = command.optsWithGlobals<WitnessOptions>();
      const { dir } = options;
      process.exitCode = await run(['init', name, ...jsonFlag(options)], {
        KERNEL_WITNESS_DIR: resolve(dir),
      });
    });
}

async function serve(options: WitnessOptions): Promise<number> {
  if (options.log !== undefined && options.logs !== undefined) {
    throw new CliError('wrong_usage', 'Logs are given with --log or in a file with --logs, not both.');
  }
  const [, host, port] = options.listen === undefined ? [] : (LISTEN.exec(options.listen) ?? []);
  if (options.listen !== undefined && port === undefined) {
    throw new CliError('wrong_usage', `--listen ${options.listen} is not <host>:<port>.`);
  }
  const scratch = await mkdtemp(join(tmpdir(), 'kernel-witness-'));
  try {
    let { logs } = options;
    if (options.log !== undefined) {
      logs = join(scratch, 'logs');
      const lines = await Promise.all(options.log.map(vkeyOf));
      await writeFile(logs, lines.map((vkey) => `log ${vkey}\n`).join(''));
    }
    return await run([...(options.once === true ? ['--once'] : []), ...jsonFlag(options)], {
      KERNEL_WITNESS_DIR: resolve(options.dir),
      KERNEL_WITNESS_LOGS: logs && resolve(logs),
      KERNEL_WITNESS_FOLLOW: options.follow,
      KERNEL_WITNESS_FOLLOW_CA: options.followCa && resolve(options.followCa),
      KERNEL_WITNESS_FOLLOW_SECONDS: options.interval,
      KERNEL_WITNESS_PUBLISH_DIR: options.publish && resolve(options.publish),
      KERNEL_LISTEN_HOST: host?.replaceAll(/[[\]]/g, ''),
      KERNEL_LISTEN_PORT: port,
      KERNEL_TLS_CERT_FILE: options.tlsCert && resolve(options.tlsCert),
      KERNEL_TLS_KEY_FILE: options.tlsKey && resolve(options.tlsKey),
      KERNEL_MANAGEMENT_PORT: options.managementPort,
      KERNEL_MANAGEMENT_HOST: '127.0.0.1',
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function jsonFlag({ json }: WitnessOptions): string[] {
  return json === true ? ['--json'] : [];
}

/** A verifier key, or the content of a file that has one (`@FILE`). */
async function vkeyOf(text: string): Promise<string> {
  return text.startsWith('@') ? (await readFile(text.slice(1), 'utf8')).trim() : text;
}

/** Runs the witness's own program, as a container would; signals to this process are for that one. */
async function run(args: readonly string[], settings: Record<string, string | undefined>): Promise<number> {
  const program = join(programFolder(), 'apps', 'witness', 'main.js');
  const env = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], {
    env: { ...env, ...compileCache() },
    stdio: 'inherit',
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGTERM', forward);
  process.on('SIGINT', forward);
  try {
    return await new Promise((done, fail) => {
      child.once('error', fail);
      child.once('exit', (code) => done(code ?? 2));
    });
  } finally {
    process.off('SIGTERM', forward);
    process.off('SIGINT', forward);
  }
}
