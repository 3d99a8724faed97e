import {
  type Config,
  type MemberDefinition,
  oneOf,
  path,
  readableFile,
  text,
  url,
  wholeNumber,
} from '#platform/process';
import { DEFAULT_RETENTION_DAYS, MAX_RETENTION_DAYS } from './retention-policy';

/** Settings for the place of the archive: every app with an archive spreads them into its own `defineConfig`. */
export const archiveSettings = {
  KERNEL_ARCHIVE: {
    schema: oneOf('fs', 's3'),
    description:
      'Where events are archived: an S3 bucket with versioning and object lock, or for development a write-once folder.',
    default: 'fs',
    inProduction: 'required',
  },
  KERNEL_ARCHIVE_DIR: {
    schema: path().optional(),
    description: 'Folder of the archive, for KERNEL_ARCHIVE=fs. Made when it does not exist.',
    inProduction: 'refused',
  },
  S3_ENDPOINT: {
    schema: url('http', 'https').optional(),
    description: 'An S3 server other than AWS; its buckets are addressed by path. Left out: AWS.',
  },
  S3_BUCKET: {
    schema: text().optional(),
    description:
      'Bucket of the archive, for KERNEL_ARCHIVE=s3. In production it must have versioning and object lock, which is checked at the start.',
  },
  S3_REGION: { schema: text(), description: 'Region of the bucket.', default: 'us-east-1' },
  S3_CA_FILE: {
    schema: readableFile().optional(),
    description: "The authority (PEM) of the S3 server's certificate, when the system does not know it.",
  },
  S3_ACCESS_KEY_ID: {
    schema: text().optional(),
    description:
      'Credentials for the bucket. Left out: what the platform provides (workload identity, instance role, the AWS variables).',
    fromFile: true,
    rotates: true,
  },
  S3_SECRET_ACCESS_KEY: {
    schema: text().optional(),
    description: 'The secret that belongs to S3_ACCESS_KEY_ID.',
    secret: true,
    rotates: true,
  },
  KERNEL_ARCHIVE_RETENTION_MODE: {
    schema: oneOf('GOVERNANCE', 'COMPLIANCE', 'NONE'),
    description:
      'Lock of every object in the bucket. GOVERNANCE: who holds a special right may shorten it; COMPLIANCE: nobody can; NONE, in development only: no lock.',
    default: 'GOVERNANCE',
    inProduction: 'required',
  },
  KERNEL_ARCHIVE_RETENTION_DAYS: {
    schema: wholeNumber({ min: 1, max: MAX_RETENTION_DAYS }),
    description:
      'How long every object stays locked, from the moment of storing. The default is seven years.',
    default: DEFAULT_RETENTION_DAYS,
    unit: 'days',
  },
} as const satisfies Record<string, MemberDefinition>;

const { KERNEL_ARCHIVE, KERNEL_ARCHIVE_DIR, S3_BUCKET, ...S3_ACCESS } = archiveSettings;
const { KERNEL_ARCHIVE_RETENTION_MODE: _mode, KERNEL_ARCHIVE_RETENTION_DAYS: _days, ...S3_READ } = S3_ACCESS;

/** Settings for a process that only reads what is beside the archive, and runs without it too. */
export const archiveReaderSettings = (what: string) =>
  ({
    KERNEL_ARCHIVE: {
      schema: KERNEL_ARCHIVE.schema.optional(),
      description: `Where the archive is, beside which ${what}: s3, or for development fs.`,
    },
    KERNEL_ARCHIVE_DIR,
    S3_BUCKET: {
      schema: S3_BUCKET.schema,
      description: 'Bucket of the archive, for KERNEL_ARCHIVE=s3. It is only read.',
    },
    ...S3_READ,
  }) as const satisfies Record<string, MemberDefinition>;

export type ArchiveReaderSettings = Config<ReturnType<typeof archiveReaderSettings>>;

export type ArchiveSettings = Config<typeof archiveSettings>;
