import { streamSettings, trustSettings } from '#platform/audit-stream';
import { type ConfigOf, defineConfig, processSettings } from '#platform/process';
import { workerSettings } from '#platform/event-store';

/** Every setting of the indexer; docs/configuration.md is generated from it. */
export const indexerConfig = defineConfig({
  ...workerSettings('indexed'),
  ...streamSettings,
  ...trustSettings,
  ...processSettings(8452),
});

export type IndexerConfig = ConfigOf<typeof indexerConfig>;
