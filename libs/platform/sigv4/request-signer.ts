import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { queryText } from './uri-encoding';

export interface SigningCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | null | undefined;
}

export interface UnsignedRequest {
  method: string;
  /** Path as sent on the wire, which for S3 is as it is signed: percent-encoded once. Without the query. */
  path: string;
  /** Names and values before they are encoded. */
  query?: readonly (readonly [string, string])[];
  /** Names in lower case; values without blanks at their ends or two in a row. `host` is among them. All are signed. */
  headers: Readonly<Record<string, string>>;
  /** Hex SHA-256 of the body. */
  payloadSha256: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/**
 * AWS Signature Version 4 (IAM user guide, "Create a signed AWS API request") for requests of one service in one region,
 * signed by headers, for a whole body whose digest is known. Derives the key of a day once.
 */
export class RequestSigner {
  private derived: { day: string; secretAccessKey: string; key: KeyObject } | undefined;

  constructor(
    private readonly region: string,
    private readonly service: string,
  ) {}

  /** @returns the headers to send: those of the request, and the signature with what belongs to it */
  sign(request: UnsignedRequest, credentials: SigningCredentials, at: Date): Record<string, string> {
    const { method, path, query = [], payloadSha256 } = request;
    // 20260131T235959Z
    const date = at.toISOString().replace(/[-:]|\.\d{3}/g, '');
    const day = date.slice(0, 8);
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-content-sha256': payloadSha256,
      'x-amz-date': date,
    };
    if (typeof credentials.sessionToken === 'string')
      headers['x-amz-security-token'] = credentials.sessionToken;

    const names = Object.keys(headers).sort();
    let lines = '';
    for (const name of names) lines += `${name}:${headers[name]}\n`;
    const signed = names.join(';');
    const canonical = `${method}\n${path}\n${queryText(query)}\n${lines}\n${signed}\n${payloadSha256}`;
    const scope = `${day}/${this.region}/${this.service}/aws4_request`;
    const signature = createHmac('sha256', this.keyOf(day, credentials.secretAccessKey))
      .update(`${ALGORITHM}\n${date}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`)
      .digest('hex');
    headers['authorization'] =
      `${ALGORITHM} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
    return headers;
  }

  private keyOf(day: string, secretAccessKey: string): KeyObject {
    const { derived } = this;
    if (derived?.day === day && derived.secretAccessKey === secretAccessKey) return derived.key;
    let key: Buffer = Buffer.from(`AWS4${secretAccessKey}`);
    for (const part of [day, this.region, this.service, 'aws4_request']) {
      key = createHmac('sha256', key).update(part).digest();
    }
    this.derived = { day, secretAccessKey, key: createSecretKey(key) };
    return this.derived.key;
  }
}
