import { z } from 'zod';
import { pemOfRawKey } from '#evidence';
import { type RetryLimits, withRetries } from '#platform/resilience';
import { failingKey, selfTestKey } from '../key-self-test';
import { DEFAULT_RETRY_LIMITS } from '../retry-limits';
import { SignerError, reasonOf } from '../signer.error';
import {
  assertAsMade,
  type BackendHealth,
  isKeyName,
  type KeyInfo,
  type KeyMaker,
  type KeyRequest,
  sameKey,
  type SigningBackend,
} from '../signing-backend';
import { MAX_SIGNING_INPUT_BYTES } from '../signing-contract';
import { VaultClient, type VaultConnection, VaultFailure } from './vault-client';
import { type VaultAuth, VaultSession } from './vault-session';

export interface VaultTransitBackendOptions extends VaultConnection {
  auth: VaultAuth;
  /** Mount point of the transit engine. Default `transit`. */
  mount?: string | undefined;
  keys: KeyRequest[];
  retries?: Partial<RetryLimits>;
  /** Called with one sentence about a failure. */
  onTrouble?: (sentence: string) => void;
  /** Called when the end of the token in use changes (milliseconds since 1970); null: none is in use, or it does not end. */
  onTokenEnd?: (at: number | null) => void;
}

/** No one waits for the start as for a signature. */
const OPEN_RETRIES: RetryLimits = { attempts: 5, firstPauseMs: 200, longestPauseMs: 2_000 };
/**
 * Messages in one request. OpenBao refuses a body of more than 1,000 strings (`max_request_json_strings` of its listener),
 * and a message is two of them, name and value: 499 is the most that it accepts.
 */
const MAX_REQUEST_ITEMS = 256;
const MOUNT = /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/;

/** `GET /v1/transit/keys/:name`; other members are ignored. */
const KeyAnswer = z.object({
  data: z.object({
    type: z.string(),
    derived: z.boolean().optional(),
    exportable: z.boolean(),
    allow_plaintext_backup: z.boolean(),
    imported_key: z.boolean().optional(),
    min_encryption_version: z.number().optional(),
    latest_version: z.number(),
    keys: z.record(z.string(), z.object({ public_key: z.string(), creation_time: z.string() })),
  }),
});

/** `POST /v1/transit/sign/:name` with `batch_input`: an item that failed has an error, inside a 200. */
const SignAnswer = z.object({
  data: z.object({
    batch_results: z.array(
      z.object({
        signature: z.string().optional(),
        key_version: z.number().optional(),
        error: z.string().optional(),
      }),
    ),
  }),
});

/** The prefix says which version signed; OpenBao kept Vault's. */
const SIGNATURE = /^[a-z]+:v([1-9][0-9]*):([A-Za-z0-9+/]{85}[AQgw]==)$/;

interface HeldKey {
  info: KeyInfo;
  /** Name in the transit engine. */
  name: string;
  version: number;
}

/** Some of a batch were not signed. */
class ItemFailure extends Error {}

/**
 * Ed25519 keys in the transit engine of Vault or OpenBao, made there and not exportable. A batch is one request, or two
 * when it is large; failed items are requested again, and a batch with one unsigned item fails as a whole. A kid is one
 * version of a key.
 */
export class VaultTransitBackend implements SigningBackend {
  readonly name = 'vault-transit';
  readonly maker: KeyMaker = {
    has: (kid) => this.exists(kid),
    make: (request) => this.made(request),
    take: (request) => this.taken(request),
  };
  private readonly client: VaultClient;
  private readonly session: VaultSession;
  private readonly mount: string;
  private readonly retries: RetryLimits;
  private readonly held = new Map<string, HeldKey>();
  private readonly closing = new AbortController();

  private constructor(options: VaultTransitBackendOptions) {
    this.mount = options.mount ?? 'transit';
    for (const mount of [this.mount, 'mount' in options.auth ? options.auth.mount : undefined]) {
      if (mount !== undefined && !MOUNT.test(mount)) {
        throw new SignerError(
          'misconfigured',
          `"${mount}" is no mount of Vault: it is a path such as transit`,
        );
      }
    }
    this.retries = { ...DEFAULT_RETRY_LIMITS, ...options.retries };
    this.client = new VaultClient(options);
    this.session = new VaultSession(this.client, options.auth, options.onTrouble, options.onTokenEnd);
  }

