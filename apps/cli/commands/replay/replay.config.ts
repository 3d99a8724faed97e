import { MAX_SHARDS } from '#evidence';
import { archiveSettings } from '#platform/archive';
import { streamSettings, trustSettings } from '#platform/audit-stream';
import { type ConfigOf, defineConfig, text, url, wholeNumber } from '#platform/process';

/** Replay's own settings; those of archive and stream are the workers' (docs/configuration.md), read when they are used. */
export const replayConfig = defineConfig({
  DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: 'PostgreSQL. Left out: that of the state folder.',
    secret: true,
  },
  DATABASE_WORKER_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: "The same as the workers' role, when DATABASE_URL has another role.",
    secret: true,
  },
  DATABASE_OWNER_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: "The same as the schema's owner: for `--to store`, which fills an empty database.",
    secret: true,
  },
  KERNEL_ORIGIN: {
    schema: text().optional(),
    description: 'The kernel that the database must belong to, or, when it is empty, is to belong to again.',
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: MAX_SHARDS }).optional(),
    description: 'For an empty database: how many chains the events were spread over.',
  },
  ...trustSettings,
});

export const replayArchiveConfig = defineConfig(archiveSettings);
export const replayStreamConfig = defineConfig(streamSettings);

export type ReplayConfig = ConfigOf<typeof replayConfig>;
