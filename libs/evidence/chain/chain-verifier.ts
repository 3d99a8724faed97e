import { type AuditEvent } from './audit-event';
import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { ChainSequence, type ShardHead } from './chain-sequence';
import { EvidenceError } from '../evidence.error';
import { FOUNDING_STREAM } from '../keys/founding';
import { IdentityCheckInMemory, type IdentityCheck } from './identity-check';
import { EventInspector } from './inspect-event';
import {
  GOVERNANCE_SHARD,
  isRegistryEvent,
  NO_KEYS,
  type KeyRegistryState,
  type ReattestedRange,
} from '../keys/key-registry';
import {
  KeyRing,
  type KeyRoots,
  type KeyUse,
  type KeyVerdict,
  type ProvenCheckpoint,
} from '../keys/key-ring';
import { assertOrigin, genesisHash } from './origin';

/** A head that was seen earlier: the chain must still contain it. */
export interface ExpectedHead {
  /** Null: any shard, which requires the hash. */
  shard: number | null;
  seq: number | null;
  hash: string | null;
}

/** The options begin with the trust root. */
export interface ChainVerifierOptions extends KeyRoots {
  /** First position to check, default 1. */
  from?: number;
  /** Check signatures and key validity, default true; otherwise only the chain is checked. */
  signatures?: boolean;
  /** See ChainSequenceOptions. */
  lateArrivals?: boolean;
  /** State of the registry, when all of its events are known beforehand: then the heads that they state are checked. */
  registry?: KeyRegistryState;
  /** See KeyRingOptions. */
  partial?: boolean;
  /** See KeyRingOptions. */
  checkpoints?: readonly ProvenCheckpoint[];
  /** The only shard that is read; default null, all. */
  shard?: number | null;
  /** Default: in memory. */
  identity?: IdentityCheck;
  /** Heads that were seen earlier, elsewhere than in this evidence: they anchor it. */
  expectedHeads?: readonly ExpectedHead[];
  /** What the evidence itself says of its heads (a store's own account): must hold, and anchors nothing. */
  storedHeads?: readonly ExpectedHead[];
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

/** Events whose signature alone is in doubt, and which were in the log before their key was declared compromised. */
export interface LoggedEvents {
  kid: string;
  shard: number;
  /** First and last position found. */
  from: number;
  to: number;
  count: number;
  /** Size of the checkpoint that vouches for them, and the key that signed it. */
  size: number;
  by: string;
}

/** A head that the chain must contain, and whether it was found. */
interface SoughtHead extends ExpectedHead {
  found: boolean;
  /** Position in shard 0 of the signer event that states it; null: it was expected from outside. */
  statedBy: number | null;
  /** It comes from outside the evidence. */
  anchors: boolean;
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
  private readonly expected: SoughtHead[];
  /** Those with a position, by shard and position; the others by hash alone. */
  private readonly expectedAt = new Map<number, Map<number, SoughtHead[]>>();
  private readonly expectedAnywhere: SoughtHead[];
  private readonly partial: boolean;
  /** The only shard that is read. */
  private readonly only: number | null;
  private founded = false;
  private readonly anchored = new Map<number, number>();
  private readonly doubtful = new Map<ReattestedRange, ReattestedEvents>();
  private readonly inLog = new Map<string, LoggedEvents>();
  private events = 0;

  constructor(options: ChainVerifierOptions) {
    assertOrigin(options.origin);
    const { origin } = options;
    this.from = options.from ?? 1;
    this.signatures = options.signatures ?? true;
    this.registryIsComplete = options.registry !== undefined;
    const { partial = false, registry = NO_KEYS, checkpoints = [] } = options;
    this.partial = partial;
    this.only = options.shard ?? null;
    this.ring = new KeyRing(options, { partial, registry, checkpoints });
    this.inspector = EventInspector.of(options, this.signatures);
    this.sequence = new ChainSequence({
      genesisHash: (shard) => genesisHash(origin, shard),
      identity: options.identity ?? new IdentityCheckInMemory(this.from === 1),
      from: this.from,
      lateArrivals: options.lateArrivals ?? false,
    });
    this.expected = [
      ...(options.expectedHeads ?? []).map((head) => ({
        ...head,
        found: false,
        statedBy: null,
        anchors: true,
      })),
      ...(options.storedHeads ?? []).map((head) => ({
        ...head,
        found: false,
        statedBy: null,
        anchors: false,
      })),
      ...(options.registry === undefined || !this.signatures ? [] : this.statedHeads(options.registry)),
    ];
    for (const head of this.expected) {
      // The head of an empty shard has position 0 and the genesis value: every chain of this origin contains it.
      if (head.seq === 0) {
        head.found = head.hash === null || head.hash === genesisHash(origin, head.shard ?? 0);
        if (head.found && head.anchors) this.anchorAt(head.shard ?? 0, 0);
      } else if (head.seq !== null) this.seek(head.shard ?? 0, head.seq, head);
    }
    this.expectedAnywhere = this.expected.filter(({ seq }) => seq === null);
  }

  /** The heads that signer events state, as far as they lie in what is read. */
  private statedHeads({ marks }: KeyRegistryState): SoughtHead[] {
    const isRead = ({ shard, seq }: { shard: number; seq: number }): boolean =>
      // That of shard 0 is the predecessor, which the link names too.
      shard !== GOVERNANCE_SHARD && (this.only === null || shard === this.only) && seq >= this.from;
    return marks.flatMap(({ seq: by, heads }) =>
      heads.filter(isRead).map((head) => ({ ...head, found: false, statedBy: by, anchors: false })),
    );
  }

