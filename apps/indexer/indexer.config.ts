import { followerSettings } from '#platform/audit-stream';
import { type ConfigOf, defineConfig, processSettings } from '#platform/process';

/** Every setting of the indexer; docs/configuration.md is generated from it. */
export const indexerConfig = defineConfig({
  ...followerSettings('indexed'),
  ...processSettings(8452),
});

export type IndexerConfig = ConfigOf<typeof indexerConfig>;
