import { hash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { rawKeyOfPem, samePublicKey, type SignerPurpose } from '#evidence';
import { type KeyInfo, type KeyMaker, SignerError } from '#platform/signer';
import { SigningRefusal } from '../refusal';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { type MadeKey, type MadeKeys } from './made-keys';

/** Each health check signs with every key, and with a KMS each costs money: enough for years of rotations. */
export const DEFAULT_MAX_MADE_KEYS = 32;
/** A caller who asks for keys that do not exist has the list read at most this often. */
const LOOK_EVERY_MS = 100;
/** A key that could not be taken up is tried again after this long. */
const RETRY_MS = 30_000;

export interface KeyWanted {
  kid: string;
  purposes: SignerPurpose[];
}

/** Makes keys at run time, and takes up those that were made: by other replicas, and before the last start. */
@Injectable()
export class KeyMaking {
  private busy = false;
  /** The look that is under way; it never rejects. */
  private running: Promise<void> = Promise.resolve();
  /** The look that has not begun to read. */
  private next: Promise<void> | undefined;
  private lookedAt = -Infinity;
  /** Keys that were made and cannot be used, by name: until when they are not tried again, and why. */
  private readonly unusable = new Map<string, { until: number; why: string }>();

  constructor(@Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions) {}

  /**
   * @param client common name of the caller's certificate
   * @returns the key, and whether it was made now
   * @throws SigningRefusal
   */
  async make(client: string, wanted: KeyWanted): Promise<{ key: KeyInfo; isNew: boolean }> {
    const { made, logger } = this.options;
    const { kid, purposes } = wanted;
    const maker = this.maker();
    if (made === undefined) {
      throw new SigningRefusal(
        'keys_made_elsewhere',
        'This proxy keeps no high-water marks, beside which it would remember the keys that it makes',
        { kid },
      );
    }
    if (this.busy)
      throw new SigningRefusal('overloaded', 'Another key is being made; try again shortly', { kid });
    this.busy = true;
    try {
      return await made.exclusively(async () => {
        await this.look();
        const listed = (await made.all()).find((key) => key.kid === kid);
        const held = this.held(kid);
        if (held !== undefined && listed?.publicKeyPem !== null) {
          if (listed !== undefined && samePurposes(held.purposes, purposes))
            return { key: held, isNew: false };
          throw this.exists(wanted, `for ${held.purposes.join(' and ')}`);
        }
        if (listed === undefined) await this.begin(maker, client, wanted);
        else if (!samePurposes(listed.purposes, purposes)) {
          throw this.exists(wanted, `for ${listed.purposes.join(' and ')}`);
        } else if (listed.publicKeyPem !== null) {
          throw this.exists(
            wanted,
            `which cannot be used (${this.unusable.get(kid)?.why ?? 'it is not there'})`,
          );
        }
        const key = await maker.make(wanted);
        await made.complete(kid, key.publicKeyPem);
        logger.info(
          { client, kid, purposes, backend: key.backend, publicKeySha256: digestOf(key.publicKeyPem) },
          'key made',
        );
        return { key, isNew: true };
      });
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      const code = error.code === 'key_exists' ? 'key_exists' : 'signing_unavailable';
      throw new SigningRefusal(code, error.message, { kid }, { cause: error });
    } finally {
      this.busy = false;
    }
  }

  /**
   * Takes up what was made: all that was complete when it was called. A call that comes while a look is about to begin
   * shares it.
   * @throws SignerError `signing_unavailable` when the list cannot be read
   */
  async look(): Promise<void> {
    const { made } = this.options;
    if (made === undefined) return;
    this.next ??= this.running.then(async () => {
      await delay(Math.max(0, this.lookedAt + LOOK_EVERY_MS - performance.now()));
      this.next = undefined;
      this.lookedAt = performance.now();
      const looked = this.takeUpAll(made);
      this.running = looked.catch(() => undefined);
      await looked;
    });
    await this.next;
  }

  private async takeUpAll(made: MadeKeys): Promise<void> {
    for (const key of await made.all()) await this.takeUp(key);
  }

  private async takeUp({ kid, purposes, publicKeyPem }: MadeKey): Promise<void> {
    // A key that is not complete is being made, or will be when a caller asks for it again.
    if (publicKeyPem === null) return;
    const held = this.held(kid);
    if (held !== undefined) {
      // Configured since then: the backend and the configuration say what it is for.
      if (!samePublicKey(held.publicKeyPem, publicKeyPem)) {
        this.noteUnusable(kid, 'KERNEL_SIGNING_KEYS names another key than the one that was made');
      }
      return;
    }
    if ((this.unusable.get(kid)?.until ?? 0) > performance.now()) return;
    try {
      const key = await this.maker().take({ kid, purposes, publicKeyPem });
      this.unusable.delete(kid);
      this.options.logger.info({ kid, purposes, backend: key.backend }, 'a key that was made is taken up');
    } catch (error) {
      if (!(error instanceof SignerError || error instanceof SigningRefusal)) throw error;
      this.noteUnusable(kid, error.message);
    }
  }

  private noteUnusable(kid: string, why: string): void {
    if (this.unusable.get(kid)?.why !== why) {
      this.options.logger.error({ kid, reason: why }, 'a key that was made cannot be used');
    }
    this.unusable.set(kid, { until: performance.now() + RETRY_MS, why });
  }

  /** Once it is on the list, what has its name in the backend is ours: before that, no key may have the name. */
  private async begin(maker: KeyMaker, client: string, { kid, purposes }: KeyWanted): Promise<void> {
    const { made, maxMadeKeys = DEFAULT_MAX_MADE_KEYS } = this.options;
    const count = (await made?.all())?.length ?? 0;
    if (count >= maxMadeKeys) {
      throw new SigningRefusal(
        'too_many_keys',
        `${count} keys were made, and no more may be (KERNEL_SIGNING_MAX_MADE_KEYS)`,
        { kid },
      );
    }
    if (await maker.has(kid)) throw this.exists({ kid, purposes }, 'which was not made here');
    await made?.begin({
      kid,
      purposes,
      publicKeyPem: null,
      madeBy: client,
      madeAt: new Date().toISOString(),
    });
  }

  private exists({ kid }: KeyWanted, which: string): SigningRefusal {
    return new SigningRefusal('key_exists', `There is a key ${kid} already, ${which}: choose another name`, {
      kid,
    });
  }

  private held(kid: string): KeyInfo | undefined {
    return this.options.backends.flatMap((backend) => backend.keys()).find((key) => key.kid === kid);
  }

  /** @throws SigningRefusal `keys_made_elsewhere` */
  private maker(): KeyMaker {
    const makers = this.options.backends.map((backend) => backend.maker);
    const maker = makers.find((one) => typeof one === 'object');
    if (maker !== undefined) return maker;
    const [instead = 'Keys are made by the operator of this backend'] = makers.filter(
      (one) => typeof one === 'string',
    );
    throw new SigningRefusal('keys_made_elsewhere', instead);
  }
}

function samePurposes(some: readonly SignerPurpose[], others: readonly SignerPurpose[]): boolean {
  return some.length === others.length && some.every((purpose) => others.includes(purpose));
}

/** Hex SHA-256 of the 32 bytes of the public key. */
function digestOf(publicKeyPem: string): string {
  return hash('sha256', rawKeyOfPem(publicKeyPem), 'hex');
}
