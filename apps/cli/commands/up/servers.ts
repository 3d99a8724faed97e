import { type BackupPlace, backupPlaceOf } from '#platform/backup';
import {
  type ArchiveChoice,
  backupToolsMissing,
  DevstackError,
  type ForeignBucket,
  kafkaMissing,
  openBaoMissing,
  s3ServerMissing,
  type SignerChoice,
  softHsmModule,
  type StackPorts,
  type StreamChoice,
} from '#dev/devstack';
import { type CliConfig } from '../../cli.config';
import { CliError } from '../../cli.error';

/** Existing servers, used instead of those that `up` would start. */
export interface Servers {
  brokers?: readonly string[] | undefined;
  bucket?: ForeignBucket | undefined;
  /** Where spans go, and the part of the traces that is recorded. */
  collector?: { readonly endpoint: string; readonly ratio?: number | undefined } | undefined;
  /** Where backups of the database go: PostgreSQL archives its log there. */
  backup?: BackupPlace | undefined;
}

/** Reads them from the environment: KAFKA_BROKERS; S3_ENDPOINT with a bucket and its credentials; OTEL_EXPORTER_OTLP_ENDPOINT. */
export function serversFrom(config: CliConfig): Servers {
  const { kafkaBrokers, s3Endpoint, s3Bucket, s3Region, s3AccessKeyId, s3SecretAccessKey } = config;
  const { otelExporterOtlpEndpoint: endpoint, otelTracesSamplerArg: ratio } = config;
  const backup = backupPlaceOf(config);
  const others = {
    ...(backup === null ? {} : { backup }),
    ...(kafkaBrokers === undefined ? {} : { brokers: kafkaBrokers }),
    ...(endpoint === undefined ? {} : { collector: { endpoint, ratio } }),
  };
  if (s3Endpoint === undefined) return others;
  if (s3Bucket === undefined || s3AccessKeyId === undefined || s3SecretAccessKey === undefined) {
    throw new CliError(
      'wrong_usage',
      'S3_ENDPOINT is set; set S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY too, or none of them.',
    );
  }
  return {
    ...others,
    bucket: {
      endpoint: s3Endpoint,
      region: s3Region,
      bucket: s3Bucket,
      accessKeyId: s3AccessKeyId,
      secretAccessKey: s3SecretAccessKey,
    },
  };
}

/** Refuses what this machine cannot run before a state folder records it. @throws DevstackError `tool_missing` */
export function assertServersThere(
  { signer, stream, archive }: { signer?: SignerChoice; stream?: StreamChoice; archive?: ArchiveChoice },
  { brokers, bucket, backup }: Servers,
): void {
  if (signer === 'pkcs11') softHsmModule();
  const missing = [
    signer === 'vault-transit' ? openBaoMissing() : null,
    stream === 'kafka' && brokers === undefined ? kafkaMissing() : null,
    archive === 's3' && bucket === undefined ? s3ServerMissing() : null,
    backup === undefined ? null : backupToolsMissing(),
  ].filter((reason) => reason !== null);
  if (missing.length > 0) throw new DevstackError('tool_missing', `${missing.join('; ')}.`);
}

/** Leaves out the stack's own servers, which a shell that has read kernel.env names. */
export function foreignServers({ brokers, bucket, collector, backup }: Servers, ports: StackPorts): Servers {
  return {
    ...(collector === undefined ? {} : { collector }),
    ...(backup === undefined ? {} : { backup }),
    ...(brokers === undefined || brokers.join() === `127.0.0.1:${ports.kafka}` ? {} : { brokers }),
    ...(bucket === undefined || bucket.endpoint === `http://127.0.0.1:${ports.s3}` ? {} : { bucket }),
  };
}

/** The same variables again, for a process that reads them. */
export function serversToUse({ brokers, bucket, collector, backup }: Servers): Record<string, string> {
  return {
    ...collectorVariables(collector),
    ...backupVariables(backup),
    ...(brokers === undefined ? {} : { KAFKA_BROKERS: brokers.join(',') }),
    ...(bucket === undefined
      ? {}
      : {
          S3_ENDPOINT: bucket.endpoint,
          S3_BUCKET: bucket.bucket,
          S3_REGION: bucket.region,
          S3_ACCESS_KEY_ID: bucket.accessKeyId,
          S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
        }),
  };
}

/** Variables of every process of the stack, and of the process that starts it. */
export function collectorVariables(collector: Servers['collector']): Record<string, string> {
  if (collector === undefined) return {};
  const { endpoint, ratio } = collector;
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    ...(ratio === undefined ? {} : { OTEL_TRACES_SAMPLER_ARG: String(ratio) }),
  };
}

/** Variables that name a place of backups. */
export function backupVariables(backup: Servers['backup']): Record<string, string> {
  if (backup === undefined) return {};
  const { endpoint, credentials } = backup;
  return {
    KERNEL_BACKUP_DESTINATION: backup.destination,
    KERNEL_BACKUP_SERVER_NAME: backup.serverName,
    KERNEL_BACKUP_S3_REGION: backup.region,
    ...(endpoint === undefined ? {} : { KERNEL_BACKUP_S3_ENDPOINT: endpoint }),
    ...(credentials === undefined
      ? {}
      : {
          KERNEL_BACKUP_S3_ACCESS_KEY_ID: credentials.accessKeyId,
          KERNEL_BACKUP_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        }),
  };
}