  /**
   * Logs in, then finds, checks and self-tests every key.
   * @throws SignerError `unknown_key`, `key_refused`, `misconfigured`, `signing_unavailable`
   */
  static async open(options: VaultTransitBackendOptions): Promise<VaultTransitBackend> {
    const backend = new VaultTransitBackend(options);
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
    if (this.closing.signal.aborted) throw new SignerError('closed', 'The vault-transit signer is closed');
    const key = this.held.get(kid);
    if (!key) throw new SignerError('unknown_key', `The vault-transit signer has no key ${kid}`, { kid });
    const tooLarge = messages.findIndex(({ length }) => length === 0 || length > MAX_SIGNING_INPUT_BYTES);
    if (tooLarge !== -1) {
      throw new SignerError(
        'invalid_request',
        `1 to ${MAX_SIGNING_INPUT_BYTES} bytes are signed, and message ${tooLarge} has ${messages[tooLarge]?.length}`,
        { index: tooLarge },
      );
    }
    const stop = signal ? AbortSignal.any([signal, this.closing.signal]) : this.closing.signal;
    return this.signWith(key, messages, stop);
  }

  private async signWith(
    key: HeldKey,
    messages: readonly Uint8Array[],
    stop: AbortSignal,
  ): Promise<Uint8Array[]> {
    const { kid } = key.info;
    const signatures = new Array<Uint8Array | undefined>(messages.length);
    try {
      await withRetries(this.retries, stop, mayPass, () => this.signMissing(key, messages, signatures, stop));
    } catch (error) {
      if (this.closing.signal.aborted) throw new SignerError('closed', 'The vault-transit signer is closed');
      if (error instanceof SignerError) throw error;
      throw new SignerError('signing_unavailable', `Vault did not sign with ${kid}: ${reasonOf(error)}`, {
        kid,
      });
    }
    return signatures as Uint8Array[];
  }

  async health(): Promise<BackendHealth> {
    if (this.closing.signal.aborted) return { ok: false, detail: 'closed' };
    try {
      const failing = await failingKey(this.keys(), (kid, messages) => this.sign(kid, messages));
      if (failing !== undefined) return { ok: false, detail: failing };
    } catch (error) {
      return { ok: false, detail: reasonOf(error) };
    }
    return { ok: true, detail: `${this.held.size} keys in ${this.mount}` };
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.session.close();
    await this.client.close();
  }

  /** Requests the missing signatures; keeps those that arrive, whatever becomes of the rest. */
  private async signMissing(
    key: HeldKey,
    messages: readonly Uint8Array[],
    signatures: (Uint8Array | undefined)[],
    signal: AbortSignal,
  ): Promise<void> {
    const missing = messages.flatMap((message, index) => (signatures[index] ? [] : [{ message, index }]));
    const requests: Promise<void>[] = [];
    for (let from = 0; from < missing.length; from += MAX_REQUEST_ITEMS) {
      requests.push(this.signItems(key, missing.slice(from, from + MAX_REQUEST_ITEMS), signatures, signal));
    }
    const failures = (await Promise.allSettled(requests)).flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    // A permanent failure decides.
    if (failures.length > 0) throw failures.find((failure) => mayPass(failure) === false) ?? failures[0];
  }

  private async signItems(
    { name, version, info }: HeldKey,
    missing: readonly { message: Uint8Array; index: number }[],
    signatures: (Uint8Array | undefined)[],
    signal: AbortSignal,
  ): Promise<void> {
    const answer = await this.asked('POST', `${this.mount}/sign/${encodeURIComponent(name)}`, signal, {
      key_version: version,
      batch_input: missing.map(({ message }) => ({ input: base64(message) })),
    });
    const results = SignAnswer.safeParse(answer).data?.data.batch_results;
    if (results?.length !== missing.length) {
      throw new SignerError('token_error', `Vault answered ${missing.length} messages with something else`);
    }
    let why: string | undefined;
    results.forEach(({ signature = '', error }, n) => {
      if (error !== undefined && error !== '') {
        why ??= error;
        return;
      }
      const [, by, value] = SIGNATURE.exec(signature) ?? [];
      if (Number(by) !== version || value === undefined) {
        throw new SignerError(
          'token_error',
          `Vault answered for ${info.kid} with something else than a signature by version ${version} of ${name}`,
        );
      }
      signatures[missing[n]?.index ?? -1] = Buffer.from(value, 'base64');
    });
    if (why !== undefined) throw new ItemFailure(`a part of the batch failed: ${why.slice(0, 300)}`);
  }

