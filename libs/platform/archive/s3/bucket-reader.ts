import { archiveErrorOf, s3Failure } from './s3-failure';
import { clientConfig, type S3Credentials } from './s3-archive';
import { ArchiveError } from '../archive.error';

export interface BucketReaderOptions {
  readonly bucket: string;
  readonly region: string;
  /** URL of a server other than AWS. */
  readonly endpoint?: string;
  /** Default: what the platform provides. */
  readonly credentials?: S3Credentials;
}

export interface ListedKey {
  readonly key: string;
  readonly bytes: number;
  /** When the object was stored, by the server's clock. */
  readonly storedAt: Date;
}

/** Keys directly below a prefix, and the prefixes (each with its slash) below which there are more. */
export interface ListedLevel {
  readonly keys: readonly ListedKey[];
  readonly prefixes: readonly string[];
}

/** A bucket that others write to: it is only listed and read, by the same address and credentials as an archive. */
export interface BucketReader {
  readonly bucket: string;
  /** One level of the bucket, in the order of the keys. @throws ArchiveError */
  level(prefix: string): Promise<ListedLevel>;
  /** An object's bytes; null when it is not there. @throws ArchiveError, also for one of more bytes than `most` */
  get(key: string, most: number): Promise<Uint8Array | null>;
  close(): void;
}

const ATTEMPTS = 3;
/** Time limit of one request, its body included. */
const TIMEOUT_MS = 30_000;

/** Loads the SDK when it is called; contacts no server yet. */
export async function openBucketReader(options: BucketReaderOptions): Promise<BucketReader> {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    ...clientConfig({ ...options, retention: null }),
    maxAttempts: ATTEMPTS,
  });
  const { bucket } = options;
  const secrets = options.credentials === undefined ? [] : [options.credentials.secretAccessKey];
  const failed = (doing: string, error: unknown): ArchiveError =>
    error instanceof ArchiveError
      ? error
      : archiveErrorOf(s3Failure(error, secrets), { doing, bucket, attempts: ATTEMPTS });
  return {
    bucket,
    async level(prefix) {
      const keys: ListedKey[] = [];
      const prefixes: string[] = [];
      let token: string | undefined;
      do {
        try {
          const page = await client.send(
            new sdk.ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix,
              Delimiter: '/',
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
            { abortSignal: AbortSignal.timeout(TIMEOUT_MS) },
          );
          for (const { Key, Size, LastModified } of page.Contents ?? []) {
            if (Key === undefined) continue;
            keys.push({ key: Key, bytes: Size ?? 0, storedAt: LastModified ?? new Date(0) });
          }
          for (const { Prefix } of page.CommonPrefixes ?? []) {
            if (Prefix !== undefined) prefixes.push(Prefix);
          }
          token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
        } catch (error) {
          throw failed(`list ${prefix}`, error);
        }
      } while (token !== undefined);
      return { keys, prefixes };
    },
    async get(key, most) {
      try {
        const answer = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key }), {
          abortSignal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if ((answer.ContentLength ?? 0) > most) {
          throw new ArchiveError('unsupported', `${key} has more than ${most} bytes.`, { key });
        }
        return (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      } catch (error) {
        if ((error as { name?: string }).name === 'NoSuchKey') return null;
        throw failed(`read ${key}`, error);
      }
    },
    close: () => client.destroy(),
  };
}
