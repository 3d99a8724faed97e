import { archiveSettings } from '#libs/archive';
import { streamSettings, trustSettings } from '#libs/audit-stream';
import { type ConfigOf, defineConfig, text, url } from '#libs/config';

/** Replay's own settings; those of archive and stream are the workers' (docs/configuration.md), read when they are used. */
export const replayConfig = defineConfig({
  DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: 'PostgreSQL. Left out: that of the state folder.',
    secret: true,
  },
  DATABASE_WORKER_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description: "The same as the workers' role, when DATABASE_URL is another's.",
    secret: true,
  },
  KERNEL_ORIGIN: {
    schema: text().optional(),
    description: 'The kernel whose database it has to be.',
  },
  ...trustSettings,
});

export const replayArchiveConfig = defineConfig(archiveSettings);
export const replayStreamConfig = defineConfig(streamSettings);

export type ReplayConfig = ConfigOf<typeof replayConfig>;
