import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { ChainEventVerifier, readTrustRoot } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import { EventStoreError, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { type Environment, loadPart } from '#platform/process';
import { type SignerEntry } from '#evidence';
import { readEnvironmentFile, StateFolder } from '#dev/devstack';
import { CliError } from '../cli.error';
import { defaultState } from '../default-state';
import { say } from '../output/print';
import { replayConfig } from './replay/replay.config';

export interface OwnerOptions {
  signers?: string;
  state?: string;
}

/** Options of a command that does something as the schema's owner. */
export function withOwnerOptions(command: Command): Command {
  return command
    .option('--signers <file>', 'signers.json, the trust root (default: KERNEL_TRUST_ROOT_FILE)')
    .option('--state <dir>', 'state folder of a kernel that `up` runs');
}

/** A kernel's database, as the schema's owner. */
export interface OwnedDatabase {
  readonly ownerUrl: string;
  readonly dataSource: DataSource;
  readonly origin: string;
  readonly shards: number;
  /** Null: the keys with which the kernel was founded are trusted. */
  readonly roots: readonly SignerEntry[] | null;
  readonly verifier: ChainEventVerifier;
  /** Environment that the kernel's settings are read from; undefined: that of this process. */
  readonly variables: Environment | undefined;
}

/**
 * Does something with the database as its owner: DATABASE_OWNER_URL, or that of a state folder. What the event store refuses
 * becomes one sentence.
 */
export async function asOwner<T>(
  options: OwnerOptions,
  applicationName: string,
  work: (database: OwnedDatabase) => Promise<T>,
): Promise<T> {
  const variables = await variablesOf(options);
  const config = loadPart(replayConfig, variables);
  const ownerUrl = config.databaseOwnerUrl;
  if (ownerUrl === undefined) {
    throw new CliError('wrong_usage', 'The database is not named: set DATABASE_OWNER_URL.');
  }
  const dataSource = await openEventStoreDataSource({ url: ownerUrl, poolSize: 2, applicationName });
  try {
    const [chain] = await dataSource.query<{ origin: string; shards: number }[]>(
      'SELECT origin, shards FROM kernel.chain',
    );
    if (chain === undefined) throw new CliError('failed', 'The database does not say whose chain it holds.');
    const { origin, shards } = chain;
    if (config.origin !== undefined && config.origin !== origin) {
      throw new CliError(
        'wrong_usage',
        `The database holds the chain of ${origin}, not of ${config.origin}.`,
      );
    }
    const trustRootFile = options.signers ?? config.trustRootFile;
    const roots = readTrustRoot({ trustRootFile, isProduction: config.isProduction }, origin);
    if (roots === null) say('no trust root (--signers): trusts the keys with which the kernel was founded');
    const verifier = new ChainEventVerifier({ dataSource, origin, roots, divisionOf });
    return await work({ ownerUrl, dataSource, origin, shards, roots, verifier, variables });
  } catch (error) {
    if (error instanceof EventStoreError && error.code === 'invalid_request') {
      throw new CliError('failed', `${error.message} Nothing was changed.`, {}, { cause: error });
    }
    throw error;
  } finally {
    await dataSource.destroy();
  }
}

async function variablesOf({ state }: OwnerOptions): Promise<Environment | undefined> {
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

/** Parser of an option that is a whole number. */
export function wholeFrom(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/.test(text) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} on.`);
  };
}
