import { followerSettings } from '#platform/audit-stream';
import { defineConfig, processSettings } from '#platform/process';

/** Every setting of the indexer; docs/configuration.md is generated from it. */
export const indexerConfig = defineConfig({
  ...followerSettings('indexed'),
  ...processSettings(8452),
});
