import { whyNotFounded } from './founding';
import { type KeySpan, seqIn, type ShardPosition, whyOutside } from './key-span';
import {
  evolveKeys,
  GOVERNANCE_SHARD,
  isFoundingPosition,
  isRegistryEvent,
  NO_KEYS,
  type RegisteredKey,
  type RegistryEvent,
  samePublicKey,
  spanOf,
  type KeyDoubt,
  type KeyRegistryState,
  type ReattestedRange,
} from './key-registry';
import { EvidenceError } from '../evidence.error';
import { type TrustedSigner } from './signers';
import { type TrustRoot } from './trust-root';

/** The use of an audit key: which one, and at which position. */
export interface KeyUse extends ShardPosition {
  kid: string;
}

/**
 * A checkpoint whose signature the caller has checked, and in whose tree the events up to its size are: by their proofs
 * of inclusion, or because its root is that of the evidence.
 */
export interface ProvenCheckpoint {
  shard: number;
  size: number;
  /** The checkpoint key. */
  kid: string;
}

export type KeyVerdict =
  | {
      valid: true;
      /** Its signature alone is in doubt; a statement by a key that is not in doubt confirms it. */
      reattested?: { range: ReattestedRange; by: KeyDoubt['by'] };
      /** Its signature alone is in doubt; it was in the log before the key was declared compromised. */
      logged?: ProvenCheckpoint;
    }
  | {
      valid: false;
      code: 'unknown_key' | 'key_not_valid' | 'unknown_shard';
      message: string;
      /** Whether nothing read later can make it valid. */
      final: boolean;
    };

/** Parts of a trust root on which the validity of keys rests. */
export type KeyRoots = Pick<TrustRoot, 'origin' | 'signers' | 'shards' | 'firstPool'>;

const VALID: KeyVerdict = { valid: true };

export interface KeyRingOptions {
  /**
   * Only part of the evidence is read (a later position on, one of several shards): a key of the trust root that this
   * part does not register may have been registered in another, so the span in the trust root decides.
   */
  partial?: boolean;
  /** State of the registry that is known from the start. */
  registry?: KeyRegistryState;
  /** They clear doubt about what they include. */
  checkpoints?: readonly ProvenCheckpoint[];
}

/**
 * Decides which key may sign an audit event where (docs/spec/verification.md, section 3): by positions alone. The trust
 * root says which keys there are, the chain's own signer events from where to where they sign.
 */
export class KeyRing {
  private readonly roots: ReadonlyMap<string, TrustedSigner>;
  private readonly partial: boolean;
  private readonly checkpoints: readonly ProvenCheckpoint[];
  private readonly spans = new WeakMap<RegisteredKey, KeySpan>();
  private state: KeyRegistryState;

  constructor(
    private readonly trust: KeyRoots,
    { partial = false, registry = NO_KEYS, checkpoints = [] }: KeyRingOptions = {},
  ) {
    this.roots = new Map(trust.signers.map((entry) => [entry.signer_kid, entry]));
    this.partial = partial;
    this.checkpoints = checkpoints;
    this.state = { ...registry, shards: registry.shards ?? trust.shards ?? null };
  }

  get registry(): KeyRegistryState {
    return this.state;
  }

  /** Number of shards by the trust root, or else by the founding; null when neither is known. */
  get shards(): number | null {
    return this.trust.shards ?? this.state.shards;
  }

  root(kid: string): TrustedSigner | undefined {
    return this.roots.get(kid);
  }

  /** Whether a shard exists; true when their number is not known. */
  hasShard(shard: number): boolean {
    return this.shards === null || shard < this.shards;
  }

