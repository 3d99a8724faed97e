import {
  type ArchiveChoice,
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
}

/** Reads them from the environment: KAFKA_BROKERS; S3_ENDPOINT with a bucket and its credentials. */
export function serversFrom(config: CliConfig): Servers {
  const { kafkaBrokers, s3Endpoint, s3Bucket, s3Region, s3AccessKeyId, s3SecretAccessKey } = config;
  const brokers = kafkaBrokers === undefined ? {} : { brokers: kafkaBrokers };
  if (s3Endpoint === undefined) return brokers;
  if (s3Bucket === undefined || s3AccessKeyId === undefined || s3SecretAccessKey === undefined) {
    throw new CliError(
      'wrong_usage',
      'S3_ENDPOINT is set; set S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY too, or none of them.',
    );
  }
  return {
    ...brokers,
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
  { brokers, bucket }: Servers,
): void {
  if (signer === 'pkcs11') softHsmModule();
  const missing = [
    signer === 'vault-transit' ? openBaoMissing() : null,
    stream === 'kafka' && brokers === undefined ? kafkaMissing() : null,
    archive === 's3' && bucket === undefined ? s3ServerMissing() : null,
  ].filter((reason) => reason !== null);
  if (missing.length > 0) throw new DevstackError('tool_missing', `${missing.join('; ')}.`);
}

/** Leaves out the stack's own servers, which a shell that has read kernel.env names. */
export function foreignServers({ brokers, bucket }: Servers, ports: StackPorts): Servers {
  return {
    ...(brokers === undefined || brokers.join() === `127.0.0.1:${ports.kafka}` ? {} : { brokers }),
    ...(bucket === undefined || bucket.endpoint === `http://127.0.0.1:${ports.s3}` ? {} : { bucket }),
  };
}

/** The same variables again, for a process that reads them. */
export function serversToUse({ brokers, bucket }: Servers): Record<string, string> {
  return {
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
