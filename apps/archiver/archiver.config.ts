import { archiveSettings } from '#platform/archive';
import { followerSettings } from '#platform/audit-stream';
import { defineConfig, processSettings, wholeNumber } from '#platform/process';
import { documentSigningSettings } from '#platform/signer';

/** Every setting of the archiver; docs/configuration.md is generated from it. */
export const archiverConfig = defineConfig({
  ...followerSettings('archived'),
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
  ...documentSigningSettings(
    'archive-day',
    'the manifests of days. While it is unavailable they wait, events do not.',
  ),
  ...processSettings(8453),
});