  /** Sends one request with a token; replaces a token that is no longer accepted once. */
  private async asked(
    method: 'GET' | 'POST',
    path: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<unknown> {
    for (let again = false; ; again = true) {
      const token = await this.session.token();
      try {
        return await this.client.ask(method, path, { token, body, signal });
      } catch (error) {
        const denied = error instanceof VaultFailure && error.status === 403;
        if (!denied || again || !this.session.refused(token)) throw error;
      }
    }
  }

  private async exists(kid: string): Promise<boolean> {
    try {
      await this.described(kid, kid, `${this.mount}/keys/${kid}`);
      return true;
    } catch (error) {
      if (error instanceof SignerError && error.code === 'unknown_key') return false;
      throw error;
    }
  }

  private async made(request: KeyRequest): Promise<KeyInfo> {
    const { kid } = request;
    if (!this.held.has(kid) && !(await this.exists(kid))) {
      const settings = { type: 'ed25519', derived: false, exportable: false, allow_plaintext_backup: false };
      try {
        // The engine leaves an existing key as it is, so a retry does no harm.
        await withRetries(OPEN_RETRIES, this.closing.signal, mayPass, () =>
          this.asked('POST', `${this.mount}/keys/${encodeURIComponent(kid)}`, this.closing.signal, settings),
        );
      } catch (error) {
        const denied = error instanceof VaultFailure && error.status === 403;
        throw new SignerError(
          denied ? 'misconfigured' : 'signing_unavailable',
          denied
            ? `Vault does not let this proxy make ${this.mount}/keys/${kid}: its policy needs "update" on that path`
            : `Vault did not make ${this.mount}/keys/${kid}: ${reasonOf(error)}`,
          { kid },
          { cause: error },
        );
      }
    }
    return this.taken(request);
  }

  private async taken(request: KeyRequest): Promise<KeyInfo> {
    const { kid } = request;
    if (!isKeyName(kid)) throw new SignerError('invalid_request', `"${kid}" cannot be the name of a key`);
    const held = this.held.get(kid);
    if (held) return sameKey(held.info, request);
    // It was made with one version; a rotation in Vault makes another key, and this one stays as it is.
    return this.admit({ ...request, keyVersion: 1 });
  }

  private async admit(request: KeyRequest): Promise<KeyInfo> {
    const { kid, purposes } = request;
    const name = request.keyId ?? kid;
    const { version, publicKeyPem, createdAt } = await this.inspect(request, name);
    const info: KeyInfo = {
      kid,
      keyVersion: String(version),
      algorithm: 'ed25519',
      publicKeyPem,
      purposes,
      backend: this.name,
      protection: 'kms',
      createdAt,
    };
    assertAsMade(info, request);
    const key = { info, name, version };
    await selfTestKey({
      kid,
      publicKeyPem,
      sign: async (message) => {
        const [signature] = await this.signWith(key, [message], this.closing.signal);
        return signature ?? new Uint8Array(0);
      },
    });
    // Not before: held keys are offered.
    this.held.set(kid, key);
    return info;
  }

  private async inspect(
    { kid, keyVersion }: KeyRequest,
    name: string,
  ): Promise<{ version: number; publicKeyPem: string; createdAt: string }> {
    const where = `${this.mount}/keys/${name}`;
    const answer = KeyAnswer.safeParse(await this.described(kid, name, where));
    const refuse = (what: string): never => {
      throw new SignerError('key_refused', `Key ${where} in Vault, for ${kid}, ${what}`, { kid, name });
    };
    if (!answer.success) return refuse('is not described as a key');
    const { data } = answer.data;
    if (data.type !== 'ed25519') refuse(`is of the type ${data.type} and not ed25519`);
    if (data.derived === true) refuse('is derived: each context has another key');
    if (data.exportable) refuse('is exportable: it can be copied out of Vault');
    if (data.allow_plaintext_backup) refuse('allows plaintext backups: it can be copied out of Vault');
    if (data.imported_key === true) refuse('was imported: a copy of it exists elsewhere');
    if (keyVersion === undefined && data.latest_version !== 1) {
      refuse(
        `has ${data.latest_version} versions, each with another public key: say in KERNEL_SIGNING_KEYS which "keyVersion" ${kid} is`,
      );
    }
    const version = keyVersion ?? 1;
    const material = data.keys[String(version)];
    if (material === undefined) return refuse(`has no version ${version}`);
    if (version < (data.min_encryption_version ?? 0)) {
      refuse(`may not sign with version ${version} any more (min_encryption_version)`);
    }
    return {
      version,
      publicKeyPem: pemOfRawKey(Buffer.from(material.public_key, 'base64')),
      createdAt: new Date(material.creation_time).toISOString(),
    };
  }

  private async described(kid: string, name: string, where: string): Promise<unknown> {
    try {
      return await withRetries(OPEN_RETRIES, this.closing.signal, mayPass, () =>
        this.asked('GET', `${this.mount}/keys/${encodeURIComponent(name)}`, this.closing.signal),
      );
    } catch (error) {
      if (error instanceof SignerError) throw error;
      const status = error instanceof VaultFailure ? error.status : undefined;
      if (status === 404) {
        throw new SignerError(
          'unknown_key',
          `Vault has no key ${where} for ${kid}: make it (type ed25519), or name another keyId in KERNEL_SIGNING_KEYS`,
          { kid, name },
        );
      }
      const code = status === 403 || status === 400 ? 'misconfigured' : 'signing_unavailable';
      throw new SignerError(code, `Vault did not tell of ${where} for ${kid}: ${reasonOf(error)}`, {
        kid,
        name,
      });
    }
  }
}

function mayPass(error: unknown): boolean | number {
  if (error instanceof ItemFailure) return true;
  if (!(error instanceof VaultFailure)) return false;
  return error.passing && (error.retryAfterMs || true);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
