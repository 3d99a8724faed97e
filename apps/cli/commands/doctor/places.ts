import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Environment, loadPart } from '#platform/process';
import { portsFrom, readEnvironmentFile, readRun, isRunning, StateFolder } from '#dev/devstack';
import { CliError } from '../../cli.error';
import { cliConfig } from '../../cli.config';
import { defaultState } from '../../default-state';
import { managementOf, processesOf } from '../../stack-processes';
import { replayArchiveConfig, replayConfig, replayStreamConfig } from '../replay/replay.config';
import { type Run } from './facts';
import { type NamedUrl } from './gather/endpoints';

export interface DoctorOptions {
  state?: string;
  /** NAME=URL of management addresses: a deployment is looked at instead of a state folder. */
  process?: readonly string[];
  certificates?: readonly string[];
  log?: readonly string[];
  disk?: readonly string[];
  signers?: string;
  openbaoUrl?: string;
  openbaoCa?: string;
}

/** Where everything is; what is undefined is looked at nowhere, for the reason in `unasked`. */
export interface Places {
  readonly kind: 'state folder' | 'deployment';
  /** What a person calls it. */
  readonly title: string;
  readonly run?: Run;
  readonly endpoints: readonly NamedUrl[];
  readonly ports: readonly { port: number; purpose: string; running: boolean }[];
  readonly databaseUrl?: string;
  /** The database as the schema's owner, who alone can tell which rights are missing. */
  readonly owner?: { readonly url: string; readonly origin: string; readonly shards: number };
  readonly brokers: readonly string[];
  readonly archive?: { readonly name: string; readonly variables: Environment | undefined };
  readonly openBao?: { readonly url: string; readonly caFile?: string };
  readonly disks: readonly string[];
  readonly certificateFolder?: string;
  readonly certificateFiles: readonly string[];
  readonly privateFolder?: string;
  readonly logs: readonly { name: string; file: string }[];
  readonly signersFile?: string;
  /** Service API with the identity that reads the registry. */
  readonly api?: { readonly url: string; readonly ca: string; readonly cert: string; readonly key: string };
  /** Build of the running processes. */
  readonly build?: { readonly digest: string; readonly movedOn: () => Promise<boolean> };
  /** Environment files of the stack, for a bundle. */
  readonly environmentFiles: readonly string[];
}

/** @throws CliError for wrong use, and when there is no kernel to look at */
export async function placesFrom(options: DoctorOptions): Promise<Places> {
  return options.process === undefined || options.process.length === 0
    ? await ofStateFolder(options)
    : ofDeployment(options, options.process);
}

async function ofStateFolder(options: DoctorOptions): Promise<Places> {
  const dir = resolve(options.state ?? defaultState());
  const folder = await StateFolder.find(dir);
  if (folder === undefined) {
    throw new CliError(
      'wrong_usage',
      `There is no kernel in ${dir}; name its folder with --state, or the processes of a deployment with --process NAME=URL.`,
    );
  }
  const { record } = folder;
  const ports = portsFrom(record.portBase);
  const run = readRun(dir);
  const supervised = run !== undefined && isRunning(run.supervisor);
  const services = processesOf(run, ports);
  const running = (name: string) => services.some((one) => one.name === name && one.pid !== null);
  const variables = existsSync(folder.environmentFile)
    ? await readEnvironmentFile(folder.environmentFile)
    : {};
  const [kernel] = ports.kernels;
  const value = (name: string): string | undefined => variables[name];
  const identities = folder.identities;
  const api = { url: value('KERNEL_API_URL'), ca: value('KERNEL_CA_CERT') };
  const caller = { cert: value('KERNEL_OPERATOR_CERT'), key: value('KERNEL_OPERATOR_KEY') };
  const databaseUrl = value('DATABASE_URL');
  const ownerUrl = value('DATABASE_OWNER_URL');
  const { build } = run ?? {};
  const certificateFiles = (options.certificates ?? []).map((file) => resolve(file));
  const disks = [dir, ...(record.archive === 'fs' ? [folder.archive] : []), ...(options.disk ?? [])];
  return {
    kind: 'state folder',
    title: dir,
    run: {
      state: dir,
      established: record.establishedAt !== null,
      supervised,
      services,
      missing: missingOf(folder),
    },
    endpoints: supervised
      ? [
          ...managementOf(ports),
          { name: 'signing-proxy', url: `http://127.0.0.1:${ports.signingProxyManagement}` },
        ]
      : [],
    ports: [
      { port: kernel?.api ?? 0, purpose: 'kernel', running: running('kernel') },
      { port: ports.signingProxy, purpose: 'signing-proxy', running: running('signing-proxy') },
      { port: ports.postgres, purpose: 'postgres', running: running('postgres') },
      { port: ports.identityProvider, purpose: 'identity-provider', running: running('identity-provider') },
      ...ports.workers.map(({ app, management }) => ({
        port: management,
        purpose: app,
        running: running(app),
      })),
      ...(record.stream === 'kafka'
        ? [{ port: ports.kafka, purpose: 'kafka', running: running('kafka') }]
        : []),
      ...(record.archive === 's3' ? [{ port: ports.s3, purpose: 's3', running: running('s3') }] : []),
      ...(record.signer === 'vault-transit'
        ? [{ port: ports.openBao, purpose: 'openbao', running: running('openbao') }]
        : []),
    ],
    ...(supervised && databaseUrl !== undefined ? { databaseUrl } : {}),
    ...(supervised && ownerUrl !== undefined
      ? { owner: { url: ownerUrl, origin: record.origin, shards: record.shards } }
      : {}),
    brokers: supervised && record.stream === 'kafka' ? (value('KAFKA_BROKERS') ?? '').split(',') : [],
    ...(supervised && value('KERNEL_ARCHIVE') !== undefined
      ? {
          archive: {
            name:
              record.archive === 's3'
                ? `bucket ${value('S3_BUCKET')} at ${value('S3_ENDPOINT')}`
                : folder.archive,
            variables,
          },
        }
      : {}),
    ...(supervised && record.signer === 'vault-transit'
      ? { openBao: { url: `https://127.0.0.1:${ports.openBao}`, caFile: join(identities, 'ca.pem') } }
      : {}),
    disks: disks.filter((one) => existsSync(one)),
    certificateFolder: identities,
    certificateFiles,
    privateFolder: dir,
    logs: logsIn(
      folder,
      services.map(({ name }) => name),
      options,
    ),
    ...(options.signers === undefined ? {} : { signersFile: resolve(options.signers) }),
    ...(supervised &&
    api.url !== undefined &&
    api.ca !== undefined &&
    caller.cert !== undefined &&
    caller.key !== undefined
      ? { api: { url: api.url, ca: api.ca, cert: caller.cert, key: caller.key } }
      : {}),
    ...(supervised && build !== undefined
      ? {
          build: {
            digest: build.digest,
            movedOn: async () => (await import('#dev/devstack')).movedOnSince(build),
          },
        }
      : {}),
    environmentFiles: [folder.environmentFile, folder.auditorEnvironmentFile].filter((file) =>
      existsSync(file),
    ),
  };
}

