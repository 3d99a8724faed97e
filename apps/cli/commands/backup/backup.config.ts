import { backupSettings } from '#platform/backup';
import { defineConfig, type MemberDefinition, text, url, wholeNumber } from '#platform/process';

/** Settings of `./kernel backup`; those of the archive are the workers' (docs/configuration.md), read when they are used. */
export const backupCommandSettings = {
  ...backupSettings,
  KERNEL_BACKUP_DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description:
      'The server that is backed up, as a superuser or a role that may run pg_backup_start and read pg_stat_archiver. The command runs on its machine.',
    secret: true,
  },
  KERNEL_BACKUP_DATABASE: {
    schema: text(),
    description: "Name of the kernel's database on that server.",
    default: 'kernel',
  },
  KERNEL_BACKUP_RETENTION_DAYS: {
    schema: wholeNumber({ min: 1, max: 3_650 }),
    description:
      'The database can be restored to any time in so many days back; base backups and log files that this does not need are deleted.',
    default: 30,
    unit: 'days',
  },
} as const satisfies Record<string, MemberDefinition>;

export const backupConfig = defineConfig(backupCommandSettings);
