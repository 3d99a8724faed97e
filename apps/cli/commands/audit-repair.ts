import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { ChainEventVerifier, readTrustRoot } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import {
  EventStoreError,
  openEventStoreDataSource,
  repairStore,
  type StoreRepairReport,
} from '#platform/event-store';
import { type Environment, loadPart } from '#platform/process';
import { readEnvironmentFile, StateFolder } from '#dev/devstack';
import { CliError } from '../cli.error';
import { defaultState } from '../default-state';
import { print, say } from '../output/print';
import { replayConfig } from './replay/replay.config';

interface RepairCommandOptions {
  shard: number;
  from: number;
  reason: string;
  out: string;
  by?: string;
  signers?: string;
  state?: string;
}

export function addAuditRepair(audit: Command): void {
  audit
    .command('repair')
    .summary('remove rows from the end of a shard that are no events of this kernel')
    .description(
      [
        'For the alarm "integrity" (runbooks/integrity-alarm.md): someone wrote rows into the event log with the rights of the',
        'kernel’s database role, and the kernel refuses to build on them. Removes them from a position on, puts the head back,',
        'and keeps what it removed in a file. The kernel records it as store.repaired, signed, as soon as it writes again.',
        'Refuses unless the kernel is in safe-mode, every row to remove fails verification, and the one before them passes it.',
        'Needs the database as its owner (DATABASE_OWNER_URL), or a state folder.',
      ].join(' '),
    )
    .requiredOption('--shard <number>', 'the shard', wholeFrom(0))
    .requiredOption('--from <seq>', 'position of the first row to remove', wholeFrom(1))
    .requiredOption('--reason <text>', 'why; it is recorded')
    .requiredOption('--out <file>', 'new file for what is removed, a line of JSON for each row')
    .option('--by <name>', 'who does it; it is recorded (default: the account that runs this)')
    .option('--signers <file>', 'signers.json, the trust root (default: KERNEL_TRUST_ROOT_FILE)')
    .option('--state <dir>', 'state folder of a kernel that `up` runs')
    .action(async (options: RepairCommandOptions) => {
      const { shard, fromSeq, toSeq, head, eventId } = await run(options);
      say(`removed ${shard}:${fromSeq} to ${shard}:${toSeq}, kept in ${resolve(options.out)}`);
      say(
        `the shard ends at ${shard}:${head.seq} again; ./kernel mode normal lets the kernel write and record it`,
      );
      print(JSON.stringify({ shard, fromSeq, toSeq, head, eventId }));
    });
}

async function run(options: RepairCommandOptions): Promise<StoreRepairReport> {
  const config = loadPart(replayConfig, await variablesOf(options));
  const ownerUrl = config.databaseOwnerUrl;
  if (ownerUrl === undefined) {
    throw new CliError('wrong_usage', 'The database is not named: set DATABASE_OWNER_URL.');
  }
  const dataSource = await openEventStoreDataSource({
    url: ownerUrl,
    poolSize: 2,
    applicationName: 'kernel-repair',
  });
  try {
    const [chain] = await dataSource.query<{ origin: string }[]>('SELECT origin FROM kernel.chain');
    if (chain === undefined) throw new CliError('failed', 'The database does not say whose chain it holds.');
    const { origin } = chain;
    if (config.origin !== undefined && config.origin !== origin) {
      throw new CliError(
        'wrong_usage',
        `The database holds the chain of ${origin}, not of ${config.origin}.`,
      );
    }
    const trustRootFile = options.signers ?? config.trustRootFile;
    const roots = readTrustRoot({ trustRootFile, isProduction: config.isProduction }, origin);
    if (roots === null) say('no trust root (--signers): trusts the keys with which the kernel was founded');
    const { shard, from: fromSeq, reason, by: statedBy = userInfo().username } = options;
    return await repairStore({
      ownerUrl,
      origin,
      shard,
      fromSeq,
      reason,
      statedBy,
      verifier: new ChainEventVerifier({ dataSource, origin, roots, divisionOf }),
      keep: (lines) => keep(resolve(options.out), lines),
    });
  } catch (error) {
    if (error instanceof EventStoreError && error.code === 'invalid_request') {
      throw new CliError('failed', `${error.message} Nothing was changed.`, {}, { cause: error });
    }
    throw error;
  } finally {
    await dataSource.destroy();
  }
}

async function variablesOf({ state }: RepairCommandOptions): Promise<Environment | undefined> {
  if (state === undefined && loadPart(replayConfig).databaseOwnerUrl !== undefined) return undefined;
  const dir = resolve(state ?? defaultState());
  const file = (await StateFolder.find(dir))?.environmentFile ?? join(dir, 'kernel.env');
  if (!existsSync(file)) {
    throw new CliError(
      'not_running',
      `There is no kernel in ${dir}; name the database in DATABASE_OWNER_URL, or a state folder with --state.`,
    );
  }
  return readEnvironmentFile(file);
}

/** On disk before a row is removed, and never over an existing file. */
async function keep(file: string, lines: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((cause: Error) => {
    throw new CliError('file_problem', `${file} cannot be created: ${cause.message}`, {}, { cause });
  });
  try {
    await handle.writeFile(lines);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
  };
}
