import { archiveSettings } from '#libs/archive';
import { streamSettings, trustSettings } from '#libs/audit-stream';
import {
  certificateFile,
  type ConfigOf,
  defineConfig,
  matching,
  oneOf,
  port,
  readableFile,
  text,
  url,
  wholeNumber,
} from '#libs/config';

/** Every setting of the archiver; docs/configuration.md is generated from it. */
export const archiverConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description: "The kernel whose events are archived, exactly as in the kernel's own setting.",
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: 256 }),
    description: "How many chains the events are spread over, as in the kernel's own setting.",
    default: 1,
  },
  DATABASE_URL: {
    schema: url('postgres', 'postgresql'),
    description: "PostgreSQL, as the workers' role.",
    secret: true,
  },
  ...streamSettings,
  ...trustSettings,
  ...archiveSettings,
  KERNEL_ARCHIVE_PARALLEL: {
    schema: wholeNumber({ min: 1, max: 512 }),
    description: 'Operations on the archive under way at once.',
    default: 32,
  },
  KERNEL_ARCHIVE_DAY_GRACE_MINUTES: {
    schema: wholeNumber({ min: 1, max: 1_440 }),
    description:
      'How long after midnight (UTC) the manifest of a day waits when no later event has come: more than the clocks of kernels can be behind.',
    default: 60,
    unit: 'minutes',
  },
  KMS_ENDPOINT: {
    schema: url('https'),
    description: 'The signing proxy, for the manifests of days. While it is away they wait, events do not.',
  },
  KMS_CA_FILE: {
    schema: certificateFile('authorities'),
    description: "The authority (PEM) of the signing proxy's certificate.",
  },
  KMS_CLIENT_CERT_FILE: {
    schema: certificateFile(),
    description:
      "This process's client certificate (PEM) for the signing proxy, which allows it archive-day and nothing else.",
  },
  KMS_CLIENT_KEY_FILE: { schema: readableFile(), description: 'Its private key (PEM).' },
  KERNEL_MANAGEMENT_HOST: {
    schema: text(),
    description: 'Address on which /health, /ready and /metrics listen (HTTP, no secrets).',
    default: '0.0.0.0',
  },
  KERNEL_MANAGEMENT_PORT: {
    schema: port(),
    description: 'Port of /health, /ready and /metrics.',
    default: 8453,
  },
  KERNEL_LOG_LEVEL: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe log line that is written.',
    default: 'info',
  },
});

export type ArchiverConfig = ConfigOf<typeof archiverConfig>;
