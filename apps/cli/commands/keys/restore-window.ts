import { dirname, join } from 'node:path';
import { type Command } from 'commander';
import { type Mark, type MarksAnswer } from '#openapi/signing-proxy';
import {
  type Connection,
  connectionFrom,
  type ConnectionOptions,
  kernelVariables,
  withConnectionOptions,
} from '../../api/connection';
import { KernelApiClient } from '../../api/kernel-api.client';
import { CliError } from '../../cli.error';
import { print, table } from '../../output/print';
import { shown } from '../../output/shown';
import { dangerous, type DangerOptions, mayGoOn } from '../dangerous';

const DEFAULT_MINUTES = 10;
const MAX_MINUTES = 60;

/** What the signing proxy remembers of the chain, and the way to make it forget something. */
export function addMarks(keys: Command): void {
  withProxyOptions(keys.command('marks'))
    .description(
      'Shows the high-water marks of the signing proxy: positions that signed events build on, and below which it signs nothing; and the highest position that it has signed.',
    )
    .option('--json', "print the proxy's answer as it came")
    .action(async (options: ConnectionOptions & { json?: true }) => {
      const text = await withProxy(options, (proxy) => proxy.get('/v1/marks'));
      if (options.json === true) {
        print(text);
        return;
      }
      const { marks } = shown<MarksAnswer>(text);
      print(
        table(
          marks.map(({ shard, seq, signed, window }) => ({
            shard: String(shard),
            mark: `${shard}:${seq}`,
            signed: `${shard}:${signed}`,
            window:
              window === null
                ? ''
                : `after ${shard}:${window.seq} until ${window.until}, by ${window.openedBy}: ${window.reason}`,
          })),
        ),
      );
    });
  dangerous(withProxyOptions(keys.command('restore-window'), 'superadmin'))
    .description(
      [
        'Lets the chain continue from a database that was restored to an older state: one batch may start below the',
        "signing proxy's mark, after the head of the restored database. What came after that head is lost and",
        'in no chain any more, so first try ./kernel replay --from archive --to store. Also lets an old chain continue',
        'of which the proxy knows nothing, because its marks are new or lost. Takes a certificate that the',
        'proxy names as an operator (KERNEL_SIGNING_OPERATORS).',
      ].join(' '),
    )
    .requiredOption('--shard <n>', 'which shard')
    .requiredOption('--seq <n>', 'the head of the database in that shard')
    .requiredOption('--reason <text>', 'why; goes into the log of the proxy')
    .option('--json', "print the signing proxy's answer as it came")
    .option('--minutes <n>', `how long it is open, at most ${MAX_MINUTES}`, String(DEFAULT_MINUTES))
    .action(
      async (
        options: ConnectionOptions &
          DangerOptions & { shard: string; seq: string; reason: string; minutes: string },
      ) => {
        const body = JSON.stringify({
          shard: wholeNumber('--shard', options.shard, 0),
          seq: wholeNumber('--seq', options.seq, 0),
          seconds: wholeNumber('--minutes', options.minutes, 1, MAX_MINUTES) * 60,
          reason: options.reason,
        });
        const effects = [
          `For ${options.minutes} minutes the chain may go on after ${options.shard}:${options.seq}, once; what came after that position is given up for ever.`,
        ];
        if (!(await mayGoOn(options, effects))) return;
        const text = await withProxy(options, (proxy) => proxy.post('/v1/restore-windows', body));
        if (options.json === true) return print(text);
        const { shard, seq, signed, window } = shown<Mark>(text);
        const after = window?.seq ?? 0;
        const although =
          after < seq
            ? `signed events build on ${shard}:${seq}`
            : `nothing after ${shard}:${signed} was signed here`;
        print(
          `One batch may start after ${shard}:${after} until ${window?.until ?? ''}, although ${although}. Go on with ./kernel mode normal.`,
        );
      },
    );
}

/** What the signing proxy remembers of each shard. */
export async function marksOf(options: ConnectionOptions): Promise<MarksAnswer['marks']> {
  return shown<MarksAnswer>(await withProxy(options, (proxy) => proxy.get('/v1/marks'))).marks;
}

function withProxyOptions(command: Command, as = 'operator'): Command {
  const options = withConnectionOptions(command, as);
  for (const option of options.options) {
    if (option.long === '--url') option.description = 'signing proxy elsewhere, with --ca, --cert and --key';
  }
  return options;
}

async function withProxy<T>(
  options: ConnectionOptions,
  use: (client: KernelApiClient) => Promise<T>,
): Promise<T> {
  const client = new KernelApiClient(await proxyConnection(options), 'The signing proxy');
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function proxyConnection(options: ConnectionOptions): Promise<Connection> {
  const connection = await connectionFrom(options);
  if (options.url !== undefined) return connection;
  const { KERNEL_SIGNING_PROXY_URL: url } = await kernelVariables(options);
  if (url !== undefined) {
    const { logFile, ...rest } = connection;
    const ownLog = logFile === undefined ? {} : { logFile: join(dirname(logFile), 'signing-proxy.log') };
    return { ...rest, url, ...ownLog };
  }
  throw new CliError(
    'wrong_usage',
    'KERNEL_SIGNING_PROXY_URL is missing: name the signing proxy with --url.',
  );
}

function wholeNumber(name: string, text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new CliError('wrong_usage', `${name} takes a whole number from ${min} on.`);
}
