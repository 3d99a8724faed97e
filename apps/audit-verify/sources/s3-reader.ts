import { setTimeout as delay } from 'node:timers/promises';
import { queryText, RequestSigner, uriEncode } from '#platform/sigv4';
import { UsageError } from '../usage.error';
import { type S3Location } from './s3-location';

/** S3's own maximum for one page. */
const PAGE = 1_000;
const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 200;
/** Time limit for one attempt, its body included. */
const TIMEOUT_MS = 30_000;
/** An event has 64 KiB, a manifest less. A larger object is read only far enough to show that it is too large. */
const MOST_BYTES = 1 << 20;
/** A page of a thousand keys of 1,024 bytes, each escaped, with the XML around them. */
const MOST_LIST_BYTES = 1 << 24;
/** SHA-256 of no body: requests here only read. */
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

class PassingFailure extends Error {}

/** Reads a bucket: a page of keys, an object. The part of S3 that a verifier needs, over fetch alone. */
export class S3Reader {
  private readonly signer: RequestSigner;

  constructor(private readonly location: S3Location) {
    this.signer = new RequestSigner(location.region, 's3');
  }

  /** Keys below a prefix, both without the archive's own prefix, in the order of their bytes. */
  async *keys(below: string): AsyncGenerator<string> {
    const { prefix } = this.location;
    let after: string | null = null;
    for (;;) {
      const query: [string, string][] = [
        ['list-type', '2'],
        ['encoding-type', 'url'],
        ['max-keys', String(PAGE)],
        ['prefix', prefix + below],
      ];
      if (after !== null) query.push(['start-after', after]);
      const bytes = await this.get('', query, MOST_LIST_BYTES);
      if (bytes === null) throw new UsageError(`There is no bucket ${this.location.bucket}.`);
      const page = readPage(Buffer.from(bytes).toString('utf8'), this.location.bucket);
      for (const key of page.keys) {
        // Continuing from the last key must advance, or the listing would never end.
        if (after !== null && Buffer.compare(Buffer.from(key), Buffer.from(after)) <= 0) {
          throw new UsageError(`Bucket ${this.location.bucket} does not list its keys in order.`);
        }
        after = key;
        yield key.slice(prefix.length);
      }
      if (!page.more || page.keys.length === 0) return;
    }
  }

  /** The bytes of an object, at most somewhat more than an object of the archive has; null when it is not there. */
  async object(key: string): Promise<Uint8Array | null> {
    return this.get(this.location.prefix + key, [], MOST_BYTES);
  }

  private async get(
    key: string,
    query: readonly (readonly [string, string])[],
    most: number,
  ): Promise<Uint8Array | null> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt(key, query, most);
      } catch (error) {
        if (error instanceof UsageError) throw error;
        if (attempt < ATTEMPTS) {
          await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
          continue;
        }
        const { endpoint, bucket } = this.location;
        throw new UsageError(`Bucket ${bucket} at ${endpoint} cannot be read: ${whyOf(error)}.`, {
          cause: error,
        });
      }
    }
  }

  private signed(path: string, query: readonly (readonly [string, string])[]): Record<string, string> {
    const { endpoint, credentials } = this.location;
    if (credentials === null) return {};
    const request = { method: 'GET', path, query, headers: { host: new URL(endpoint).host } };
    const { host: _, ...sent } = this.signer.sign(
      { ...request, payloadSha256: EMPTY_SHA256 },
      credentials,
      new Date(),
    );
    return sent;
  }

  private async attempt(
    key: string,
    query: readonly (readonly [string, string])[],
    most: number,
  ): Promise<Uint8Array | null> {
    const { endpoint, bucketInPath, bucket } = this.location;
    const segments = [...(bucketInPath ? [bucket] : []), ...(key === '' ? [] : key.split('/'))];
    const path = `/${segments.map(uriEncode).join('/')}`;
    const search = query.length === 0 ? '' : `?${queryText(query)}`;
    const response = await fetch(`${endpoint}${path}${search}`, {
      headers: this.signed(path, query),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const bytes = await bodyOf(response, most);
    if (response.status === 200) return bytes;
    const text = Buffer.from(bytes).toString('utf8');
    const code = /<Code>([A-Za-z0-9]+)<\/Code>/.exec(text)?.[1] ?? `status ${response.status}`;
    if (code === 'NoSuchKey' || (response.status === 404 && key !== '')) return null;
    if (response.status >= 500 || response.status === 429 || code === 'RequestTimeout') {
      throw new PassingFailure(code);
    }
    throw new UsageError(`Bucket ${bucket} at ${endpoint} cannot be read: ${code}.${adviceFor(code)}`);
  }
}

function adviceFor(code: string): string {
  if (/AccessDenied|Signature|AccessKey|Token|status 40[13]/.test(code)) {
    return ' Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION of an account that may list and read it.';
  }
  if (/Redirect|status 30/.test(code)) return ' Set AWS_REGION to the region of the bucket.';
  return '';
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says "fetch failed"; its cause says what is wrong.
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}

/** The body, or its beginning when it is larger than what is wanted of it. */
async function bodyOf(response: Response, most: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > most) break;
  }
  const expected = response.headers.get('content-length');
  if (size <= most && expected !== null && response.headers.get('content-encoding') === null) {
    if (Number(expected) !== size) throw new PassingFailure('the answer broke off');
  }
  return Buffer.concat(chunks);
}

/** ListObjectsV2 with encoding-type=url: keys hold no character that XML would escape. */
function readPage(xml: string, bucket: string): { keys: string[]; more: boolean } {
  const truncated = /<IsTruncated>(true|false)<\/IsTruncated>/.exec(xml)?.[1];
  if (truncated === undefined) throw new UsageError(`What answers for bucket ${bucket} is not S3.`);
  const keys = [...xml.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => decoded(key));
  return { keys, more: truncated === 'true' };
}

/** What no archive wrote may be encoded in some other way: it is no event either. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return key;
  }
}
