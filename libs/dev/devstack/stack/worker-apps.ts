import { type ArchiveEnvironment } from './stack-archive';
import { type StreamEnvironment } from './stack-stream';
import { type CertificateFiles } from '../certificates/development-ca';
import { type DevelopmentIdentities } from '../certificates/development-identities';

const HOST = '127.0.0.1';

/** What a worker's environment is made of. */
export interface WorkerSettings {
  origin: string;
  shards: number;
  /** The state folder, whose disk everything is on. */
  folder: string;
  /** URL of the database, as the workers' role. */
  databaseUrl: string;
  management: number;
  /** Port of what the worker serves to others, where it does. */
  listen: number;
  signingProxyUrl: string;
  identities: DevelopmentIdentities;
  /** Stream settings: KERNEL_STREAM and what belongs to it. */
  stream: StreamEnvironment;
  /** Archive settings: KERNEL_ARCHIVE and what belongs to it. */
  archive: ArchiveEnvironment;
}

interface WorkerApp {
  /** Offset of its management port from the port base: part of the launcher's contract. */
  portOffset: number;
  /** Offset of the port of what it serves to others. */
  listenOffset?: number;
  /** The variables of docs/configuration.md on top of those that every worker has. */
  environment(settings: WorkerSettings): Readonly<Record<string, string>>;
}

/** How a worker reaches the signing proxy, as itself. */
function signingClient(
  signingProxyUrl: string,
  { caCert }: DevelopmentIdentities,
  client: CertificateFiles,
): Record<string, string> {
  return {
    KMS_ENDPOINT: signingProxyUrl,
    KMS_CA_FILE: caCert,
    KMS_CLIENT_CERT_FILE: client.cert,
    KMS_CLIENT_KEY_FILE: client.key,
  };
}

/** The processes behind the event store, by their folders below apps/. A new one is a line here. */
export const WORKER_APPS = {
  'outbox-relay': { portOffset: 11, environment: ({ stream }) => stream },
  indexer: { portOffset: 12, environment: ({ stream }) => stream },
  archiver: {
    portOffset: 13,
    environment: ({ stream, archive, signingProxyUrl, identities }) => ({
      ...stream,
      ...archive,
      ...signingClient(signingProxyUrl, identities, identities.archiverClient),
    }),
  },
  'log-publisher': {
    portOffset: 18,
    listenOffset: 19,
    environment: ({ stream, archive, listen, signingProxyUrl, identities }) => ({
      ...stream,
      ...archive,
      KERNEL_LOG_LISTEN_HOST: HOST,
      KERNEL_LOG_LISTEN_PORT: String(listen),
      ...signingClient(signingProxyUrl, identities, identities.logPublisherClient),
    }),
  },
  auditor: {
    portOffset: 14,
    environment: ({ archive, signingProxyUrl, identities }) => ({
      ...archive,
      ...signingClient(signingProxyUrl, identities, identities.auditorClient),
    }),
  },
} as const satisfies Record<string, WorkerApp>;

export type WorkerName = keyof typeof WORKER_APPS;
export const WORKER_NAMES = Object.keys(WORKER_APPS) as readonly WorkerName[];

export function listenOffset(app: WorkerName): number | undefined {
  return (WORKER_APPS[app] as WorkerApp).listenOffset;
}

/** The whole environment of a worker process. */
export function workerEnvironment(app: WorkerName, settings: WorkerSettings): Record<string, string> {
  return {
    NODE_ENV: 'development',
    KERNEL_ORIGIN: settings.origin,
    KERNEL_SHARDS: String(settings.shards),
    DATABASE_URL: settings.databaseUrl,
    KERNEL_MANAGEMENT_HOST: HOST,
    KERNEL_MANAGEMENT_PORT: String(settings.management),
    KERNEL_DISK_FOLDER: settings.folder,
    ...(WORKER_APPS[app] as WorkerApp).environment(settings),
  };
}
