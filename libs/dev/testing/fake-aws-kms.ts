import {
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const REGION = 'eu-test-1';
const ACCOUNT = '111122223333';
const MAX_MESSAGE_BYTES = 4_096;
const MAX_SKEW_MS = 5 * 60_000;

export interface FakeKmsKey {
  readonly id: string;
  readonly arn: string;
  alias: string;
  spec: string;
  usage: string;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion' | 'PendingImport' | 'Unavailable';
  origin: string;
  created: Date;
  pair: { publicKey: KeyObject; privateKey: KeyObject };
}

/** What the service does instead of what it was asked. */
export type KmsFault =
  /** An error in its own shape. */
  | { error: string; status?: number; message?: string }
  /** The connection breaks before an answer. */
  | 'hangup'
  /** An answer that is no JSON, as from a proxy on the way. */
  | 'garbage'
  /** Another signature than the right one. */
  | 'wrong-signature'
  /** No answer, until the server is closed. */
  | 'silence';

class KmsError extends Error {
  constructor(
    readonly type: string,
    message: string,
    readonly status = 400,
  ) {
    super(message);
  }
}

/**
 * AWS KMS as far as Ed25519 signing goes, by its API reference: the protocol (JSON 1.1, X-Amz-Target), Signature
 * Version 4 checked for real, key specs, usages and states, message limits, and errors in the shape the SDK reads.
 * No emulator at hand knows ECC_NIST_EDWARDS25519.
 */
export class FakeAwsKms {
  readonly region = REGION;
  readonly credentials = { accessKeyId: 'AKIDFAKEKMSTEST', secretAccessKey: randomUUID() };
  readonly keys: FakeKmsKey[] = [];
  /** One for each Sign, in turn; undefined answers as it should. */
  faults: (KmsFault | undefined)[] = [];
  /** For every Sign that has no fault of its own. */
  always: KmsFault | undefined;
  /** How long a Sign takes. */
  latencyMs = 0;
  /** Sign calls a second, over which it throttles. */
  quota = Infinity;
  calls: Record<string, number> = {};
  /** Sign calls at once, at most. */
  mostAtOnce = 0;
  private atOnce = 0;
  private second = { at: 0, calls: 0 };
  private server: Server | null = null;
  private port = 0;

  /** Listens on 127.0.0.1; after `stop` it comes back on the same port. */
  async start(): Promise<this> {
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      void this.serve(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Ends it as a crash would, connections included. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Everything AwsKmsBackend needs to reach it. */
  get access(): Pick<FakeAwsKms, 'region' | 'endpoint' | 'credentials'> {
    return { region: this.region, endpoint: this.endpoint, credentials: this.credentials };
  }

  addKey(alias: string, changes: Partial<Omit<FakeKmsKey, 'id' | 'arn' | 'alias'>> = {}): FakeKmsKey {
    const id = randomUUID();
    const key: FakeKmsKey = {
      id,
      arn: `arn:aws:kms:${REGION}:${ACCOUNT}:key/${id}`,
      alias: `alias/${alias}`,
      spec: 'ECC_NIST_EDWARDS25519',
      usage: 'SIGN_VERIFY',
      state: 'Enabled',
      origin: 'AWS_KMS',
      created: new Date('2026-01-31T10:00:00.000Z'),
      pair: generateKeyPairSync('ed25519'),
      ...changes,
    };
    this.keys.push(key);
    return key;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, {
        'content-type': 'application/x-amz-json-1.1',
        'x-amzn-requestid': randomUUID(),
      });
      response.end(JSON.stringify(value));
    };
    try {
      const action = this.authenticated(request, body);
      this.calls[action] = (this.calls[action] ?? 0) + 1;
      const input = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
      if (action === 'Sign') return await this.answerSign(input, response, answer);
      if (action === 'DescribeKey') return answer(200, this.describe(input));
      if (action === 'GetPublicKey') return answer(200, this.publicKey(input));
      throw new KmsError('UnknownOperationException', '');
    } catch (error) {
      if (!(error instanceof KmsError)) throw error;
      answer(error.status, { __type: error.type, ...(error.message !== '' && { message: error.message }) });
    }
  }

  private async answerSign(
    input: Record<string, unknown>,
    response: ServerResponse,
    answer: (status: number, value: unknown) => void,
  ): Promise<void> {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      const fault = this.faults.shift() ?? this.always;
      if (this.latencyMs > 0) await sleep(this.latencyMs);
      if (fault === 'hangup') return void response.destroy();
      if (fault === 'silence') return;
      if (fault === 'garbage') return void response.writeHead(200).end('<html>Bad gateway</html>');
      if (typeof fault === 'object') {
        throw new KmsError(fault.error, fault.message ?? 'As the test has it.', fault.status ?? 400);
      }
      this.throttle();
      const result = this.sign(input);
      if (fault === 'wrong-signature') result.Signature = Buffer.alloc(64, 1).toString('base64');
      answer(200, result);
    } finally {
      this.atOnce--;
    }
  }

  private throttle(): void {
    const at = Math.floor(Date.now() / 1_000);
    if (this.second.at !== at) this.second = { at, calls: 0 };
    if (++this.second.calls > this.quota) {
      throw new KmsError('ThrottlingException', 'You have exceeded the rate at which you may call KMS.');
    }
  }

  private sign(input: Record<string, unknown>): Record<string, unknown> {
    const key = this.usable(input, ['SIGN_VERIFY']);
    const message = Buffer.from(typeof input['Message'] === 'string' ? input['Message'] : '', 'base64');
    if (message.length < 1 || message.length > MAX_MESSAGE_BYTES) {
      const bound =
        message.length < 1 ? 'greater than or equal to 1' : `less than or equal to ${MAX_MESSAGE_BYTES}`;
      throw new KmsError(
        'ValidationException',
        `1 validation error detected: Value at 'message' failed to satisfy constraint: Member must have length ${bound}`,
      );
    }
    const { SigningAlgorithm: algorithm, MessageType: type = 'RAW' } = input;
    // Ed25519 takes RAW, Ed25519ph DIGEST, and neither the other.
    const fits = { ED25519_SHA_512: 'RAW', ED25519_PH_SHA_512: 'DIGEST' }[String(algorithm)];
    if (fits === undefined) {
      throw new KmsError('InvalidKeyUsageException', `${key.arn} does not support ${String(algorithm)}.`);
    }
    if (fits !== type) {
      throw new KmsError(
        'ValidationException',
        `MessageType ${String(type)} is not valid for ${String(algorithm)}.`,
      );
    }
    if (algorithm !== 'ED25519_SHA_512')
      throw new KmsError('UnsupportedOperationException', 'Not in this fake.');
    return {
      KeyId: key.arn,
      Signature: sign(null, message, key.pair.privateKey).toString('base64'),
      SigningAlgorithm: algorithm,
    };
  }

  private describe(input: Record<string, unknown>): unknown {
    const key = this.find(input);
    return {
      KeyMetadata: {
        AWSAccountId: ACCOUNT,
        Arn: key.arn,
        KeyId: key.id,
        CreationDate: key.created.getTime() / 1_000,
        Enabled: key.state === 'Enabled',
        KeyManager: 'CUSTOMER',
        KeySpec: key.spec,
        KeyState: key.state,
        KeyUsage: key.usage,
        Origin: key.origin,
        MultiRegion: false,
      },
    };
  }

  private publicKey(input: Record<string, unknown>): unknown {
    const key = this.usable(input, ['SIGN_VERIFY', 'KEY_AGREEMENT']);
    return {
      KeyId: key.arn,
      KeySpec: key.spec,
      KeyUsage: key.usage,
      PublicKey: key.pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
      SigningAlgorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
    };
  }

  private find({ KeyId: named }: Record<string, unknown>): FakeKmsKey {
    const key = this.keys.find(({ id, arn, alias }) => [id, arn, alias].includes(String(named)));
    if (key) return key;
    const what = String(named).startsWith('alias/')
      ? `Alias arn:aws:kms:${REGION}:${ACCOUNT}:${String(named)} is not found.`
      : `Key '${String(named)}' does not exist`;
    throw new KmsError('NotFoundException', what);
  }

  private usable(input: Record<string, unknown>, usages: string[]): FakeKmsKey {
    const key = this.find(input);
    switch (key.state) {
      case 'Disabled':
        throw new KmsError('DisabledException', `${key.arn} is disabled.`);
      case 'PendingDeletion':
        throw new KmsError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
      case 'PendingImport':
        throw new KmsError('KMSInvalidStateException', `${key.arn} is pending import.`);
      case 'Unavailable':
        throw new KmsError('KeyUnavailableException', `${key.arn} is not available.`, 500);
      case 'Enabled':
        break;
    }
    if (!usages.includes(key.usage)) {
      throw new KmsError(
        'InvalidKeyUsageException',
        `${key.arn} key usage is ${key.usage} which is not valid for Sign.`,
      );
    }
    return key;
  }

  /** Protocol and Signature Version 4 (AWS General Reference); returns the action. */
  private authenticated(request: IncomingMessage, body: Buffer): string {
    const { headers, method, url } = request;
    const [service, action] = String(headers['x-amz-target'] ?? '').split('.');
    if (method !== 'POST' || url !== '/' || service !== 'TrentService' || !action) {
      throw new KmsError('UnknownOperationException', '', 404);
    }
    if (headers['content-type'] !== 'application/x-amz-json-1.1') {
      throw new KmsError('SerializationException', '');
    }
    const date = String(headers['x-amz-date'] ?? '');
    const given =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        headers.authorization ?? '',
      );
    if (!given || date === '') {
      throw new KmsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
    }
    const [, accessKeyId, day, region, scope, names, signature] = given as unknown as string[];
    if (accessKeyId !== this.credentials.accessKeyId) {
      throw new KmsError(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    }
    const signed = String(names).split(';');
    const must = ['host', 'x-amz-date', 'x-amz-target'];
    if (
      region !== REGION ||
      scope !== 'kms' ||
      !date.startsWith(String(day)) ||
      !must.every((n) => signed.includes(n))
    ) {
      throw new KmsError(
        'InvalidSignatureException',
        'Credential should be scoped to a valid region and service.',
      );
    }
    const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    if (!(Math.abs(Date.now() - at) < MAX_SKEW_MS)) {
      throw new KmsError('InvalidSignatureException', `Signature expired: ${date}`);
    }
    const canonical = [
      'POST',
      '/',
      '',
      ...signed.map((name) => `${name}:${String(headers[name]).trim().replace(/ +/g, ' ')}`),
      '',
      names,
      sha256(body),
    ].join('\n');
    const toSign = [
      'AWS4-HMAC-SHA256',
      date,
      `${day}/${region}/${scope}/aws4_request`,
      sha256(canonical),
    ].join('\n');
    const signingKey = [region, scope, 'aws4_request'].reduce(
      (key, part) => hmac(key, String(part)),
      hmac(`AWS4${this.credentials.secretAccessKey}`, String(day)),
    );
    const right = hmac(signingKey, toSign);
    if (!timingSafeEqual(right, Buffer.from(String(signature), 'hex'))) {
      throw new KmsError(
        'InvalidSignatureException',
        `The request signature we calculated does not match the signature you provided. The Canonical String was '${canonical}'`,
      );
    }
    return action;
  }
}

function sha256(data: Buffer | string): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer | string, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
