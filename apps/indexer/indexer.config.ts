import { streamSettings, trustSettings } from '#libs/audit-stream';
import { type ConfigOf, defineConfig, matching, oneOf, port, text, url, wholeNumber } from '#libs/config';

/** Every setting of the indexer; docs/configuration.md is generated from it. */
export const indexerConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description: "The kernel whose events are indexed, exactly as in the kernel's own setting.",
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
  KERNEL_MANAGEMENT_HOST: {
    schema: text(),
    description: 'Address on which /health, /ready and /metrics listen (HTTP, no secrets).',
    default: '0.0.0.0',
  },
  KERNEL_MANAGEMENT_PORT: {
    schema: port(),
    description: 'Port of /health, /ready and /metrics.',
    default: 8452,
  },
  KERNEL_LOG_LEVEL: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe log line that is written.',
    default: 'info',
  },
});

export type IndexerConfig = ConfigOf<typeof indexerConfig>;
