import { streamSettings, streamTopicSettings, trustSettings } from '#platform/audit-stream';
import { defineConfig, processSettings, wholeNumber } from '#platform/process';
import { workerSettings } from '#platform/event-store';
import { DEFAULT_LEASE_MS } from '#platform/postgres';

const RELAYED = workerSettings('published');

/** Every setting of the outbox relay; docs/configuration.md is generated from it. */
export const outboxRelayConfig = defineConfig({
  ...RELAYED,
  DATABASE_URL: {
    ...RELAYED.DATABASE_URL,
    description:
      "PostgreSQL, as the workers' role. A direct address, not that of a pooler: leadership is a session's, and each shard keeps one open.",
  },
  ...streamSettings,
  ...streamTopicSettings,
  ...trustSettings,
  KERNEL_RELAY_LEASE_MS: {
    schema: wholeNumber({ min: 500, max: 60_000 }),
    description:
      'How long other relays wait for one that went silent before they take its shards over. One that was killed is followed at once.',
    default: DEFAULT_LEASE_MS,
    unit: 'ms',
  },
  ...processSettings(8451),
});
