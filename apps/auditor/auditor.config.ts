import { archiveSettings } from '#platform/archive';
import { trustSettings } from '#platform/audit-stream';
import { backupSettings } from '#platform/backup';
import { defineConfig, matching, processSettings, wholeNumber } from '#platform/process';
import { workerSettings } from '#platform/event-store';
import { documentSigningSettings } from '#platform/signer';

/** Every setting of the auditor; docs/configuration.md is generated from it. */
export const auditorConfig = defineConfig({
  ...workerSettings('audited'),
  ...trustSettings,
  ...archiveSettings,
  KERNEL_ARCHIVE_PARALLEL: {
    schema: wholeNumber({ min: 1, max: 512 }),
    description: 'Objects of the archive that are read at once.',
    default: 32,
  },
  KERNEL_AUDIT_TIME: {
    schema: matching(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'a time of day such as 02:00'),
    description: 'When the whole audit runs every day (UTC).',
    default: '02:00',
  },
  KERNEL_SPOT_CHECK_MINUTES: {
    schema: wholeNumber({ min: 0, max: 1_440 }),
    description: 'Time between random spot checks; 0: none.',
    default: 15,
    unit: 'minutes',
  },
  KERNEL_SPOT_CHECK_EVENTS: {
    schema: wholeNumber({ min: 1, max: 10_000 }),
    description: 'Events of each shard that one spot check looks at.',
    default: 100,
  },
  ...backupSettings,
  ...documentSigningSettings('audit-report', 'the seals of reports.'),
  ...processSettings(8454),
});