function missingOf(folder: StateFolder): string[] {
  try {
    folder.assertComplete();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

function logsIn(folder: StateFolder, names: readonly string[], { log = [] }: DoctorOptions) {
  return [
    ...[...names, 'supervisor'].map((name) => ({ name, file: join(folder.logs, `${name}.log`) })),
    ...named(log),
  ];
}

function ofDeployment(options: DoctorOptions, processes: readonly string[]): Places {
  if (options.state !== undefined) {
    throw new CliError('wrong_usage', '--state and --process cannot be used together.');
  }
  const endpoints = processes.map((text) => {
    const at = text.indexOf('=');
    const [name, url] = [text.slice(0, at), text.slice(at + 1).replace(/\/$/, '')];
    if (at < 1 || !/^https?:\/\/[^\s/]+$/.test(url)) {
      throw new CliError(
        'wrong_usage',
        `--process ${text}: it looks like NAME=http://HOST:PORT, the management address of a process.`,
      );
    }
    return { name, url };
  });
  const cli = loadPart(cliConfig);
  const { databaseUrl, databaseOwnerUrl, origin, shards } = loadPart(replayConfig);
  const stream = loadPart(replayStreamConfig);
  const archive = loadPart(replayArchiveConfig);
  const named_ = archiveName(archive);
  const { apiUrl: url, caCert: ca, operatorCert: cert, operatorKey: key } = cli;
  return {
    kind: 'deployment',
    title: endpoints.map(({ name }) => name).join(', '),
    endpoints,
    ports: [],
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(databaseOwnerUrl === undefined || origin === undefined
      ? {}
      : { owner: { url: databaseOwnerUrl, origin, shards: shards ?? 1 } }),
    brokers: stream.kafkaTls ? [] : (stream.kafkaBrokers ?? []),
    ...(named_ === undefined ? {} : { archive: { name: named_, variables: undefined } }),
    ...(options.openbaoUrl === undefined
      ? {}
      : {
          openBao: {
            url: options.openbaoUrl,
            ...(options.openbaoCa === undefined ? {} : { caFile: options.openbaoCa }),
          },
        }),
    disks: [...(options.disk ?? [])].map((one) => resolve(one)),
    certificateFiles: (options.certificates ?? []).map((file) => resolve(file)),
    logs: named(options.log ?? []),
    ...(options.signers === undefined ? {} : { signersFile: resolve(options.signers) }),
    ...(url === undefined || ca === undefined || cert === undefined || key === undefined
      ? {}
      : { api: { url, ca, cert, key } }),
    environmentFiles: [],
  };
}

function archiveName(settings: {
  readonly archive: 'fs' | 's3';
  readonly archiveDir?: string | undefined;
  readonly s3Bucket?: string | undefined;
}): string | undefined {
  if (settings.archive === 's3' && settings.s3Bucket !== undefined) return `bucket ${settings.s3Bucket}`;
  return settings.archive === 'fs' ? settings.archiveDir : undefined;
}

/** NAME=FILE, or FILE alone. */
function named(files: readonly string[]): { name: string; file: string }[] {
  return files.map((text) => {
    const match = /^([\w-]+)=(.+)$/.exec(text);
    const file = resolve(match?.[2] ?? text);
    return { name: match?.[1] ?? file, file };
  });
}
