import {
  type AuditEvent,
  distinctSignatures,
  EventInspector,
  isRegistryEvent,
  verifyEd25519Async,
} from '#evidence';
import { type StreamPosition, type StreamRecord } from '../audit-stream';
import { IntegrityFault, type VerifiedEvent } from '../shard-handler';
import { type TrustedKeys } from './trusted-keys';

/** Hashes of events that were applied before, by seq; unknown ones are left out. */
export type StoredHashes = (shard: number, seqs: readonly number[]) => Promise<ReadonlyMap<number, string>>;

export interface ChainFollowerOptions {
  readonly shard: number;
  readonly origin: string;
  readonly keys: TrustedKeys;
  /** Last applied position. */
  readonly position: Pick<StreamPosition, 'seq' | 'hash'>;
  /** Distinguishes a repetition from another event in its place; without it only the last event is compared. */
  readonly storedHashes?: StoredHashes;
}

export interface FollowedRecords {
  /** Events to apply: each directly after the one before. */
  readonly events: readonly VerifiedEvent[];
  /** Number of records that were applied before, and are skipped. */
  readonly repeated: number;
  /** Fault of the record after `events`, which must not be applied. */
  readonly fault: IntegrityFault | null;
}

interface Candidate extends VerifiedEvent {
  /** Index among the records. */
  readonly at: number;
}

/**
 * Follows the chain of one shard from a position: decides whether each record of the stream is the next event, signed
 * by a key that was valid there, or a repetition, or wrong. Never continues past a wrong record.
 */
export class ChainFollower {
  private readonly inspector: EventInspector;
  private seq: number;
  private hash: string;

  constructor(private readonly options: ChainFollowerOptions) {
    // Signatures are checked here, many at a time: see `checkSignatures`.
    this.inspector = new EventInspector(options.origin, () => undefined, false);
    ({ seq: this.seq, hash: this.hash } = options.position);
  }

  /** Position that the next event must follow. */
  get position(): { readonly seq: number; readonly hash: string } {
    return { seq: this.seq, hash: this.hash };
  }

  /** Judges records; one call at a time. The next call treats the returned `events` as applied. */
  async follow(records: readonly StreamRecord[]): Promise<FollowedRecords> {
    const base = this.seq;
    const candidates: Candidate[] = [];
    const repeats: { at: number; event: AuditEvent }[] = [];
    let fault: { at: number; fault: IntegrityFault } | null = null;
    const found = (at: number, what: IntegrityFault | null): void => {
      if (what !== null && (fault === null || at < fault.at)) fault = { at, fault: what };
    };

    let { seq, hash } = this;
    for (const [at, { bytes, nextCursor, traceparent }] of records.entries()) {
      const read = this.read(bytes, seq);
      if (read instanceof IntegrityFault) {
        found(at, read);
        break;
      }
      const { event } = read;
      if (event.seq <= seq) {
        // Applied, or earlier in this very batch.
        const known = event.seq === this.seq ? this.hash : candidates[event.seq - base - 1]?.event.hash;
        if (known === undefined) repeats.push({ at, event });
        else found(at, this.compare(event, known));
        if (fault !== null) break;
        continue;
      }
      const wrong = this.link(event, seq, hash);
      if (wrong !== null) {
        found(at, wrong);
        break;
      }
      if (isRegistryEvent(event)) this.options.keys.learn(bytes);
      candidates.push({ event, bytes, nextCursor, traceparent, at });
      ({ seq, hash } = event);
    }

    const [atRepeat, atKey] = await Promise.all([this.checkRepeats(repeats), this.checkKeys(candidates)]);
    for (const one of [atRepeat, atKey]) if (one !== null) found(one.at, one.fault);
    const sound = await this.checkSignatures(candidates.filter(({ at }) => fault === null || at < fault.at));
    if (sound !== null) found(sound.at, sound.fault);

    const stop = (fault as { at: number; fault: IntegrityFault } | null) ?? null;
    const events = stop === null ? candidates : candidates.filter(({ at }) => at < stop.at);
    const last = events.at(-1)?.event;
    if (last !== undefined) ({ seq: this.seq, hash: this.hash } = last);
    return { events, repeated: records.length - candidates.length, fault: stop?.fault ?? null };
  }

