import { createPublicKey } from 'node:crypto';
import { type KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { Limiter, type RetryLimits, withRetries } from '#platform/resilience';
import { failingKey, selfTestKey } from '../key-self-test';
import { DEFAULT_RETRY_LIMITS } from '../retry-limits';
import { SignerError, reasonOf } from '../signer.error';
import {
  type BackendHealth,
  isKeyName,
  type KeyInfo,
  type KeyRequest,
  type SigningBackend,
} from '../signing-backend';
import { MAX_SIGNING_INPUT_BYTES } from '../signing-contract';
import { kmsFailure, openingError, signingError } from './kms-failure';

export interface AwsKmsBackendOptions {
  keys: KeyRequest[];
  /** Default: what the SDK finds (AWS_REGION, the profile). */
  region?: string | undefined;
  /** URL in place of the region's own, for instance of a VPC endpoint. */
  endpoint?: string | undefined;
  /** Default: what the SDK's chain finds (environment, profile, web identity, container or instance role). */
  credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Concurrent calls of all batches together. Default {@link DEFAULT_KMS_CONCURRENCY}. */
  concurrency?: number | undefined;
  retries?: Partial<RetryLimits>;
  /** Limit of one call. Default {@link REQUEST_TIMEOUT_MS}. */
  requestTimeoutMs?: number;
}

type Sdk = typeof import('@aws-sdk/client-kms');

/**
 * KMS signs one message per call. At some 10 ms a call this is three times an account's quota of 1,000 signatures a
 * second in a region: enough to use it up, and not so many that all wait for the same throttling.
 */
export const DEFAULT_KMS_CONCURRENCY = 32;
/** Below the second that a batch has, so that a hanging call can be made once more. */
const REQUEST_TIMEOUT_MS = 600;
const CONNECT_TIMEOUT_MS = 400;
/** No one waits for the start as for a signature. */
const OPEN_RETRIES: RetryLimits = { attempts: 5, firstPauseMs: 200, longestPauseMs: 2_000 };
const KEY_SPEC = 'ECC_NIST_EDWARDS25519';
/** Pure Ed25519 over the message as it is. ED25519_PH_SHA_512 would be Ed25519ph, which verifiers of the chain refuse. */
const ALGORITHM = { SigningAlgorithm: 'ED25519_SHA_512', MessageType: 'RAW' } as const;

interface HeldKey {
  info: KeyInfo;
  arn: string;
}

/**
 * Ed25519 keys in AWS KMS, found by id, ARN or alias (default `alias/<kid>`), made there and not imported.
 * Each message is a call of its own: a batch is signed when all of its calls succeed, and not at all when one fails.
 */
export class AwsKmsBackend implements SigningBackend {
  readonly name = 'aws-kms';
  readonly maker =
    'Keys in AWS KMS are made by their operator (Terraform, the console, or aws kms create-key --key-spec ECC_NIST_EDWARDS25519 --key-usage SIGN_VERIFY) and named in KERNEL_SIGNING_KEYS';
  private readonly held = new Map<string, HeldKey>();
  private readonly limiter: Limiter;
  private readonly retries: RetryLimits;
  private readonly closing = new AbortController();

  private constructor(
    private readonly sdk: Sdk,
    private readonly client: KMSClient,
    options: AwsKmsBackendOptions,
  ) {
    this.limiter = new Limiter(options.concurrency ?? DEFAULT_KMS_CONCURRENCY);
    this.retries = { ...DEFAULT_RETRY_LIMITS, ...options.retries };
  }

  /**
   * Finds, checks and self-tests every key.
   * @throws SignerError `unknown_key`, `key_refused`, `misconfigured`, `signing_unavailable`
   */
  static async open(options: AwsKmsBackendOptions): Promise<AwsKmsBackend> {
    // Loaded here: it takes a third of a second, and only users of KMS need it.
    const sdk = await import('@aws-sdk/client-kms');
    const backend = new AwsKmsBackend(sdk, new sdk.KMSClient(clientConfig(options)), options);
    try {
      for (const request of options.keys) {
        if (!isKeyName(request.kid)) {
          throw new SignerError('invalid_request', `"${request.kid}" cannot be the name of a key`);
        }
        await backend.admit(request);
      }
    } catch (error) {
      await backend.close();
      throw error;
    }
    return backend;
  }

  keys(): readonly KeyInfo[] {
    return [...this.held.values()].map(({ info }) => info);
  }

  async sign(kid: string, messages: readonly Uint8Array[], signal?: AbortSignal): Promise<Uint8Array[]> {
    if (this.closing.signal.aborted) throw new SignerError('closed', 'The aws-kms signer is closed');
    const key = this.held.get(kid);
    if (!key) throw new SignerError('unknown_key', `The aws-kms signer has no key ${kid}`, { kid });
    const tooLarge = messages.findIndex(({ length }) => length === 0 || length > MAX_SIGNING_INPUT_BYTES);
    if (tooLarge !== -1) {
      throw new SignerError(
        'invalid_request',
        `AWS KMS signs 1 to ${MAX_SIGNING_INPUT_BYTES} bytes, and message ${tooLarge} has ${messages[tooLarge]?.length}`,
        { index: tooLarge },
      );
    }
    // A failed call makes the others useless: waiting ones are not sent, and running ones are aborted.
    const failed = new AbortController();
    const stop = AbortSignal.any([failed.signal, this.closing.signal, ...(signal ? [signal] : [])]);
    try {
      return await Promise.all(
        messages.map((message) => this.limiter.run(() => this.signOne(key, message, stop), { signal: stop })),
      );
    } catch (error) {
      if (this.closing.signal.aborted) throw new SignerError('closed', 'The aws-kms signer is closed');
      signal?.throwIfAborted();
      const shown = error instanceof SignerError ? error : signingError(kid, kmsFailure(error));
      failed.abort(shown);
      throw shown;
    }
  }

  async health(): Promise<BackendHealth> {
    if (this.closing.signal.aborted) return { ok: false, detail: 'closed' };
    try {
      const failing = await failingKey(this.keys(), (kid, messages) => this.sign(kid, messages));
      if (failing !== undefined) return { ok: false, detail: failing };
    } catch (error) {
      return { ok: false, detail: reasonOf(error) };
    }
    return { ok: true, detail: `${this.held.size} keys in AWS KMS` };
  }

  async close(): Promise<void> {
    this.closing.abort();
    this.client.destroy();
  }

  private async signOne(
    { info, arn }: HeldKey,
    message: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const command = new this.sdk.SignCommand({ KeyId: arn, Message: message, ...ALGORITHM });
    const { KeyId, Signature } = await withRetries(
      this.retries,
      signal,
      (error) => kmsFailure(error).passing,
      () => this.client.send(command, { abortSignal: signal }),
    );
    if (Signature?.length === 64 && KeyId === arn) return Signature;
    throw new SignerError(
      'token_error',
      `AWS KMS answered for ${info.kid} with something else than its signature`,
    );
  }

  private async admit({ kid, purposes, keyId = `alias/${kid}` }: KeyRequest): Promise<void> {
    const { arn, createdAt, id } = await this.describe(kid, keyId);
    const info: KeyInfo = {
      kid,
      // A key in KMS has no versions: another key has another id.
      keyVersion: id,
      algorithm: 'ed25519',
      publicKeyPem: await this.publicKey(kid, keyId, arn),
      purposes,
      backend: this.name,
      protection: 'kms',
      createdAt,
    };
    const held = { info, arn };
    this.held.set(kid, held);
    await selfTestKey({
      kid,
      publicKeyPem: info.publicKeyPem,
      sign: async (message) => {
        const [signature] = await this.sign(kid, [message]);
        return signature ?? new Uint8Array(0);
      },
    });
  }

  private async describe(
    kid: string,
    keyId: string,
  ): Promise<{ arn: string; id: string; createdAt: string | null }> {
    const command = new this.sdk.DescribeKeyCommand({ KeyId: keyId });
    const { KeyMetadata } = await this.asked(kid, keyId, () => this.client.send(command));
    const { Arn, KeyId, KeySpec, KeyUsage, KeyState, Origin, CreationDate } = KeyMetadata ?? {};
    const refuse = (what: string): never => {
      throw new SignerError('key_refused', `Key ${keyId} in AWS KMS, for ${kid}, ${what}`, { kid, keyId });
    };
    if (KeySpec !== KEY_SPEC) refuse(`is of the spec ${KeySpec}: an Ed25519 key is ${KEY_SPEC}`);
    if (KeyUsage !== 'SIGN_VERIFY') refuse(`is for ${KeyUsage} and not for SIGN_VERIFY`);
    if (KeyState !== 'Enabled') refuse(`is in the state ${KeyState}: enable it, or cancel its deletion`);
    if (Origin === 'EXTERNAL') refuse('was imported (Origin EXTERNAL): a copy of it exists elsewhere');
    if (Arn === undefined || KeyId === undefined) return refuse('has no ARN');
    // The ARN from here on: an alias may be pointed to another key at any time, which would sign under this name.
    return { arn: Arn, id: KeyId, createdAt: CreationDate?.toISOString() ?? null };
  }

  private async publicKey(kid: string, keyId: string, arn: string): Promise<string> {
    const command = new this.sdk.GetPublicKeyCommand({ KeyId: arn });
    const { PublicKey } = await this.asked(kid, keyId, () => this.client.send(command));
    try {
      return createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' })
        .export({ format: 'pem', type: 'spki' })
        .toString();
    } catch (error) {
      throw new SignerError(
        'key_refused',
        `AWS KMS gave for ${kid} no public key that can be read (${reasonOf(error)})`,
        { kid },
      );
    }
  }

  private async asked<T>(kid: string, keyId: string, ask: () => Promise<T>): Promise<T> {
    try {
      return await withRetries(OPEN_RETRIES, this.closing.signal, (error) => kmsFailure(error).passing, ask);
    } catch (error) {
      throw openingError(kid, keyId, kmsFailure(error));
    }
  }
}

function clientConfig(options: AwsKmsBackendOptions): KMSClientConfig {
  const agent = { keepAlive: true, maxSockets: options.concurrency ?? DEFAULT_KMS_CONCURRENCY };
  return {
    // Attempts are made by withRetries, within the time that a batch has.
    maxAttempts: 1,
    ...(options.region === undefined ? {} : { region: options.region }),
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: { ...options.credentials } }),
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  };
}
