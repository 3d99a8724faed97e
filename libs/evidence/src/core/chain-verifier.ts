import { type AuditEvent } from './audit-event';
import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { ChainSequence, type ShardHead } from './chain-sequence';
import { EvidenceError } from './evidence.error';
import { type EvidenceCrypto } from './evidence-crypto';
import { IdentityCheckInMemory, type IdentityCheck } from './identity-check';
import { EventInspector, type Inspection } from './inspect-event';
import { isRegistryEvent, type KeyRegistryState } from './key-registry';
import { KeyRing, type KeyUse } from './key-ring';
import { assertOrigin, genesisHashWith } from './origin';
import { checkedKeyOfPem } from './public-key';
import { type SignerEntry } from './signers';

/** A head that somebody saw: the chain must still contain it. */
export interface ExpectedHead {
  /** Null: in any shard, which needs the hash. */
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
  /** Check signatures and key validity, default true; without it the chain alone. */
  signatures?: boolean;
  /** See ChainSequenceOptions. */
  lateArrivals?: boolean;
  /** What the registry holds, when all of its events are known beforehand. */
  registry?: KeyRegistryState;
  /** Default: in memory. */
  identity?: IdentityCheck;
  expectedHeads?: readonly ExpectedHead[];
}

/** Key uses that later registry events may still justify; more than this many are faults at once. */
const MAX_DEFERRED = 10_000;

/**
 * Checks a chain from canonical event bytes, in the order of `seq` per shard (docs/spec/verification.md). Shards may be
 * interleaved. Memory: what IdentityCheck keeps, and a constant.
 */
export class ChainVerifierCore<Key = unknown> {
  private readonly inspector: EventInspector<Key>;
  private readonly sequence: ChainSequence;
  private readonly ring: KeyRing;
  private readonly complete: boolean;
  private readonly signatures: boolean;
  private readonly from: number;
  private readonly deferred: { use: KeyUse; facts: Pick<EventFacts, 'shard' | 'seq' | 'id'> }[] = [];
  private readonly lastUses = new Map<string, KeyUse & { id: string }>();
  private readonly expected: (ExpectedHead & { found: boolean })[];
  private events = 0;

  constructor(crypto: EvidenceCrypto<Key>, options: ChainVerifierOptions) {
    assertOrigin(options.origin);
    const { origin, signers } = options;
    this.from = options.from ?? 1;
    this.signatures = options.signatures ?? true;
    this.complete = options.registry !== undefined;
    this.ring = new KeyRing(signers, options.registry);
    this.inspector = new EventInspector(
      crypto,
      origin,
      (kid) => {
        const root = this.ring.root(kid);
        return root === undefined ? undefined : checkedKeyOfPem(root.public_key_pem);
      },
      this.signatures,
    );
    this.sequence = new ChainSequence({
      genesisHash: (shard) => genesisHashWith(crypto.sha256Hex, origin, shard),
      identity: options.identity ?? new IdentityCheckInMemory(this.from === 1),
      from: this.from,
      lateArrivals: options.lateArrivals ?? false,
    });
    this.expected = (options.expectedHeads ?? []).map((head) => ({ ...head, found: false }));
  }

  /** Number of events checked. */
  get count(): number {
    return this.events;
  }

  get registry(): KeyRegistryState {
    return this.ring.registry;
  }

  heads(): ShardHead[] {
    return this.sequence.heads();
  }

  /** Sets the hash that the first event of a shard must link to, when checking does not start at position 1. */
  setPredecessor(shard: number, hash: string): void {
    this.sequence.setPredecessor(shard, hash);
  }

  /** Checks one event. Faults that only the rest of the chain can tell come from `finish`. */
  accept(bytes: Uint8Array | string): ChainFault[] {
    return this.acceptInspected(this.inspector.inspect(bytes));
  }

  /** The same for an event that was inspected elsewhere (a worker thread). */
  acceptInspected({ facts, event, faults }: Inspection): ChainFault[] {
    if (facts === null) {
      this.events++;
      return faults;
    }
    if (facts.seq < this.from) {
      // Not checked, but it says which keys are registered and what the first checked event links to.
      this.sequence.accept(facts);
      return event === null ? [] : this.register(event);
    }
    this.events++;
    const found = [...faults, ...this.sequence.accept(facts)];
    if (this.signatures && event !== null) {
      if (faults.length === 0) found.push(...this.register(event));
      found.push(...this.judge(facts));
    }
    if (this.expected.length > 0) this.compare(facts, found);
    return found;
  }

  finish(): ChainFault[] {
    const faults = this.sequence.finish();
    for (const { use, facts } of this.deferred) {
      const verdict = this.ring.judge(use);
      if (!verdict.valid) faults.push(faultAt(facts, verdict.code, verdict.message));
    }
    if (!this.complete) {
      for (const use of this.lastUses.values()) {
        const verdict = this.ring.judge(use);
        if (!verdict.valid)
          faults.push(faultAt(use, verdict.code, `${verdict.message}; others before it may be too`));
      }
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
    // With the registry given beforehand, its events have been applied already.
    if (this.complete || !isRegistryEvent(event)) return [];
    try {
      this.ring.apply(event);
      return [];
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      return [faultAt(event, 'format', `${error.message} (at ${error.pointer ?? '/payload'})`)];
    }
  }

  private judge(facts: EventFacts): ChainFault[] {
    const { shard, seq, ts, id, signerKid: kid } = facts;
    const use = { kid, shard, seq, ts };
    const verdict = this.ring.judge(use);
    if (verdict.valid) {
      if (!this.complete) this.lastUses.set(`${shard} ${kid}`, { ...use, id });
      return [];
    }
    if (verdict.final || this.complete || this.deferred.length >= MAX_DEFERRED) {
      return [faultAt(facts, verdict.code, verdict.message)];
    }
    this.deferred.push({ use, facts: { shard, seq, id } });
    return [];
  }

  private compare(facts: EventFacts, faults: ChainFault[]): void {
    for (const head of this.expected) {
      if (head.found || (head.shard !== null && head.shard !== facts.shard)) continue;
      if (head.seq === null) {
        head.found = head.hash === facts.hash;
      } else if (head.seq === facts.seq) {
        head.found = true;
        if (head.hash !== null && head.hash !== facts.hash) {
          faults.push(
            faultAt(facts, 'truncation', `the expected head here has hash ${head.hash}, not ${facts.hash}`),
          );
        }
      }
    }
  }
}
