import { type KeyObject } from 'node:crypto';
import { importPublicKey } from '#evidence';
import { type TlsRenewals } from '#platform/process';
import { purposeOfInput } from '../purpose-of-input';
import { SignerError, reasonOf } from '../signer.error';
import {
  type BackendHealth,
  type CheckpointAuthority,
  type KeyInfo,
  type KeyRequest,
  type SigningBackend,
  type SigningHints,
} from '../signing-backend';
import { type SignatureRequest, SigningProxyClient, type SigningProxyTls } from '../signing-proxy.client';

export interface ProxyBackendOptions extends SigningProxyTls {
  /** https://host:port of a server of openapi/signing-proxy.yaml. */
  url: string;
  /** Source of certificate, key and authority, when they are renewed; closed with the backend. */
  renewals?: TlsRenewals<SigningProxyTls>;
  /** The kernel it has to sign for. */
  origin: string;
  keys: KeyRequest[];
  /** Limit of a whole call. Default {@link DEFAULT_UPSTREAM_TIMEOUT_MS}. */
  timeoutMs?: number | undefined;
}

/** Under the deadline that this proxy gives its backends, which is under that of the callers. */
export const DEFAULT_UPSTREAM_TIMEOUT_MS = 900;
/** This proxy itself limits the requests in progress; here it may use all that it has admitted. */
const MAX_IN_FLIGHT = 8;

interface HeldKey {
  info: KeyInfo;
  publicKey: KeyObject;
}

/**
 * Keys behind another signing proxy: any KMS behind the small contract of openapi/signing-proxy.yaml. That proxy reads
 * what it signs, so it cannot be given the self-test of other backends: its own health check signs with each key, and
 * one signature of each key in every answer is verified.
 */
export class ProxyBackend implements SigningBackend {
  readonly name = 'proxy';
  readonly maker =
    'Keys behind another signing proxy are made by its operator, or by itself (POST /v1/keys there), and named in KERNEL_SIGNING_KEYS here';
  /** The proxy that has the key is the one that remembers what it signed. */
  readonly checkpoints: CheckpointAuthority = {
    signCheckpoint: async (request) => (await this.client.signCheckpoint(request)).signature,
    checkpoints: () => this.client.lastCheckpoints(),
  };
  private readonly held = new Map<string, HeldKey>();
  private closed = false;

  private constructor(private readonly client: SigningProxyClient) {}

  /**
   * Finds and checks the keys.
   * @throws SignerError `unknown_key`, `key_refused`, `misconfigured`, `signing_unavailable`
   */
  static async open(options: ProxyBackendOptions): Promise<ProxyBackend> {
    const { url, ca, cert, key, renewals, timeoutMs = DEFAULT_UPSTREAM_TIMEOUT_MS } = options;
    const backend = new ProxyBackend(
      new SigningProxyClient({ url, ca, cert, key, renewals, timeoutMs, maxInFlight: MAX_IN_FLIGHT }),
    );
    try {
      await backend.admit(options);
    } catch (error) {
      await backend.close();
      throw error;
    }
    return backend;
  }

  keys(): readonly KeyInfo[] {
    return [...this.held.values()].map(({ info }) => info);
  }

  async sign(
    kid: string,
    messages: readonly Uint8Array[],
    _signal?: AbortSignal,
    hints?: SigningHints,
  ): Promise<Uint8Array[]> {
    if (this.closed) throw new SignerError('closed', 'The proxy signer is closed');
    const key = this.held.get(kid);
    if (!key) throw new SignerError('unknown_key', `The proxy signer has no key ${kid}`, { kid });
    const requests = messages.map((input, index): SignatureRequest => {
      const purpose = purposeOfInput(input);
      const committed = hints?.committed[index];
      if (purpose !== undefined) {
        return {
          purpose,
          kid,
          input,
          publicKey: key.publicKey,
          ...(purpose === 'audit-event' && committed !== undefined && { committed }),
        };
      }
      throw new SignerError('invalid_request', `Message ${index} is nothing that is signed for a purpose`, {
        index,
      });
    });
    const signed = await this.client.sign(requests);
    return signed.map(({ keyVersion, signature }) => {
      if (keyVersion === key.info.keyVersion) return Buffer.from(signature, 'base64');
      throw new SignerError(
        'signing_unavailable',
        `The signing proxy behind this one signs with version ${keyVersion} of ${kid}, and not with ${key.info.keyVersion}`,
        { reason: 'wrong_key', kid },
      );
    });
  }

  async health(): Promise<BackendHealth> {
    if (this.closed) return { ok: false, detail: 'closed' };
    try {
      const { ok, backends } = await this.client.health();
      return {
        ok,
        detail: backends.map(({ name, detail }) => `${name}: ${detail}`).join('; ') || 'no backend',
      };
    } catch (error) {
      return { ok: false, detail: reasonOf(error) };
    }
  }

  close(): Promise<void> {
    this.closed = true;
    return this.client.close();
  }

  private async admit({ origin, keys, url }: ProxyBackendOptions): Promise<void> {
    const answer = await this.client.inventory();
    if (answer.origin !== origin) {
      throw new SignerError(
        'misconfigured',
        `The signing proxy at ${url} signs for ${answer.origin}, not for ${origin}`,
      );
    }
    for (const { kid, purposes } of keys) {
      const info = answer.keys.find((key) => key.kid === kid);
      if (!info)
        throw new SignerError('unknown_key', `The signing proxy at ${url} holds no key ${kid}`, { kid });
      const missing = purposes.filter((purpose) => !info.purposes.includes(purpose));
      if (missing.length > 0) {
        throw new SignerError('key_refused', `Key ${kid} of ${url} does not serve ${missing.join(', ')}`, {
          kid,
        });
      }
      let publicKey: KeyObject;
      try {
        publicKey = importPublicKey(info.publicKeyPem);
      } catch (error) {
        throw new SignerError(
          'key_refused',
          `The public key of ${kid} is not acceptable (${reasonOf(error)})`,
          { kid },
        );
      }
      this.held.set(kid, { info: { ...info, purposes, backend: this.name }, publicKey });
    }
    const { ok, detail } = await this.health();
    if (!ok)
      throw new SignerError('signing_unavailable', `The signing proxy at ${url} cannot sign now: ${detail}`);
  }
}
