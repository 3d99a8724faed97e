import { type ConfigOf, decimal, defineConfig, list, readableFile, text, url } from '#platform/process';
import { backupCommandSettings } from './commands/backup/backup.config';

/**
 * What the operator's CLI takes from the environment: the variables of kernel.env, so that it works after
 * `set -a; . kernel.env; set +a` and against a kernel elsewhere. Options on the command line come first.
 */
export const cliConfig = defineConfig({
  KERNEL_API_URL: {
    schema: url('https').optional(),
    description: 'The service API that the commands talk to.',
  },
  KERNEL_CA_CERT: {
    schema: readableFile().optional(),
    description: "The authority (PEM) of the service API's certificate.",
  },
  KERNEL_OPERATOR_CERT: {
    schema: readableFile().optional(),
    description: "The operator's client certificate (PEM).",
  },
  KERNEL_OPERATOR_KEY: { schema: readableFile().optional(), description: 'Its private key (PEM).' },
  KERNEL_ORIGIN: {
    schema: text().optional(),
    description: 'The kernel whose chain `audit verify` expects.',
  },
  DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: 'The event store that `audit verify` reads.',
    secret: true,
  },
  KAFKA_BROKERS: {
    schema: list(text(), 'host:port, separated by commas').optional(),
    description: 'Brokers that `up --stream kafka` uses instead of starting one.',
  },
  S3_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description: 'The S3 server that `up --archive s3` uses instead of starting one.',
  },
  S3_BUCKET: {
    schema: text().optional(),
    description: 'The bucket there, with versioning and object lock.',
  },
  S3_REGION: { schema: text(), description: 'Its region.', default: 'us-east-1' },
  S3_ACCESS_KEY_ID: { schema: text().optional(), description: 'Credentials for the bucket.' },
  S3_SECRET_ACCESS_KEY: {
    schema: text().optional(),
    description: 'The secret that belongs to S3_ACCESS_KEY_ID.',
    secret: true,
  },
  ...backupCommandSettings,
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description: 'The OpenTelemetry collector that the processes of `up` send spans to.',
  },
  OTEL_TRACES_SAMPLER_ARG: {
    schema: decimal({ min: 0, max: 1 }).optional(),
    description: 'Part of the traces that begin in those processes which is recorded.',
  },
});

export type CliConfig = ConfigOf<typeof cliConfig>;
