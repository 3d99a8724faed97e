import { join } from 'node:path';
import { readSecrets } from './secrets-file';
import { writePrivate } from '../certificates/private-file';
import { type SupervisedService } from '../process/supervised-service';
import { makeFolder } from '../process/folder';
import { type S3Credentials, type S3Server, startS3Server } from '../s3/s3-server';

export type ArchiveChoice = 'fs' | 's3';
export const ARCHIVES: readonly ArchiveChoice[] = ['fs', 's3'];

/** The variables that say where the archive is. */
export type ArchiveEnvironment = Readonly<Record<string, string>>;

/** A bucket on an existing server. */
export interface ForeignBucket extends S3Credentials {
  endpoint: string;
  region: string;
  bucket: string;
}

export interface StackArchiveOptions {
  dir: string;
  archive: ArchiveChoice;
  /** Port of the S3 server that is started here. */
  port: number;
  /** Used instead of a server started here. */
  bucket?: ForeignBucket | undefined;
  restart: boolean;
  onChange?: ((service: SupervisedService, note: string) => void) | undefined;
}

/** The archive of a stack: a folder, or a bucket of an S3 server with object lock and versioning. */
export interface StackArchive {
  environment: ArchiveEnvironment;
  server: S3Server | undefined;
}

const BUCKET = 'kernel-archive';

export async function startArchive(options: StackArchiveOptions): Promise<StackArchive> {
  if (options.archive === 'fs') {
    const dir = join(options.dir, 'archive');
    // Also of a folder whose archive was made when its files were for everyone.
    await makeFolder(dir, 0o700);
    const environment = { KERNEL_ARCHIVE: 'fs', KERNEL_ARCHIVE_DIR: dir };
    return { environment, server: undefined };
  }
  if (options.bucket !== undefined)
    return { environment: bucketEnvironment(options.bucket), server: undefined };
  const dir = join(options.dir, 's3');
  const server = await startS3Server({
    dir,
    port: options.port,
    logFile: join(options.dir, 'logs', 's3.log'),
    restart: options.restart,
    ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
  });
  try {
    const owner = await bucketOwner(server, join(dir, 'archive-owner.json'));
    const { endpoint, region } = server;
    return { environment: bucketEnvironment({ endpoint, region, bucket: BUCKET, ...owner }), server };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function bucketEnvironment(bucket: ForeignBucket): ArchiveEnvironment {
  return {
    KERNEL_ARCHIVE: 's3',
    S3_ENDPOINT: bucket.endpoint,
    S3_REGION: bucket.region,
    S3_BUCKET: bucket.bucket,
    S3_ACCESS_KEY_ID: bucket.accessKeyId,
    S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
  };
}

/** The account that owns the bucket; the bucket is made before the account is written down, so the file means both. */
async function bucketOwner(server: S3Server, file: string): Promise<S3Credentials> {
  const kept = await readSecrets(
    file,
    ['accessKeyId', 'secretAccessKey'],
    "the credentials of the archive's bucket",
  );
  if (kept !== undefined) return kept;
  const owner = await server.addUser();
  await server.createBucket(BUCKET, { owner, objectLock: true });
  await writePrivate(file, `${JSON.stringify(owner, null, 2)}\n`);
  return owner;
}