  private seek(shard: number, seq: number, head: SoughtHead): void {
    const positions = this.expectedAt.get(shard) ?? new Map<number, SoughtHead[]>();
    this.expectedAt.set(shard, positions);
    const there = positions.get(seq);
    if (there === undefined) positions.set(seq, [head]);
    else there.push(head);
  }

  private anchorAt(shard: number, seq: number): void {
    this.anchored.set(shard, Math.max(seq, this.anchored.get(shard) ?? 0));
  }

  /** By shard, the last position at which an expected head was found: up to there, others know this chain. */
  anchors(): ReadonlyMap<number, number> {
    return this.anchored;
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

  /** Events found valid because the log had them in time, in the order in which they were found. */
  logged(): LoggedEvents[] {
    return [...this.inLog.values()];
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
    if (!this.ring.hasShard(facts.shard)) return this.acceptForeign(facts, faults);
    const order = this.sequence.accept(facts);
    // Not checked: it only provides the link of the first checked event.
    if (facts.seq < this.from) return order;
    this.events++;
    // Whose key it was is moot when its signature is wrong.
    const signed = formatted && !faults.some(({ code }) => code === 'signature');
    const key = this.signatures && signed ? this.judge(facts) : null;
    const head = this.expected.length > 0 ? this.compare(facts) : null;
    if (facts.seq === 1 && facts.shard === GOVERNANCE_SHARD)
      this.founded ||= facts.stream === FOUNDING_STREAM;
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
    for (const { shard, seq, hash, found, statedBy } of this.expected) {
      if (found) continue;
      const position = seq === null ? '' : ` ${shard ?? 0}:${seq}`;
      const which =
        statedBy === null ? 'the expected head' : `the head that ${GOVERNANCE_SHARD}:${statedBy} states,`;
      faults.push({
        code: 'truncation',
        shard,
        seq,
        id: null,
        message: `${which}${position}${hash === null ? '' : ` with hash ${hash}`} is not in the chain`,
      });
    }
    if (this.signatures) faults.push(...this.whatTheRegistryLacks());
    return faults;
  }

  /** An event of a shard that does not exist is no part of the chain: nothing else is asked of it. */
  private acceptForeign(facts: EventFacts, faults: readonly ChainFault[]): readonly ChainFault[] {
    this.events++;
    const message = `there is no shard ${facts.shard}: the kernel has ${this.ring.shards}`;
    return [...faults, faultAt(facts, 'unknown_shard', message)];
  }

  private whatTheRegistryLacks(): ChainFault[] {
    if (this.events === 0) return [];
    const fault = (code: ChainFault['code'], seq: number | null, message: string): ChainFault => ({
      code,
      shard: seq === null ? null : GOVERNANCE_SHARD,
      seq,
      id: null,
      message,
    });
    const faults: ChainFault[] = [];
    const whole = this.from === 1 && (this.only === null || this.only === GOVERNANCE_SHARD);
    if (whole && !this.partial && !this.founded) {
      faults.push(fault('founding', 1, 'the first event of shard 0 is not the founding of the kernel'));
    } else if (this.ring.shards === null) {
      const message =
        'how many shards there are is not known: neither the trust root nor this evidence says it';
      faults.push(fault('founding', null, message));
    }
    const head = this.sequence.heads().find(({ shard }) => shard === GOVERNANCE_SHARD);
    if (head === undefined || !whole || this.partial) return faults;
    for (const { seq, message } of this.ring.contradictions(head.seq)) {
      faults.push(fault('key_not_valid', seq, message));
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
      const code = error.code === 'invalid_founding' ? 'founding' : 'format';
      return [faultAt(event, code, `${error.message} (at ${error.pointer ?? '/payload'})`)];
    }
  }

  private judge(facts: EventFacts): ChainFault | null {
    const { shard, seq, id, signerKid: kid } = facts;
    const use = { kid, shard, seq };
    const verdict = this.ring.judge(use);
    if (verdict.valid) {
      const { reattested, logged } = verdict;
      if (logged !== undefined) this.noteLogged(use, logged);
      return reattested === undefined ? null : this.noteReattested(facts, reattested);
    }
    if (verdict.final || this.registryIsComplete) return faultAt(facts, verdict.code, verdict.message);
    const key = `${shard} ${kid}`;
    const deferred = this.deferred.get(key);
    if (deferred === undefined) this.deferred.set(key, { use, id, more: 0 });
    else deferred.more++;
    return null;
  }

  private noteLogged({ kid, shard, seq }: KeyUse, { size, kid: by }: ProvenCheckpoint): void {
    const key = `${shard} ${size} ${kid}`;
    const known = this.inLog.get(key);
    if (known === undefined) {
      this.inLog.set(key, { kid, shard, from: seq, to: seq, count: 1, size, by });
      return;
    }
    known.from = Math.min(known.from, seq);
    known.to = Math.max(known.to, seq);
    known.count++;
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
    for (const head of this.expectedAnywhere) {
      if (head.hash !== facts.hash || (head.shard !== null && head.shard !== facts.shard)) continue;
      head.found = true;
      if (head.anchors) this.anchorAt(facts.shard, facts.seq);
    }
    let fault: ChainFault | null = null;
    for (const head of this.expectedAt.get(facts.shard)?.get(facts.seq) ?? []) {
      if (head.found) continue;
      head.found = true;
      if (head.hash === null || head.hash === facts.hash) {
        // Without a hash it says how far the chain went, not what is in it.
        if (head.anchors && head.hash !== null) this.anchorAt(facts.shard, facts.seq);
        continue;
      }
      const { statedBy, hash } = head;
      const what =
        statedBy === null
          ? 'the expected head here has'
          : `${GOVERNANCE_SHARD}:${statedBy} states that the head here had`;
      fault = faultAt(facts, 'truncation', `${what} hash ${hash}, not ${facts.hash}`);
    }
    return fault;
  }
}
