import { type Config, type MemberDefinition, matching, text, url } from '#platform/process';

/** Where backups of the database are; spread into `defineConfig` by whoever makes or watches them. */
export const backupSettings = {
  KERNEL_BACKUP_DESTINATION: {
    schema: matching(
      /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w./-]*)?$/,
      's3://bucket or s3://bucket/path',
    ).optional(),
    description:
      "Where backups of the database are: the `destinationPath` of CloudNativePG's barman-cloud plugin. Left out: there are none.",
  },
  KERNEL_BACKUP_SERVER_NAME: {
    schema: matching(/^[\w.-]{1,63}$/, 'letters, digits, dots, dashes and underscores'),
    description: "The server's name below the destination: the plugin's `serverName`.",
    default: 'kernel',
  },
  KERNEL_BACKUP_S3_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description: 'The S3 server of the backups, when it is not AWS.',
  },
  KERNEL_BACKUP_S3_REGION: { schema: text(), description: 'Its region.', default: 'us-east-1' },
  KERNEL_BACKUP_S3_ACCESS_KEY_ID: {
    schema: text().optional(),
    description: 'Credentials for the backups. Left out: what the platform provides.',
    fromFile: true,
  },
  KERNEL_BACKUP_S3_SECRET_ACCESS_KEY: {
    schema: text().optional(),
    description: 'The secret that belongs to KERNEL_BACKUP_S3_ACCESS_KEY_ID.',
    secret: true,
  },
} as const satisfies Record<string, MemberDefinition>;

/** A place of backups. */
export interface BackupPlace {
  /** s3://bucket or s3://bucket/path, without a slash at the end. */
  readonly destination: string;
  readonly serverName: string;
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Undefined: what the platform provides. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** The place that the settings name; null when they name none. */
export function backupPlaceOf(settings: Config<typeof backupSettings>): BackupPlace | null {
  const { backupDestination, backupS3AccessKeyId, backupS3SecretAccessKey } = settings;
  if (backupDestination === undefined) return null;
  return {
    destination: backupDestination.replace(/\/+$/, ''),
    serverName: settings.backupServerName,
    endpoint: settings.backupS3Endpoint,
    region: settings.backupS3Region,
    credentials:
      backupS3AccessKeyId === undefined || backupS3SecretAccessKey === undefined
        ? undefined
        : { accessKeyId: backupS3AccessKeyId, secretAccessKey: backupS3SecretAccessKey },
  };
}