  /**
   * Takes in an event that passed its own checks, in the order of shard 0. One by a key that was not valid there
   * changes nothing; where it stands, `judge` says what is wrong with it.
   * @throws EvidenceError as `evolveKeys` does; `invalid_founding` also when the founding contradicts the trust root
   */
  apply(event: RegistryEvent): void {
    // A key that the trust root does not have says nothing, at the founding neither.
    if (!isRegistryEvent(event) || !this.roots.has(event.signerKid)) return;
    const before = this.state;
    if (this.partial && before.founding === null) this.assumeRegistered(event);
    try {
      this.state = evolveKeys(this.state, event);
    } catch (error) {
      this.state = before;
      throw error;
    }
    if (before.founding === null && this.state.founding !== null) {
      const wrong = whyNotFounded(this.state.founding, this.trust);
      if (wrong !== null) {
        const message = `The founding is not that of the trust root: ${wrong}.`;
        throw new EvidenceError('invalid_founding', message, { pointer: '/payload' });
      }
    }
    // The founding events vouch for each other: whether their keys are right is asked when all are read.
    if (isFoundingPosition(this.state, event)) return;
    const { signerKid: kid, shard, seq } = event;
    if (!this.judgeBy({ kid, shard, seq }, false).valid) this.state = before;
  }

  /** Registers a key that this part of the evidence mentions without registering it: it was registered before. */
  private assumeRegistered({ type, payload, ts }: RegistryEvent): void {
    const kid = type === 'signer.added' ? undefined : (payload['signer_kid'] ?? payload['from']);
    const root = typeof kid === 'string' ? this.roots.get(kid) : undefined;
    if (root?.span === undefined || this.state.keys.has(root.signer_kid)) return;
    const { span, ...entry } = root;
    const heads = span.after.map(({ shard, seq }) => ({ shard, seq, hash: '' }));
    const key: RegisteredKey = {
      entry: { ...entry, status: 'active', retiredAt: null, compromisedAt: null },
      added: { shard: GOVERNANCE_SHARD, seq: (heads[0]?.seq ?? 0) + 1, ts, heads },
      founding: false,
      ended: null,
      doubt: null,
    };
    this.state = { ...this.state, keys: new Map(this.state.keys).set(root.signer_kid, key) };
  }

  /** Whether `use.kid` may have signed the event at that position, as far as is known now. */
  judge(use: KeyUse): KeyVerdict {
    return this.judgeBy(use, true);
  }

  /**
   * @param whole whether the registry is known as far as it goes. While it is folded, later events may still say where a
   * key ended that the trust root says has ended, and who stands by what is in doubt.
   */
  private judgeBy(use: KeyUse, whole: boolean): KeyVerdict {
    const { kid, shard } = use;
    if (!this.hasShard(shard)) {
      return refuse('unknown_shard', `there is no shard ${shard}: the kernel has ${this.shards}`, true);
    }
    const root = this.roots.get(kid);
    if (root === undefined) return refuse('unknown_key', `signers.json has no key ${kid}`, true);
    if (!root.purposes.includes('audit')) {
      return refuse('key_not_valid', `${kid} is not an audit key (signers.json, purposes)`, true);
    }
    const known = this.state.keys.get(kid);
    if (known === undefined) return this.judgeUnregistered(root, use, whole);
    if (!samePublicKey(known.entry.public_key_pem, root.public_key_pem)) {
      return refuse(
        'key_not_valid',
        `the chain registers another public key for ${kid} than signers.json`,
        true,
      );
    }
    if (!known.entry.purposes.includes('audit')) {
      return refuse('key_not_valid', `${kid} was not registered as an audit key`, true);
    }
    const outside = whyOutside(this.spanOf(known), use);
    if (outside !== null) {
      const end = known.ended === null ? '' : `, and ${known.entry.status} at ${show(known.ended)}`;
      const message = `${kid} ${outside}: it was added at ${show(known.added)}${end}`;
      return refuse('key_not_valid', message, true);
    }
    const byRoot = this.judgeByRoot(root, known, use, whole);
    if (byRoot !== null) return byRoot;
    return known.doubt === null || !whole ? VALID : this.judgeDoubtful(known.doubt, use);
  }

  private spanOf(key: RegisteredKey): KeySpan {
    let span = this.spans.get(key);
    if (span === undefined) this.spans.set(key, (span = spanOf(key)));
    return span;
  }

