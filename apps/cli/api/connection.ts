import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { loadConfig } from '#platform/process';
import { APPROVER_COUNT, DEVELOPMENT_CALLERS, readEnvironmentFile, StateFolder } from '#dev/devstack';
import { cliConfig } from '../cli.config';
import { CliError } from '../cli.error';
import { defaultState } from '../default-state';

/** What a caller needs to reach a kernel. Paths are absolute. */
export interface Connection {
  url: string;
  ca: string;
  cert: string;
  key: string;
  /** The log of who answers, of a kernel that `up` runs. */
  logFile?: string;
}

export interface ConnectionOptions {
  state?: string;
  as?: string;
  url?: string;
  ca?: string;
  cert?: string;
  key?: string;
}

const CALLERS = [
  ...Object.keys(DEVELOPMENT_CALLERS).map((name) => name.toLowerCase().replaceAll('_', '-')),
  ...Array.from({ length: APPROVER_COUNT }, (_, n) => `approver-${n + 1}`),
];

/** Adds the options that name the kernel and the caller. */
export function withConnectionOptions(command: Command, as = 'operator'): Command {
  return command
    .option('--state <dir>', 'state folder of a kernel that `up` runs (default: .kernel)')
    .addOption(
      new Option('--as <caller>', 'which identity of the state folder calls').choices(CALLERS).default(as),
    )
    .option('--url <url>', 'service API of a kernel elsewhere, with --ca, --cert and --key')
    .option('--ca <file>', "authority of the API's certificate, PEM")
    .option('--cert <file>', 'client certificate, PEM')
    .option('--key <file>', "the client certificate's private key, PEM");
}

/**
 * Finds where to call, from the nearest source that says so: options, an explicit state folder, the environment, the
 * default state folder. Single options replace single members.
 */
export async function connectionFrom(options: ConnectionOptions): Promise<Connection> {
  const base = await baseConnection(options);
  const connection = {
    url: options.url ?? base.url,
    ca: options.ca ?? base.ca,
    cert: options.cert ?? base.cert,
    key: options.key ?? base.key,
  };
  for (const [name, value] of Object.entries(connection)) {
    if (value === undefined) throw new CliError('wrong_usage', `--${name} is missing beside --url.`);
    if (name !== 'url' && !existsSync(value)) {
      throw new CliError('file_problem', `--${name}: ${resolve(value)} does not exist.`);
    }
  }
  if (!URL.canParse(connection.url ?? '')) {
    throw new CliError('wrong_usage', `--url ${connection.url} is no URL; it looks like https://HOST:PORT.`);
  }
  const logFile = options.url === undefined ? await logOf(options) : undefined;
  return { ...(connection as Connection), ...(logFile === undefined ? {} : { logFile }) };
}

/** The kernel's log, where the connection comes from a state folder. */
async function logOf({ state }: ConnectionOptions): Promise<string | undefined> {
  if (state === undefined && loadConfig(cliConfig).apiUrl !== undefined) return undefined;
  const folder = await StateFolder.find(resolve(state ?? defaultState()));
  return folder === undefined ? undefined : join(folder.logs, 'kernel.log');
}

async function baseConnection(options: ConnectionOptions): Promise<Partial<Connection>> {
  const { url, ca, cert, key } = options;
  if (url !== undefined && ca !== undefined && cert !== undefined && key !== undefined) return {};
  const variables = await kernelVariables(options);
  const caller = (options.as ?? 'operator').toUpperCase().replaceAll('-', '_');
  return present({
    url: variables['KERNEL_API_URL'],
    ca: variables['KERNEL_CA_CERT'],
    cert: variables[`KERNEL_${caller}_CERT`],
    // Beside their certificate, approvers have a key that approvals are signed with.
    key: variables[`KERNEL_${caller}_${caller.startsWith('APPROVER_') ? 'TLS_KEY' : 'KEY'}`],
  });
}

function present<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/**
 * The variables of kernel.env that describe the chosen kernel: those of the named state folder, else those in the
 * environment, else those of the default state folder.
 * @throws CliError `not_running` when there is no such state folder
 */
export async function kernelVariables(options: { state?: string }): Promise<Record<string, string>> {
  const env = loadConfig(cliConfig);
  if (options.state === undefined && env.apiUrl !== undefined) {
    return present({
      KERNEL_API_URL: env.apiUrl,
      KERNEL_CA_CERT: env.caCert,
      KERNEL_OPERATOR_CERT: env.operatorCert,
      KERNEL_OPERATOR_KEY: env.operatorKey,
      KERNEL_ORIGIN: env.origin,
      DATABASE_URL: env.databaseUrl,
    });
  }
  const dir = resolve(options.state ?? defaultState());
  const folder = await StateFolder.find(dir);
  const file = folder?.environmentFile ?? join(dir, 'kernel.env');
  if (folder === undefined || !existsSync(file)) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}; start one with ./kernel up --detach, or name one with --state or --url.`,
    );
  }
  const variables = await readEnvironmentFile(file);
  if (variables['KERNEL_API_URL'] === undefined) {
    throw new CliError(
      'file_problem',
      `${file} is damaged: it names no kernel. ./kernel down and ./kernel up write it again.`,
    );
  }
  return variables;
}
