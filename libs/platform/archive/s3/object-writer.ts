import { type HttpAnswer, HttpClient } from '#platform/http-client';
import { RequestSigner, type SigningCredentials } from '#platform/sigv4';
import { type BucketAddress } from './bucket-address';
import { S3Refusal } from './s3-failure';

export interface ObjectWriterOptions {
  address: BucketAddress;
  /** PEM of the CA that signed the server's certificate, when the system does not know it. */
  ca?: string | Buffer | undefined;
  connections: number;
  connectTimeoutMs: number;
}

export interface PutRequest {
  /** A key of the archive; a path needs no escapes for its characters. */
  key: string;
  bytes: Uint8Array;
  /** Hex SHA-256 of `bytes`. */
  sha256: string;
  /** Headers beyond those that every put has; names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Whether an object may already have this key; default false. */
  replaces?: boolean;
  credentials: SigningCredentials;
  /** The server's time, as far as it is known. */
  at: Date;
  signal: AbortSignal;
}

export interface PutAnswer {
  /** Base64, as the server confirms it; undefined when it does not. */
  checksumSha256: string | undefined;
}

/** An S3 error has some hundred bytes. A longer answer is not from S3, and its connection is closed. */
const MAX_ANSWER_BYTES = 64 * 1024;
const CONTENT_TYPE = 'application/json';

/**
 * Puts objects into a bucket, and nothing else: one signed request each, with the already known digest as payload hash
 * and as checksum. The SDK does the same for seven times the CPU time, and an archive stores every event.
 */
export class ObjectWriter {
  private readonly http: HttpClient;
  private readonly signer: RequestSigner;
  private readonly host: string;

  constructor(private readonly options: ObjectWriterOptions) {
    const { origin, region, service } = options.address;
    this.host = new URL(origin).host;
    this.signer = new RequestSigner(region, service);
    this.http = new HttpClient({
      origin,
      tls: { ca: options.ca },
      connections: options.connections,
      connectTimeoutMs: options.connectTimeoutMs,
    });
  }

  /** Stores the object; unless it `replaces`, only if none has this key. @throws S3Refusal, or the failure of the connection */
  async put(put: PutRequest): Promise<PutAnswer> {
    const { key, bytes, sha256, headers, credentials, at, signal } = put;
    const path = this.options.address.pathPrefix + key;
    const signed = this.signer.sign(
      {
        method: 'PUT',
        path,
        headers: {
          host: this.host,
          'content-length': String(bytes.length),
          'content-type': CONTENT_TYPE,
          ...(put.replaces === true ? {} : { 'if-none-match': '*' }),
          'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64'),
          ...headers,
        },
        payloadSha256: sha256,
      },
      credentials,
      at,
    );
    const request = { method: 'PUT' as const, path, headers: signed, body: bytes };
    const answer = await this.http.exchange(request, { signal, maxBytes: MAX_ANSWER_BYTES });
    if (answer.status !== 200) throw refusalOf(answer);
    return { checksumSha256: answer.headers['x-amz-checksum-sha256'] };
  }

  /** Ends all running requests. */
  async close(): Promise<void> {
    await this.http.destroy();
  }
}

/** An answer that is not a success (S3 API reference, "REST error responses"). */
function refusalOf({ status, headers, bytes }: HttpAnswer): S3Refusal {
  const text = bytes.toString();
  const requestId = headers['x-amz-request-id'] ?? elementOf(text, 'RequestId');
  return new S3Refusal(elementOf(text, 'Code') ?? `HTTP ${status}`, elementOf(text, 'Message') ?? '', {
    status,
    headers,
    ...(requestId === undefined ? {} : { requestId }),
  });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

/** The text of an element that contains only text. */
function elementOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.trim();
  if (text === undefined || text === '') return undefined;
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => ENTITIES[entity] ?? '');
}