  /** A key that the evidence, as far as it is read, does not register. */
  private judgeUnregistered(root: TrustedSigner, use: KeyUse, whole: boolean): KeyVerdict {
    const { signer_kid: kid, span } = root;
    if (this.state.founding !== null || !this.partial) {
      return refuse('key_not_valid', `${kid} is used before it was added to the registry`, false);
    }
    if (span === undefined) {
      return refuse(
        'key_not_valid',
        `where ${kid} signs is not known: signers.json has no span for it, and this part of the evidence no registry`,
        false,
      );
    }
    return this.judgeBySpan(root, whole ? span : { ...span, since: null }, use);
  }

  /**
   * What the trust root says of a key that the chain has too; null when that allows the use. The stricter of the two
   * counts: who has the key writes registry events as well.
   */
  private judgeByRoot(
    root: TrustedSigner,
    known: RegisteredKey,
    use: KeyUse,
    whole: boolean,
  ): KeyVerdict | null {
    const { signer_kid: kid, status, span } = root;
    if (span !== undefined) {
      // What is in doubt, and what of that is confirmed, the chain says best.
      const given = known.doubt === null && whole ? span : { ...span, since: null };
      const verdict = this.judgeBySpan(root, given, use);
      return verdict.valid && verdict.logged === undefined ? null : verdict;
    }
    if (!whole || status === 'active' || isEndWitnessed(known, status)) return null;
    return refuse(
      'key_not_valid',
      `${kid} is ${status} (signers.json), and neither a span there nor another key in the evidence says where it ended`,
      false,
    );
  }

  private judgeBySpan({ signer_kid: kid, status }: TrustedSigner, span: KeySpan, use: KeyUse): KeyVerdict {
    const { until, since } = span;
    if (status !== 'active' && until === null) {
      return refuse('key_not_valid', `${kid} is ${status}, and its span in signers.json does not end`, false);
    }
    const outside = whyOutside(span, use);
    if (outside !== null) {
      return refuse('key_not_valid', `${kid} ${outside} (signers.json, span)`, false);
    }
    const doubt = since === null ? null : (seqIn(since, use.shard) ?? 1);
    if (doubt === null || use.seq < doubt) return VALID;
    // The statement itself came at its end, or later.
    const logged = this.checkpointOver(use, seqIn(until ?? [], use.shard) ?? 0);
    if (logged !== undefined) return { valid: true, logged };
    const message = `${kid} is in doubt from ${use.shard}:${doubt} on (signers.json, span)`;
    return refuse('key_not_valid', message, false);
  }

  /** A checkpoint that includes the event and was made before the heads at which its key was declared compromised. */
  private checkpointOver({ shard, seq }: KeyUse, head: number): ProvenCheckpoint | undefined {
    return this.checkpoints.find(
      (one) =>
        one.shard === shard && seq <= one.size && one.size <= head && this.isSoundCheckpointKey(one.kid),
    );
  }

  /** Judges a key that was valid there but that someone else may already have had. */
  private judgeDoubtful({ since, reattested, by }: KeyDoubt, use: KeyUse): KeyVerdict {
    const from = since.get(use.shard) ?? 1;
    if (use.seq < from) return VALID;
    const range = reattested.find(
      (one) => one.shard === use.shard && one.from.seq <= use.seq && use.seq <= one.to.seq,
    );
    if (range !== undefined) return { valid: true, reattested: { range, by } };
    const logged = this.checkpointOver(use, by.heads[use.shard]?.seq ?? 0);
    if (logged !== undefined) return { valid: true, logged };
    return refuse(
      'key_not_valid',
      `${use.kid} is in doubt from ${use.shard}:${from} on (says ${show(by)}), and neither a statement nor the log vouches for this event`,
      true,
    );
  }

  /** Whether a checkpoint key is in the trust root and compromised neither there nor in the chain. */
  private isSoundCheckpointKey(kid: string): boolean {
    const root = this.roots.get(kid);
    if (root === undefined || !root.purposes.includes('checkpoint')) return false;
    return root.status !== 'compromised' && this.state.keys.get(kid)?.entry.status !== 'compromised';
  }

