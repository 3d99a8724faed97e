import { type SigningCredentials } from '#platform/sigv4';
import { UsageError } from '../usage.error';

/** A bucket and how to get at it; crosses to worker threads as it is. */
export interface S3Location {
  /** Scheme and host that requests go to; with `bucketInPath`, the bucket is the first segment of the path. */
  readonly endpoint: string;
  readonly bucketInPath: boolean;
  readonly bucket: string;
  /** Prefix of the archive within the bucket: empty, or ends with a slash. */
  readonly prefix: string;
  readonly region: string;
  /** Null: requests are not signed. */
  readonly credentials: SigningCredentials | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** S3 user guide, "General purpose bucket naming rules"; versions older than these rules are not needed here. */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/**
 * Reads `s3://bucket[/prefix]` (at AWS, or at the endpoint of --s3-endpoint, AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL) or
 * `http(s)://host[:port]/bucket[/prefix]`, with region and credentials from the standard AWS variables.
 */
export function readS3Location(text: string, endpoint: string | null, env: Environment): S3Location {
  const refuse = (why: string): UsageError =>
    new UsageError(
      `--s3 ${text} ${why}: it looks like s3://bucket/prefix or https://host:port/bucket/prefix.`,
    );
  if (!URL.canParse(text)) throw refuse('is no URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '')
    throw refuse('has credentials in it, which belong in AWS_*');
  if (url.search !== '' || url.hash !== '') throw refuse('has a query');
  const shared = { region: regionOf(env), credentials: credentialsOf(env) };
  if (url.protocol === 's3:') {
    const bucket = url.host;
    if (!BUCKET.test(bucket)) throw refuse('names no bucket');
    const at = endpoint ?? set(env['AWS_ENDPOINT_URL_S3']) ?? set(env['AWS_ENDPOINT_URL']);
    const where =
      at === null
        ? { endpoint: `https://${bucket}.s3.${shared.region}.amazonaws.com`, bucketInPath: false }
        : { endpoint: endpointOf(at), bucketInPath: true };
    return { ...shared, ...where, bucket, prefix: prefixOf(url.pathname) };
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse('has another scheme');
  if (endpoint !== null) throw refuse('names its endpoint itself, leave --s3-endpoint out');
  const [, bucket = '', ...rest] = url.pathname.split('/');
  if (!BUCKET.test(bucket)) throw refuse('names no bucket');
  return {
    ...shared,
    endpoint: url.origin,
    bucketInPath: true,
    bucket,
    prefix: prefixOf(`/${rest.join('/')}`),
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.pathname !== '/') {
    throw new UsageError(`The S3 endpoint ${text} is no URL such as https://s3.example.com.`);
  }
  return url.origin;
}

/** Path without a leading slash, with a trailing one. */
function prefixOf(pathname: string): string {
  const path = decodeURIComponent(pathname).replace(/^\/+/, '').replace(/\/+$/, '');
  return path === '' ? '' : `${path}/`;
}

function regionOf(env: Environment): string {
  return set(env['AWS_REGION']) ?? set(env['AWS_DEFAULT_REGION']) ?? 'us-east-1';
}

function credentialsOf(env: Environment): SigningCredentials | null {
  const accessKeyId = set(env['AWS_ACCESS_KEY_ID']);
  const secretAccessKey = set(env['AWS_SECRET_ACCESS_KEY']);
  if (accessKeyId === null && secretAccessKey === null) return null;
  if (accessKeyId === null || secretAccessKey === null) {
    throw new UsageError('Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or none of them.');
  }
  return { accessKeyId, secretAccessKey, sessionToken: set(env['AWS_SESSION_TOKEN']) };
}

function set(value: string | undefined): string | null {
  return value === undefined || value === '' ? null : value;
}
