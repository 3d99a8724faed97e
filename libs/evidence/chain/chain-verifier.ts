import { type AuditEvent } from './audit-event';
import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { ChainSequence, type ShardHead } from './chain-sequence';
import { EvidenceError } from '../evidence.error';
import { IdentityCheckInMemory, type IdentityCheck } from './identity-check';
import { EventInspector } from './inspect-event';
import { isRegistryEvent, NO_KEYS, type KeyRegistryState, type ReattestedRange } from '../keys/key-registry';
import { KeyRing, type KeyUse, type KeyVerdict } from '../keys/key-ring';
import { assertOrigin, genesisHash } from './origin';
import { checkedKeyOfPem } from '../keys/public-key';
import { type SignerEntry } from '../keys/signers';

/** A head that was seen earlier: the chain must still contain it. */
export interface ExpectedHead {
  /** Null: any shard, which requires the hash. */
  shard: number | null;
  seq: number | null;
  hash: string | null;
}

export interface ChainVerifierOptions {
  origin: string;
  /** The trust root. */
  signers: readonly SignerEntry[];
  /** First position to check, default 1. */
  from?: number;
  /** Check signatures and key validity, default true; otherwise only the chain is checked. */
  signatures?: boolean;
  /** See ChainSequenceOptions. */
  lateArrivals?: boolean;
  /** State of the registry, when all of its events are known beforehand. */
  registry?: KeyRegistryState;
  /** See KeyRingOptions. */
  partial?: boolean;
  /** Default: in memory. */
  identity?: IdentityCheck;
  expectedHeads?: readonly ExpectedHead[];
}

/** Events whose signature alone is in doubt, and which a later statement confirms (docs/spec/signers.md). */
export interface ReattestedEvents {
  kid: string;
  shard: number;
  /** First and last position found. */
  from: number;
  to: number;
  count: number;
  /** The event that confirms them, and the key that signed it. */
  by: { shard: number; seq: number; signerKid: string };
}

/** Uses of a key that only the rest of the chain can justify: the first, and how many more. */
interface DeferredUse {
  use: KeyUse;
  id: string;
  more: number;
}

/**
 * Checks a chain from canonical event bytes, in the order of `seq` per shard (docs/spec/verification.md). Shards may be
 * interleaved; when registry events may come later than events of other shards that depend on them, `registry` must be
 * given. Memory: what IdentityCheck keeps, and a constant.
 */
export class ChainVerifier {
  private readonly inspector: EventInspector;
  private readonly sequence: ChainSequence;
  private readonly ring: KeyRing;
  /** The registry was given: its events are already applied, and every verdict is final. */
  private readonly registryIsComplete: boolean;
  private readonly signatures: boolean;
  private readonly from: number;
  private readonly deferred = new Map<string, DeferredUse>();
  private readonly expected: (ExpectedHead & { found: boolean })[];
  private readonly doubtful = new Map<ReattestedRange, ReattestedEvents>();
  private events = 0;

  constructor(options: ChainVerifierOptions) {
    assertOrigin(options.origin);
    const { origin, signers } = options;
    this.from = options.from ?? 1;
    this.signatures = options.signatures ?? true;
    this.registryIsComplete = options.registry !== undefined;
    const { partial = false, registry = NO_KEYS } = options;
    this.ring = new KeyRing(signers, { partial, registry });
    this.inspector = new EventInspector(
      origin,
      (kid) => {
        const root = this.ring.root(kid);
        return root === undefined ? undefined : checkedKeyOfPem(root.public_key_pem);
      },
      this.signatures,
    );
    this.sequence = new ChainSequence({
      genesisHash: (shard) => genesisHash(origin, shard),
      identity: options.identity ?? new IdentityCheckInMemory(this.from === 1),
      from: this.from,
      lateArrivals: options.lateArrivals ?? false,
    });
    this.expected = (options.expectedHeads ?? []).map((head) => ({
      ...head,
      // The head of an empty shard has position 0 and the genesis value: every chain of this origin contains it.
      found: head.seq === 0 && (head.hash === null || head.hash === genesisHash(origin, head.shard ?? 0)),
    }));
  }

  /** Number of events checked. */
  get count(): number {
    return this.events;
  }

  get registry(): KeyRegistryState {
    return this.ring.registry;
  }

  /** Events found valid because they were re-attested, in the order in which they were found. */
  reattested(): ReattestedEvents[] {
    return [...this.doubtful.values()];
  }

  heads(): ShardHead[] {
    return this.sequence.heads();
  }

  /** Sets the hash that the first event of a shard must link to, when checking does not start at position 1. */
  setPredecessor(shard: number, hash: string): void {
    this.sequence.setPredecessor(shard, hash);
  }

