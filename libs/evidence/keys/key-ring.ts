import {
  evolveKeys,
  isRegistryEvent,
  NO_KEYS,
  samePublicKey,
  type EventPosition,
  type KeyDoubt,
  type KeyRegistryState,
  type ReattestedRange,
} from './key-registry';
import { type AuditEvent } from '../chain/audit-event';
import { type JsonObject } from '../json/json-value';
import { type SignerEntry } from './signers';

/**
 * Largest difference between the clocks of two shards' writers. Only used between shards: within one, positions decide.
 */
export const CROSS_SHARD_TOLERANCE_MS = 60_000;

/** Earlier than any `ts`. */
const BEFORE_EVERYTHING = '0000-01-01T00:00:00.000Z';

export interface KeyUse extends EventPosition {
  kid: string;
}

export type KeyVerdict =
  | {
      valid: true;
      /** Its signature alone is in doubt; a statement by a key that is not in doubt confirms it. */
      reattested?: { range: ReattestedRange; by: KeyDoubt['by'] };
    }
  | {
      valid: false;
      code: 'unknown_key' | 'key_not_valid';
      message: string;
      /** Whether nothing read later can make it valid. */
      final: boolean;
    };

const VALID: KeyVerdict = { valid: true };

export interface KeyRingOptions {
  /**
   * Only part of the evidence is read (a later position on, one of several shards): a key of the trust root that this
   * part does not register may have been registered in another, so the trust root decides.
   */
  partial?: boolean;
  /** State of the registry that is known from the start. */
  registry?: KeyRegistryState;
}

/**
 * Decides which key may sign an audit event where (docs/spec/verification.md, section 3): signers.json is the trust
 * root, the chain's own signer events give the range.
 */
export class KeyRing {
  private readonly roots: ReadonlyMap<string, SignerEntry>;
  private readonly partial: boolean;
  private state: KeyRegistryState;

  constructor(roots: readonly SignerEntry[], { partial = false, registry = NO_KEYS }: KeyRingOptions = {}) {
    this.roots = new Map(roots.map((entry) => [entry.signer_kid, entry]));
    this.partial = partial;
    this.state = registry;
  }

  get registry(): KeyRegistryState {
    return this.state;
  }

  root(kid: string): SignerEntry | undefined {
    return this.roots.get(kid);
  }

  /** Takes in an event that passed its own checks. @throws EvidenceError as `evolveKeys` does. */
  apply(event: Pick<AuditEvent, 'type' | 'stream' | 'payload' | 'shard' | 'seq' | 'ts' | 'signerKid'>): void {
    if (this.partial && isRegistryEvent(event)) this.assumeRegistered(event.payload, event.shard);
    this.state = evolveKeys(this.state, event);
  }

  /** Registers a key that this part of the evidence mentions without registering it: it was registered before. */
  private assumeRegistered(payload: JsonObject, shard: number): void {
    const kid = payload['signer_kid'] ?? payload['from'];
    const root = typeof kid === 'string' ? this.roots.get(kid) : undefined;
    if (root === undefined || this.state.keys.has(root.signer_kid)) return;
    const entry: SignerEntry = { ...root, status: 'active', retiredAt: null, compromisedAt: null };
    this.state = {
      keys: new Map(this.state.keys).set(entry.signer_kid, {
        entry,
        added: { shard, seq: 0, ts: BEFORE_EVERYTHING },
        ended: null,
        doubt: null,
      }),
    };
  }

  /** Whether `use.kid` may have signed the event at that position, as far as is known now. */
  judge(use: KeyUse): KeyVerdict {
    const root = this.roots.get(use.kid);
    if (root === undefined) return refuse('unknown_key', `signers.json has no key ${use.kid}`, true);
    if (!root.purposes.includes('audit')) {
      return refuse('key_not_valid', `${use.kid} is not an audit key (signers.json, purposes)`, true);
    }
    const known = this.state.keys.get(use.kid);
    if (known === undefined) {
      if (this.partial || this.isBeforeRegistry(use)) return judgeByRoot(root, use);
      return refuse('key_not_valid', `${use.kid} is used before it was added to the registry`, false);
    }
    if (!samePublicKey(known.entry.public_key_pem, root.public_key_pem)) {
      return refuse(
        'key_not_valid',
        `the chain registers another public key for ${use.kid} than signers.json`,
        true,
      );
    }
    if (!known.entry.purposes.includes('audit')) {
      return refuse('key_not_valid', `${use.kid} was not registered as an audit key`, true);
    }
    if (isBefore(use, known.added) && !this.isBeforeRegistry(use)) {
      return refuse('key_not_valid', `${use.kid} is used before it was added at ${show(known.added)}`, true);
    }
    if (known.ended === null) return judgeByRoot(root, use);
    if (isAfter(use, known.ended)) {
      return refuse(
        'key_not_valid',
        `${use.kid} is used after it was ${known.entry.status} at ${show(known.ended)}`,
        true,
      );
    }
    return known.doubt === null ? VALID : judgeDoubtful(known.doubt, use);
  }

  /** Whether no audit key was registered before this position: then the trust root alone decides. */
  private isBeforeRegistry(use: EventPosition): boolean {
    for (const { entry, added } of this.state.keys.values()) {
      if (!entry.purposes.includes('audit')) continue;
      if (added.shard === use.shard ? added.seq < use.seq : added.ts < use.ts) return false;
    }
    return true;
  }
}

/** Judges a key that was valid there but that someone else may already have had. */
function judgeDoubtful({ since, reattested, by }: KeyDoubt, use: KeyUse): KeyVerdict {
  const from = since.get(use.shard);
  if (from === undefined || use.seq < from) return VALID;
  const range = reattested.find(
    (one) => one.shard === use.shard && one.from.seq <= use.seq && use.seq <= one.to.seq,
  );
  if (range !== undefined) return { valid: true, reattested: { range, by } };
  return refuse(
    'key_not_valid',
    `${use.kid} is compromised since ${use.shard}:${from} (says ${show(by)}), and nobody re-attested this event`,
    true,
  );
}

/** Judges a key that ended by signers.json but not by the chain (as far as it is read): its time decides. */
function judgeByRoot(root: SignerEntry, use: KeyUse): KeyVerdict {
  if (root.status === 'active') return VALID;
  const at = root.status === 'retired' ? root.retiredAt : root.compromisedAt;
  if (at !== null && Date.parse(use.ts) <= Date.parse(at) + CROSS_SHARD_TOLERANCE_MS) return VALID;
  const since = at === null ? '' : ` since ${at}`;
  return refuse('key_not_valid', `${use.kid} is ${root.status}${since} (signers.json)`, false);
}

function isBefore(use: EventPosition, mark: EventPosition): boolean {
  if (use.shard === mark.shard) return use.seq < mark.seq;
  return Date.parse(use.ts) < Date.parse(mark.ts) - CROSS_SHARD_TOLERANCE_MS;
}

function isAfter(use: EventPosition, mark: EventPosition): boolean {
  if (use.shard === mark.shard) return use.seq > mark.seq;
  return Date.parse(use.ts) > Date.parse(mark.ts) + CROSS_SHARD_TOLERANCE_MS;
}

function show({ shard, seq }: EventPosition): string {
  return `${shard}:${seq}`;
}

function refuse(code: 'unknown_key' | 'key_not_valid', message: string, final: boolean): KeyVerdict {
  return { valid: false, code, message, final };
}
