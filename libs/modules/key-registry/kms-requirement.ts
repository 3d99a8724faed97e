import { type KeyInfo, SignerError, type SigningProxyClient, whyNotInKms } from '#platform/signer';

export interface KmsSettings {
  readonly isProduction: boolean;
  readonly requireKms?: boolean | undefined;
  readonly allowSofthsm: boolean;
}

/** Requirements of REQUIRE_KMS on the keys behind KMS_ENDPOINT. */
export class KmsRequirement {
  private readonly required: boolean;
  private readonly allowSoftHsm: boolean;

  /** @throws SignerError `refused_in_production` */
  constructor({ isProduction, requireKms, allowSofthsm }: KmsSettings) {
    if (isProduction && requireKms === false) {
      throw new SignerError(
        'refused_in_production',
        'REQUIRE_KMS=false is refused when NODE_ENV=production: take it out of the environment.',
      );
    }
    this.required = isProduction || requireKms === true;
    this.allowSoftHsm = allowSofthsm;
  }

  /** Reason why these keys must not be used, in one sentence, or null. A single unfit key is enough. */
  whyNot(keys: readonly KeyInfo[]): string | null {
    if (!this.required) return null;
    for (const key of keys) {
      const why = whyNotInKms(key, { allowSoftHsm: this.allowSoftHsm });
      if (why !== null) return `REQUIRE_KMS is in force, and ${why}`;
    }
    return null;
  }

  /**
   * Checked once, before the kernel starts. An unreachable signing proxy does not prevent the start: reads go on
   * without it, and its keys are checked again before one is registered or used.
   * @throws SignerError `key_refused`
   */
  async assertAtStart(proxy: Pick<SigningProxyClient, 'keys'>): Promise<void> {
    if (!this.required) return;
    let keys: KeyInfo[];
    try {
      keys = await proxy.keys();
    } catch (error) {
      if (error instanceof SignerError && error.code === 'signing_unavailable') return;
      throw error;
    }
    const why = this.whyNot(keys);
    if (why !== null) throw new SignerError('key_refused', `${why}.`);
  }
}