  /**
   * The keys of the trust root as far as trust root and chain know them together: with the worse status of the two, and
   * the span by the chain where it registers the key.
   */
  signers(): TrustedSigner[] {
    return this.trust.signers.map((root) => {
      const known = this.state.keys.get(root.signer_kid);
      if (known === undefined || !samePublicKey(known.entry.public_key_pem, root.public_key_pem)) return root;
      const { status, retiredAt, compromisedAt } = known.entry;
      // The trust root may know of an end that this evidence does not have.
      if (STATUSES.indexOf(root.status) > STATUSES.indexOf(status)) return root;
      return { ...root, status, retiredAt, compromisedAt, span: this.spanOf(known) };
    });
  }

  /**
   * Where the trust root and the chain contradict each other about a key, once all of shard 0 up to `head` is read:
   * the sentence about each.
   */
  contradictions(head: number): { kid: string; seq: number | null; message: string }[] {
    return this.trust.signers.flatMap((root) => {
      const { signer_kid: kid, span } = root;
      if (span === undefined) return [];
      const wrong = whySpansDiffer(span, this.state.keys.get(kid), head);
      return wrong === null ? [] : [{ kid, seq: wrong.seq, message: `${kid}: ${wrong.message}` }];
    });
  }
}

/**
 * Whether a key other than the ended one says where it ended. An emergency alone does not count: the counter-signature
 * in it can be repeated, and the lost key may sign the rest.
 */
function isEndWitnessed({ entry, doubt }: RegisteredKey, status: TrustedSigner['status']): boolean {
  return doubt !== null || (status === 'retired' && entry.retiredAt !== null);
}

/** From good to bad. */
const STATUSES: readonly string[] = ['active', 'retired', 'compromised'];

/** A trust root may be older or newer than the evidence: what one of them cannot know yet is no contradiction. */
function whySpansDiffer(
  span: KeySpan,
  known: RegisteredKey | undefined,
  head: number,
): { seq: number | null; message: string } | null {
  const begins = (seqIn(span.after, GOVERNANCE_SHARD) ?? 0) + 1;
  if (known === undefined) {
    if (begins > head) return null;
    return {
      seq: begins,
      message: `signers.json says that it was added by ${GOVERNANCE_SHARD}:${begins}, the chain does not add it`,
    };
  }
  const own = spanOf(known);
  if (!samePositions(span.after, own.after)) {
    return {
      seq: known.added.seq,
      message: `signers.json says that it begins elsewhere than where ${show(known.added)} adds it`,
    };
  }
  const until = span.until === null ? null : (seqIn(span.until, GOVERNANCE_SHARD) ?? 0);
  if (span.until !== null && until !== null) {
    if (known.ended === null) {
      if (until > head) return null;
      return {
        seq: until,
        message: `signers.json says that ${GOVERNANCE_SHARD}:${until} ends it, the chain does not`,
      };
    }
    if (own.until === null || !samePositions(span.until, own.until)) {
      return {
        seq: known.ended.seq,
        message: `signers.json says that it ends elsewhere than where ${show(known.ended)} ends it`,
      };
    }
  }
  if (span.since !== null && own.since !== null && !samePositions(span.since, own.since)) {
    return {
      seq: known.doubt?.by.seq ?? null,
      message: 'signers.json says that it is in doubt from elsewhere than the chain says',
    };
  }
  return null;
}

function samePositions(a: readonly ShardPosition[], b: readonly ShardPosition[]): boolean {
  return a.length === b.length && a.every(({ shard, seq }) => seqIn(b, shard) === seq);
}

function show({ shard, seq }: ShardPosition): string {
  return `${shard}:${seq}`;
}

function refuse(
  code: 'unknown_key' | 'key_not_valid' | 'unknown_shard',
  message: string,
  final: boolean,
): KeyVerdict {
  return { valid: false, code, message, final };
}
