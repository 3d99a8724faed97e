import { streamSettings, streamTopicSettings } from '#libs/audit-stream';
import { type ConfigOf, defineConfig, matching, oneOf, port, text, url, wholeNumber } from '#libs/config';
import { DEFAULT_LEASE_MS } from '#libs/leadership';

/** Every setting of the outbox relay; docs/configuration.md is generated from it. */
export const outboxRelayConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description: "The kernel whose events are published, exactly as in the kernel's own setting.",
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: 256 }),
    description: "How many chains the events are spread over, as in the kernel's own setting.",
    default: 1,
  },
  DATABASE_URL: {
    schema: url('postgres', 'postgresql'),
    description:
      "PostgreSQL, as the workers' role. A direct address, not that of a pooler: leadership is a session's, and each shard keeps one open.",
    secret: true,
  },
  ...streamSettings,
  ...streamTopicSettings,
  KERNEL_RELAY_LEASE_MS: {
    schema: wholeNumber({ min: 500, max: 60_000 }),
    description:
      'How long other relays wait for one that went silent before they take its shards over. One that was killed is followed at once.',
    default: DEFAULT_LEASE_MS,
    unit: 'ms',
  },
  KERNEL_MANAGEMENT_HOST: {
    schema: text(),
    description: 'Address on which /health, /ready and /metrics listen (HTTP, no secrets).',
    default: '0.0.0.0',
  },
  KERNEL_MANAGEMENT_PORT: {
    schema: port(),
    description: 'Port of /health, /ready and /metrics.',
    default: 8451,
  },
  KERNEL_LOG_LEVEL: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe log line that is written.',
    default: 'info',
  },
});

export type OutboxRelayConfig = ConfigOf<typeof outboxRelayConfig>;