  /** Reads one record by itself. */
  private read(bytes: Uint8Array, after: number): { event: AuditEvent } | IntegrityFault {
    const { event, facts, faults } = this.inspector.inspectWhole(bytes);
    const [first] = faults;
    if (event === null || first !== undefined) {
      const kind = first?.code === 'hash' ? 'hash' : 'format';
      const message = first?.message ?? 'it is no event';
      return facts === null
        ? new IntegrityFault(
            kind,
            this.options.shard,
            null,
            `Shard ${this.options.shard}: what comes after position ${after} is no event: ${message}.`,
          )
        : this.fault(kind, facts, message);
    }
    if (event.shard === this.options.shard) return { event };
    return this.fault('wrong_shard', event, `it stands in the records of shard ${this.options.shard}`);
  }

  private link(event: AuditEvent, seq: number, hash: string): IntegrityFault | null {
    if (event.seq !== seq + 1) {
      const missing =
        event.seq === seq + 2 ? `position ${seq + 1} is` : `positions ${seq + 1} to ${event.seq - 1} are`;
      return this.fault('gap', event, `${missing} missing before it`);
    }
    if (event.prevHash === hash) return null;
    return this.fault(
      'link',
      event,
      seq === 0
        ? `its prevHash is ${event.prevHash}, the genesis value of this origin and shard is ${hash}`
        : `its prevHash is ${event.prevHash}, the event before it has hash ${hash}`,
    );
  }

  private compare(event: AuditEvent, applied: string): IntegrityFault | null {
    if (event.hash === applied) return null;
    return this.fault(
      'fork',
      event,
      `it has hash ${event.hash}, but another event with hash ${applied} was applied there`,
    );
  }

  private async checkRepeats(
    repeats: readonly { at: number; event: AuditEvent }[],
  ): Promise<{ at: number; fault: IntegrityFault } | null> {
    const { storedHashes, shard } = this.options;
    if (repeats.length === 0 || storedHashes === undefined) return null;
    const stored = await storedHashes(
      shard,
      repeats.map(({ event }) => event.seq),
    );
    for (const { at, event } of repeats) {
      const hash = stored.get(event.seq);
      const fault = hash === undefined ? null : this.compare(event, hash);
      if (fault !== null) return { at, fault };
    }
    return null;
  }

  private async checkKeys(
    candidates: readonly Candidate[],
  ): Promise<{ at: number; fault: IntegrityFault } | null> {
    if (candidates.length === 0) return null;
    const { keys } = this.options;
    await keys.prepare();
    if (this.misusedKey(candidates) === null) return null;
    await keys.reconsider();
    return this.misusedKey(candidates);
  }

  /** The first event whose key was not valid there, as far as is known now. */
  private misusedKey(candidates: readonly Candidate[]): { at: number; fault: IntegrityFault } | null {
    for (const { at, event } of candidates) {
      const { signerKid: kid, shard, seq } = event;
      const verdict = this.options.keys.judge({ kid, shard, seq });
      if (verdict.valid) continue;
      const message =
        verdict.code === 'unknown_key'
          ? `its key ${kid} is neither in the trust root nor was it added to the chain by a trusted key`
          : verdict.message;
      return { at, fault: this.fault('key', event, message) };
    }
    return null;
  }

  /** Checks all at once in the thread pool: a batch is bounded. */
  private async checkSignatures(
    candidates: readonly Candidate[],
  ): Promise<{ at: number; fault: IntegrityFault } | null> {
    const { origin, keys } = this.options;
    const { checks, checkOf } = distinctSignatures(
      origin,
      candidates.map(({ event }) => event),
    );
    const verdicts = await Promise.all(
      checks.map(async ({ kid, input, signature }) => {
        const key = keys.key(kid);
        return key !== undefined && verifyEd25519Async(key, input, signature);
      }),
    );
    const wrong = candidates[checkOf.findIndex((check) => verdicts[check] !== true)];
    if (wrong === undefined) return null;
    const message = `its signature is not one by ${wrong.event.signerKid} over the group that this position and hash lead to`;
    return { at: wrong.at, fault: this.fault('signature', wrong.event, message) };
  }

  private fault(
    kind: IntegrityFault['kind'],
    of: { shard: number; seq: number; id: string },
    message: string,
  ): IntegrityFault {
    const name = of.id === '' ? 'the event' : `event ${of.id}`;
    return new IntegrityFault(
      kind,
      this.options.shard,
      of.seq,
      `Shard ${this.options.shard}: ${name} at ${of.shard}:${of.seq} is refused (${kind}): ${message}.`,
    );
  }
}
