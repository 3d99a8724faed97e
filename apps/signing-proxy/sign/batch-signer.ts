import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { rawKeyOfPem } from '#libs/evidence';
import { type Logger } from '#libs/observability';
import {
  KEY_PURPOSE_OF,
  type KeyInfo,
  type ProxySignature,
  SignerError,
  type SigningBackend,
} from '#libs/signer';
import { SigningClients } from '../clients/signing-clients';
import { SigningMetrics } from '../signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { SigningRefusal } from '../refusal';
import { type CheckedInput, READ_AS, whyNot } from './check-input';
import { readSignRequest, type SignItem } from './read-sign-request';

/**
 * What may be in progress at once, in inputs. At the slowest backend here (15,000 signatures/s) it is a quarter of a
 * second; callers give up after little more than one, so a longer queue would only sign for nobody.
 */
const MAX_IN_PROGRESS = 4_096;

/** The name of a key that does not exist is the caller's text: it goes into the log no longer than a real one. */
const MAX_LOGGED_KID = 128;

interface HeldKey {
  info: KeyInfo;
  backend: SigningBackend;
}

/** Decides whether a batch may be signed, and has it signed: all of it or nothing. */
@Injectable()
export class BatchSigner {
  private readonly logger: Logger;
  private readonly clients: SigningClients;
  private inProgress = 0;

  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly metrics: SigningMetrics,
  ) {
    this.logger = options.logger;
    this.clients = new SigningClients(options.clients);
  }

  /**
   * @param client common name of the caller's certificate
   * @throws SigningRefusal
   */
  async sign(client: string | undefined, body: unknown): Promise<ProxySignature[]> {
    const started = performance.now();
    const permitted = this.clients.purposesOf(client);
    if (permitted.size === 0) {
      throw new SigningRefusal(
        'client_not_permitted',
        `Client "${client}" may not have anything signed here`,
      );
    }
    const items = readSignRequest(body);
    const positions: string[] = [];
    const byKey = new Map<string, { held: HeldKey; items: SignItem[] }>();
    for (const item of items) {
      if (!permitted.has(item.purpose)) {
        throw this.refusal(
          'client_not_permitted',
          item,
          `client "${client}" may not sign for ${item.purpose}`,
        );
      }
      const held = byKey.get(item.kid)?.held ?? this.heldKey(item);
      const purpose = KEY_PURPOSE_OF[item.purpose];
      if (purpose !== null && !held.info.purposes.includes(purpose)) {
        throw this.refusal('wrong_key_purpose', item, `key ${item.kid} does not serve ${item.purpose}`);
      }
      const position = this.checkInput(item, held.info);
      if (position !== undefined) positions.push(position);
      const group = byKey.get(item.kid);
      if (group) group.items.push(item);
      else byKey.set(item.kid, { held, items: [item] });
    }
    const signatures = await this.signChecked(items, byKey);
    this.metrics.signed(items);
    // One line a batch: a line for each signature would cost more than the signature.
    this.logger.info(
      {
        client,
        keys: Object.fromEntries([...byKey].map(([kid, group]) => [kid, group.items.length])),
        from: positions[0],
        to: positions.at(-1),
        digests: items.map(({ input }) => hash('sha256', input, 'hex')),
        ms: Math.round((performance.now() - started) * 100) / 100,
      },
      'signed',
    );
    return signatures;
  }

  private heldKey(item: SignItem): HeldKey {
    for (const backend of this.options.backends) {
      const info = backend.keys().find(({ kid }) => kid === item.kid);
      if (info) return { info, backend };
    }
    throw this.refusal('unknown_key', item, 'there is no such key here');
  }

  private checkInput(item: SignItem, key: KeyInfo): string | undefined {
    let checked: CheckedInput;
    try {
      checked = READ_AS[item.purpose](item.input);
    } catch (error) {
      throw this.refusal('input_not_of_purpose', item, whyNot(error));
    }
    if (checked.origin !== this.options.origin) {
      throw this.refusal('foreign_origin', item, `its origin is not ${this.options.origin}`);
    }
    const { about } = checked;
    if (about !== undefined && (about.kid !== key.kid || about.publicKeySha256 !== digestOf(key))) {
      throw this.refusal('input_not_of_purpose', item, `it speaks of another key than ${key.kid} is here`);
    }
    return checked.position;
  }

  private refusal(code: SigningRefusal['code'], item: SignItem, what: string): SigningRefusal {
    const { index, purpose, kid, input } = item;
    return new SigningRefusal(code, `Request ${index}: ${what}`, {
      index,
      purpose,
      kid: kid.slice(0, MAX_LOGGED_KID),
      digest: hash('sha256', input, 'hex'),
    });
  }

  private async signChecked(
    items: SignItem[],
    byKey: ReadonlyMap<string, { held: HeldKey; items: SignItem[] }>,
  ): Promise<ProxySignature[]> {
    if (this.inProgress + items.length > MAX_IN_PROGRESS) {
      throw new SigningRefusal('overloaded', `${this.inProgress} inputs are being signed; try again shortly`);
    }
    this.inProgress += items.length;
    this.metrics.inProgress(this.inProgress);
    try {
      const signatures = new Array<ProxySignature>(items.length);
      await Promise.all(
        [...byKey].map(async ([kid, { held, items: group }]) => {
          const started = performance.now();
          const raw = await held.backend.sign(
            kid,
            group.map(({ input }) => input),
          );
          this.metrics.keyAnswered(kid, (performance.now() - started) / 1000);
          group.forEach(({ index }, n) => {
            const signature = raw[n];
            if (signature?.length !== 64) {
              throw new SignerError('token_error', `Backend ${held.backend.name} answered with no signature`);
            }
            signatures[index] = {
              kid,
              keyVersion: held.info.keyVersion,
              signature: Buffer.from(signature.buffer, signature.byteOffset, 64).toString('base64'),
            };
          });
        }),
      );
      return signatures;
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      throw new SigningRefusal(
        'signing_unavailable',
        `The backend cannot sign now: ${error.message}`,
        {},
        { cause: error },
      );
    } finally {
      this.inProgress -= items.length;
      this.metrics.inProgress(this.inProgress);
    }
  }
}

/** Hex SHA-256 of the 32 bytes of the public key. */
function digestOf({ publicKeyPem }: KeyInfo): string {
  return hash('sha256', rawKeyOfPem(publicKeyPem), 'hex');
}
