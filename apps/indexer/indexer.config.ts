import { streamSettings, trustSettings } from '#libs/audit-stream';
import { type ConfigOf, defineConfig } from '#libs/config';
import { workerSettings } from '#libs/event-store';
import { processSettings } from '#libs/observability';

/** Every setting of the indexer; docs/configuration.md is generated from it. */
export const indexerConfig = defineConfig({
  ...workerSettings('indexed'),
  ...streamSettings,
  ...trustSettings,
  ...processSettings(8452),
});

export type IndexerConfig = ConfigOf<typeof indexerConfig>;
