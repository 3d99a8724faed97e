/**
 * Backups of the database as barman-cloud and CloudNativePG's plugin lay them out in a bucket: which there are, and what is
 * missing. It only reads; what makes them and puts them back is in apps/cli.
 */
export { BackupCatalogue, type BaseBackup, type NewestWal, type RestorePlan } from './backup-catalogue';
export { type BackupPlace, backupPlaceOf, backupSettings } from './backup-settings';
export { isSegment, walAfter } from './wal-names';
