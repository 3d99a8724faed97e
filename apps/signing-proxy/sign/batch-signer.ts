import { hash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { rawKeyOfPem } from '#evidence';
import { type Logger } from '#platform/process';
import { recordedTraceId, traced } from '#platform/tracing';
import {
  KEY_PURPOSE_OF,
  type KeyInfo,
  MAX_AHEAD_OF_COMMITTED,
  type ProxySignature,
  SignerError,
} from '#platform/signer';
import { RateLimit } from '../clients/rate-limit';
import { SigningClients } from '../clients/signing-clients';
import { type HeldKey, HeldKeys } from '../keys/held-keys';
import { type BatchStart, type MarkVerdict } from '../marks/high-water-mark';
import { SigningMetrics } from '../signing.metrics';
import { SIGNING_PROXY_OPTIONS, type SigningProxyOptions } from '../signing-proxy.options';
import { noSuchShard, type RefusalContext, SigningRefusal } from '../refusal';
import { BatchStarts } from './batch-starts';
import { type CheckedInput, READ_AS, whyNot } from './check-input';
import { readSignRequest, type SignItem } from './read-sign-request';

/**
 * What may be in progress at once, in inputs. At the slowest backend here (15,000 signatures/s) it is a quarter of a
 * second; callers give up after little more than one, so a longer queue would only sign for no one.
 */
const MAX_IN_PROGRESS = 4_096;

/** The name of a key that does not exist is the caller's text: it goes into the log no longer than a real one. */
const MAX_LOGGED_KID = 128;

/** Decides whether a batch may be signed, and has it signed: all of it or nothing. */
@Injectable()
export class BatchSigner {
  private readonly logger: Logger;
  private inProgress = 0;

  constructor(
    @Inject(SIGNING_PROXY_OPTIONS) private readonly options: SigningProxyOptions,
    private readonly metrics: SigningMetrics,
    private readonly keys: HeldKeys,
    private readonly clients: SigningClients,
    private readonly rates: RateLimit,
  ) {
    this.logger = options.logger;
  }

  /**
   * @param client common name of the caller's certificate
   * @throws SigningRefusal
   */
  async sign(client: string | undefined, body: unknown): Promise<ProxySignature[]> {
    const started = performance.now();
    const permitted = this.clients.purposesOf(client);
    if (client === undefined || permitted.size === 0) {
      throw new SigningRefusal(
        'client_not_permitted',
        `Client "${client}" may not have anything signed here`,
        { digests: digestsOfBody(body) },
      );
    }
    const items = readSignRequest(body);
    if (!this.rates.take(client, items.length)) {
      throw new SigningRefusal('rate_limited', `Client "${client}" has had its signatures of this second`, {
        digests: digestsOf(items),
      });
    }
    const positions: string[] = [];
    const batches = new BatchStarts();
    const byKey = new Map<string, { held: HeldKey; items: SignItem[] }>();
    for (const item of items) {
      if (!permitted.has(item.purpose)) {
        throw this.refusal(
          'client_not_permitted',
          item,
          `client "${client}" may not sign for ${item.purpose}`,
        );
      }
      const held = byKey.get(item.kid)?.held ?? this.keys.get(item.kid) ?? (await this.newKey(item));
      const purpose = KEY_PURPOSE_OF[item.purpose];
      if (purpose !== null && !held.info.purposes.includes(purpose)) {
        throw this.refusal('wrong_key_purpose', item, `key ${item.kid} does not serve ${item.purpose}`);
      }
      const { position, events } = this.checkInput(item, held.info);
      if (position !== undefined) positions.push(position);
      if (events !== undefined) this.note(batches, item, events);
      const group = byKey.get(item.kid);
      if (group) group.items.push(item);
      else byKey.set(item.kid, { held, items: [item] });
    }
    const wrong = batches.irregular();
    if (wrong !== undefined) throw this.refusal('positions_not_consecutive', wrong.item, wrong.what);
    const starts = this.startsOf(batches);
    // Before the marks move: what is refused is not remembered.
    this.assertRoom(items);
    // Both at once, since each waits for something else; no signature leaves before the marks are on the disk. The marks
    // first: the disk is asked before this thread, or its pool, is busy with signing.
    const [, signatures] = await Promise.all([
      this.judgeStarts(starts, batches, items),
      this.signChecked(items, byKey),
    ]);
    this.metrics.signed(items, client);
    // One line a batch: a line for each signature would cost more than the signature.
    this.logger.info(
      {
        client,
        keys: Object.fromEntries([...byKey].map(([kid, group]) => [kid, group.items.length])),
        from: positions[0],
        to: positions.at(-1),
        digests: digestsOf(items),
        ms: Math.round((performance.now() - started) * 100) / 100,
      },
      'signed',
    );
    return signatures;
  }

  /** A key that another replica made a moment ago. */
  private async newKey(item: SignItem): Promise<HeldKey> {
    let held: HeldKey | undefined;
    try {
      held = await this.keys.look(item.kid);
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      throw this.refusal('signing_unavailable', item, error.message);
    }
    if (held) return held;
    throw this.refusal('unknown_key', item, 'there is no such key here');
  }

  private checkInput(item: SignItem, key: KeyInfo): CheckedInput {
    let checked: CheckedInput;
    try {
      checked = READ_AS[item.purpose](item.input);
    } catch (error) {
      throw this.refusal('input_not_of_purpose', item, whyNot(error));
    }
    if (checked.origin !== this.options.origin) {
      throw this.refusal('foreign_origin', item, `its origin is not ${this.options.origin}`);
    }
    const { about, shard } = checked;
    if (shard !== undefined && shard >= this.options.shards) {
      throw this.refusal(
        'unknown_shard',
        item,
        `it is of another chain. ${noSuchShard(shard, this.options.shards)}`,
      );
    }
    if (about !== undefined && (about.kid !== key.kid || about.publicKeySha256 !== digestOf(key))) {
      throw this.refusal('input_not_of_purpose', item, `it speaks of another key than ${key.kid} is here`);
    }
    return checked;
  }

  private note(batches: BatchStarts, item: SignItem, events: NonNullable<CheckedInput['events']>): void {
    const { first, last } = events;
    if (item.committed !== undefined) {
      if (first <= item.committed || last - 1 - item.committed > MAX_AHEAD_OF_COMMITTED) {
        throw this.refusal(
          'input_not_of_purpose',
          item,
          `position ${first === last ? first : `${first}-${last}`} does not follow within ${MAX_AHEAD_OF_COMMITTED} events from ${item.committed}, which it says is committed`,
        );
      }
    }
    batches.add(item, events);
  }

  /** Nothing of a batch can be committed before it is signed. */
  private startsOf(batches: BatchStarts): BatchStart[] {
    const starts = batches.starts();
    for (const { shard, start, committed } of starts) {
      if (committed < start) continue;
      throw this.refusal(
        'input_not_of_purpose',
        batches.lowest(shard).item,
        `the batch starts at ${shard}:${start} and says that ${shard}:${committed} is committed already`,
      );
    }
    return starts;
  }

  /**
   * @throws SigningRefusal `below_high_water_mark`, `position_ahead`, `signing_unavailable` when the marks cannot be
   *   kept
   */
  private async judgeStarts(
    starts: readonly BatchStart[],
    batches: BatchStarts,
    items: readonly SignItem[],
  ): Promise<void> {
    const { marks } = this.options;
    if (marks === undefined || starts.length === 0) return;
    let verdicts: MarkVerdict[];
    try {
      verdicts = await traced('judge and keep the marks', () => marks.judge(starts));
    } catch (error) {
      if (!(error instanceof SignerError)) throw error;
      throw new SigningRefusal(
        'signing_unavailable',
        error.message,
        { digests: digestsOf(items) },
        { cause: error },
      );
    }
    for (const [n, verdict] of verdicts.entries()) {
      const { shard, seq, signed } = verdict.mark;
      if (!verdict.permitted) {
        const { item, start } = batches.lowest(shard);
        if (verdict.why === 'position_ahead') {
          throw this.refusal(
            'position_ahead',
            item,
            `position ${shard}:${start} builds on ${shard}:${starts[n]?.committed}, but the highest position signed here is ${shard}:${signed}`,
            { signed: { shard, seq: signed }, digests: digestsOf(items) },
          );
        }
        throw this.refusal(
          'below_high_water_mark',
          item,
          `position ${shard}:${start} is not above ${shard}:${seq}, on which signed events build already; was the database put back to an older state?`,
          { mark: { shard, seq }, digests: digestsOf(items) },
        );
      }
      this.metrics.marked(shard, { seq, signed });
      if (verdict.reopened) {
        this.logger.warn(
          { shard, seq, signed },
          'the restore window was used: the mark follows the chain of this database',
        );
      }
    }
  }

  private refusal(
    code: SigningRefusal['code'],
    item: SignItem,
    what: string,
    more: RefusalContext = {},
  ): SigningRefusal {
    const { index, purpose, kid, input } = item;
    return new SigningRefusal(code, `Request ${index}: ${what}`, {
      ...more,
      index,
      purpose,
      kid: kid.slice(0, MAX_LOGGED_KID),
      digest: hash('sha256', input, 'hex'),
    });
  }

  /** @throws SigningRefusal `overloaded` */
  private assertRoom(items: readonly SignItem[]): void {
    if (this.inProgress + items.length <= MAX_IN_PROGRESS) return;
    throw new SigningRefusal('overloaded', `${this.inProgress} inputs are being signed; try again shortly`, {
      digests: digestsOf(items),
    });
  }

  private async signChecked(
    items: SignItem[],
    byKey: ReadonlyMap<string, { held: HeldKey; items: SignItem[] }>,
  ): Promise<ProxySignature[]> {
    this.inProgress += items.length;
    this.metrics.inProgress(this.inProgress);
    try {
      const signatures = new Array<ProxySignature>(items.length);
      await Promise.all(
        [...byKey].map(async ([kid, { held, items: group }]) => {
          const started = performance.now();
          const raw = await traced(
            'sign with the backend',
            () =>
              held.backend.sign(
                kid,
                group.map(({ input }) => input),
                undefined,
                { committed: group.map(({ committed }) => committed) },
              ),
            { 'kernel.backend': held.backend.name, 'kernel.kid': kid, 'kernel.signatures': group.length },
          );
          this.metrics.keyAnswered(kid, (performance.now() - started) / 1000, recordedTraceId());
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
        { digests: digestsOf(items) },
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

function digestsOf(items: readonly SignItem[]): string[] {
  return items.map(({ input }) => hash('sha256', input, 'hex'));
}

/** For the log alone: what a client wanted signed that may have nothing signed. */
function digestsOfBody(body: unknown): string[] {
  try {
    return digestsOf(readSignRequest(body));
  } catch (error) {
    if (error instanceof SigningRefusal) return [];
    throw error;
  }
}