  /** Checks one event. Faults that only the rest of the chain can reveal come from `finish`. */
  accept(bytes: Uint8Array | string): readonly ChainFault[] {
    const { facts, event, formatted, faults } = this.inspector.inspect(bytes);
    if (facts === null) {
      this.events++;
      return faults;
    }
    const sound = event !== null && faults.length === 0 && this.ring.root(event.signerKid) !== undefined;
    const registered = sound ? this.register(event) : [];
    return [...this.acceptFacts(facts, faults, formatted), ...registered];
  }

  /**
   * The same for an event that was inspected elsewhere (a worker thread).
   * @param faults the findings of the inspection
   * @param formatted whether its format is right; otherwise its key is not judged
   */
  acceptFacts(facts: EventFacts, faults: readonly ChainFault[], formatted: boolean): readonly ChainFault[] {
    const order = this.sequence.accept(facts);
    // Not checked: it only provides the link of the first checked event.
    if (facts.seq < this.from) return order;
    this.events++;
    const key = this.signatures && formatted ? this.judge(facts) : null;
    const head = this.expected.length > 0 ? this.compare(facts) : null;
    if (faults.length === 0 && key === null && head === null) return order;
    return [...faults, ...order, ...(key === null ? [] : [key]), ...(head === null ? [] : [head])];
  }

  finish(): ChainFault[] {
    const faults = this.sequence.finish();
    for (const { use, id, more } of this.deferred.values()) {
      const verdict = this.ring.judge(use);
      if (verdict.valid) continue;
      const others = more === 0 ? '' : `, and at ${more} later ${more === 1 ? 'position' : 'positions'}`;
      faults.push(faultAt({ ...use, id }, verdict.code, verdict.message + others));
    }
    for (const { shard, seq, hash, found } of this.expected) {
      if (found) continue;
      const position = seq === null ? '' : ` ${shard ?? 0}:${seq}`;
      faults.push({
        code: 'truncation',
        shard,
        seq,
        id: null,
        message: `the expected head${position}${hash === null ? '' : ` with hash ${hash}`} is not in the chain`,
      });
    }
    return faults;
  }

  private register(event: AuditEvent): ChainFault[] {
    if (this.registryIsComplete || !isRegistryEvent(event)) return [];
    try {
      this.ring.apply(event);
      return [];
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return [faultAt(event, 'format', `${error.message} (at ${error.pointer ?? '/payload'})`)];
    }
  }

  private judge(facts: EventFacts): ChainFault | null {
    const { shard, seq, ts, id, signerKid: kid } = facts;
    const use = { kid, shard, seq, ts };
    const verdict = this.ring.judge(use);
    if (verdict.valid) {
      const { reattested } = verdict;
      return reattested === undefined ? null : this.noteReattested(facts, reattested);
    }
    if (verdict.final || this.registryIsComplete) return faultAt(facts, verdict.code, verdict.message);
    const key = `${shard} ${kid}`;
    const deferred = this.deferred.get(key);
    if (deferred === undefined) this.deferred.set(key, { use, id, more: 0 });
    else deferred.more++;
    return null;
  }

  /** Returns a fault when the statement confirms another event at this position. */
  private noteReattested(
    { shard, seq, id, hash, signerKid: kid }: EventFacts,
    { range, by }: NonNullable<Extract<KeyVerdict, { valid: true }>['reattested']>,
  ): ChainFault | null {
    const known = this.doubtful.get(range);
    if (known === undefined) {
      const { shard: byShard, seq: bySeq, signerKid } = by;
      this.doubtful.set(range, {
        kid,
        shard,
        from: seq,
        to: seq,
        count: 1,
        by: { shard: byShard, seq: bySeq, signerKid },
      });
    } else {
      known.from = Math.min(known.from, seq);
      known.to = Math.max(known.to, seq);
      known.count++;
    }
    for (const end of [range.from, range.to]) {
      if (end.seq !== seq || end.hash === hash) continue;
      return faultAt(
        { shard, seq, id },
        'key_not_valid',
        `${kid} is compromised, and the event that was re-attested here has hash ${end.hash}, not ${hash}`,
      );
    }
    return null;
  }

  /** Ticks off the expected heads; returns a fault when another event is in the place of one. */
  private compare(facts: EventFacts): ChainFault | null {
    let fault: ChainFault | null = null;
    for (const head of this.expected) {
      if (head.found || (head.shard !== null && head.shard !== facts.shard)) continue;
      if (head.seq === null) {
        head.found = head.hash === facts.hash;
      } else if (head.seq === facts.seq) {
        head.found = true;
        if (head.hash === null || head.hash === facts.hash) continue;
        fault = faultAt(
          facts,
          'truncation',
          `the expected head here has hash ${head.hash}, not ${facts.hash}`,
        );
      }
    }
    return fault;
  }
}
