import { type EventSigner } from '#libs/event-store';
import { type BackendKey, BackendKeys, type SigningKeys } from '#libs/key-registry';
import { SignerError, type SigningProxyClient } from '#libs/signer';
import { ManifestSigner } from '#libs/signing';
import { type AppendMetrics } from './append-metrics';

/** The registry's view of the signing proxy. */
export class ProxyKeys extends BackendKeys {
  constructor(private readonly proxy: SigningProxyClient) {
    super();
  }

  async keys(): Promise<BackendKey[]> {
    return this.proxy.keys();
  }

  async health(): Promise<{ ok: boolean; detail: string }> {
    const { ok, backends } = await this.proxy.health();
    return { ok, detail: backends.map(({ name, detail }) => `${name}: ${detail}`).join('; ') };
  }
}

/** Signs events with one key, whatever the registry says: for the registration of the first keys alone. */
export class FixedKeyEventSigner implements EventSigner {
  constructor(
    private readonly kid: string,
    private readonly proxy: SigningProxyClient,
    private readonly metrics: AppendMetrics,
  ) {}

  activeKid(): string {
    return this.kid;
  }

  async sign(kid: string, inputs: Uint8Array[]): Promise<string[]> {
    const signed = await this.proxy.sign(inputs.map((input) => ({ purpose: 'audit-event', kid, input })));
    this.metrics.onSignatures('audit', signed.length);
    return signed.map(({ signature }) => signature);
  }
}

/** Signs events with the registered audit key in force. */
export class RegisteredKeyEventSigner implements EventSigner {
  /** Bound once both exist: the keys are folded from the store that signs with them. */
  keys: SigningKeys | undefined;

  constructor(
    private readonly proxy: SigningProxyClient,
    private readonly metrics: AppendMetrics,
  ) {}

  activeKid(): string {
    if (!this.keys) throw new SignerError('signing_unavailable', 'The kernel is still starting.');
    return this.keys.activeKey('audit').kid;
  }

  sign(kid: string, inputs: Uint8Array[]): Promise<string[]> {
    return new FixedKeyEventSigner(kid, this.proxy, this.metrics).sign(kid, inputs);
  }
}

/** Signs manifests with the registered manifest key in force. */
export class ProxyManifestSigner extends ManifestSigner {
  constructor(
    private readonly proxy: SigningProxyClient,
    private readonly keys: SigningKeys,
    private readonly metrics: AppendMetrics,
  ) {
    super();
  }

  async sign(input: Uint8Array): Promise<{ kid: string; keyVersion: string; signature: string }> {
    const { kid } = this.keys.activeKey('manifest');
    const [signed] = await this.proxy.sign([{ purpose: 'manifest', kid, input }]);
    if (!signed) throw new SignerError('signing_unavailable', 'The signing proxy returned no signature.');
    this.metrics.onSignatures('manifest', 1);
    return signed;
  }
}
