import { type S3ClientConfig } from '@aws-sdk/client-s3';
import { ArchiveError } from '../archive.error';

/** Address of a bucket's objects, and the scope of their signatures. */
export interface BucketAddress {
  /** https://host or https://host:port. */
  origin: string;
  /** Part of the path before a key. */
  pathPrefix: string;
  region: string;
  service: string;
}

interface ResolvedRequest {
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
}

interface AuthScheme {
  name: string;
  signingRegion?: string;
  signingName?: string;
}

const KEY = 'key';
/** The SDK wants credentials before it determines an address, which does not depend on them. */
const NOBODY = { accessKeyId: 'nobody', secretAccessKey: 'nobody' };

/**
 * Asks the SDK where a put to the bucket would go: its rules know partitions, FIPS and dual-stack addresses, buckets that
 * cannot be a host name, and endpoints from the platform's own configuration. Nothing is sent.
 * @throws ArchiveError `invalid_options`
 */
export async function bucketAddress(
  sdk: typeof import('@aws-sdk/client-s3'),
  config: S3ClientConfig,
  bucket: string,
): Promise<BucketAddress> {
  const client = new sdk.S3Client({ ...config, credentials: NOBODY });
  let found: { request: ResolvedRequest; scheme: AuthScheme | undefined } | undefined;
  const command = new sdk.PutObjectCommand({ Bucket: bucket, Key: KEY, Body: '' });
  command.middlewareStack.add(
    (_next, context) => (args) => {
      const { authSchemes } = (context.endpointV2?.properties ?? {}) as { authSchemes?: AuthScheme[] };
      found = { request: args.request as ResolvedRequest, scheme: authSchemes?.[0] };
      return Promise.resolve({ output: { $metadata: {} }, response: undefined });
    },
    { step: 'build', priority: 'high', name: 'bucketAddress' },
  );
  try {
    await client.send(command);
  } catch (error) {
    throw new ArchiveError(
      'invalid_options',
      `There is no address for bucket ${bucket}: ${(error as Error).message.replace(/\.$/, '')}. See S3_ENDPOINT and S3_REGION.`,
      { bucket },
    );
  } finally {
    client.destroy();
  }
  const { request, scheme } = found ?? {};
  if (request === undefined || scheme?.name !== 'sigv4' || scheme.signingRegion === undefined) {
    // Directory buckets (S3 Express), for example, have neither versions nor object lock.
    throw new ArchiveError(
      'unsupported',
      `Bucket ${bucket} takes requests signed by ${scheme?.name ?? 'an unknown scheme'} only; the archive needs a general purpose bucket.`,
      { bucket },
    );
  }
  const { protocol, hostname, port, path } = request;
  return {
    origin: `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`,
    pathPrefix: path.slice(0, -KEY.length),
    region: scheme.signingRegion,
    service: scheme.signingName ?? 's3',
  };
}
