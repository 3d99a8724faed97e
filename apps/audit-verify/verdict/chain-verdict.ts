import {
  ChainVerifier,
  checkedKeyOfPem,
  EventInspector,
  EvidenceError,
  KeyRing,
  NO_KEYS,
  type AuditEvent,
  type ChainFault,
  type EventFacts,
  type ExpectedHead,
  type Founding,
  type IdentityCheck,
  type KeyRegistryState,
  type LogPolicy,
  type ShardHead,
  sha256Hex,
  type TrustRoot,
} from '#evidence';
import { FaultList, type ChainReport, type ReportedKey, type UnanchoredEnd } from '../report/chain-report';
import { CheckpointCheck } from './checkpoints';
import { type InspectionSetup } from './inspected/inspected-events';

/** What is asked of a chain. */
export interface ChainQuestion {
  /** First position to check in each shard. */
  from: number;
  /** Null: all. */
  shard: number | null;
  /** Signatures and keys are left out. */
  chainOnly: boolean;
  expectedHeads: ExpectedHead[];
  /** Published checkpoints that the chain must agree with. */
  checkpoints: readonly { path: string; note: string }[];
  /** Whose cosignatures they need, in place of what the trust root says. */
  policy: LogPolicy | null;
}

/** How events come from where they are. */
export interface ChainSource {
  /** The source knows every registry event, even of what is not asked for. */
  whole: boolean;
  /** Events come in the order of the file, not sorted: a position that is missing may come later. */
  lateArrivals: boolean;
}

/**
 * The verdict on a chain of events that others read and inspected one by one: keys, order, heads, checkpoints. It is the
 * same for the same events in a terminal and in a browser, so nothing here depends on either.
 */
export class ChainVerdict {
  readonly faults = new FaultList();
  readonly checkpoints: CheckpointCheck;
  private verifier: ChainVerifier | undefined;
  /** The registry events that were read beforehand, by hash; null: they were not, or with all others. */
  private registered: Set<string> | null = null;

  /** @throws UsageError for a checkpoint that cannot be read */
  constructor(
    private readonly trust: TrustRoot,
    private readonly question: ChainQuestion,
    private readonly source: ChainSource,
  ) {
    const { checkpoints: files, policy, shard } = question;
    this.checkpoints = new CheckpointCheck({ files, trust, policy, shard });
  }

  /** Events that were read so far. */
  get count(): number {
    return this.verifier?.count ?? 0;
  }

  /** What those who inspect the events need to know. */
  setup(): InspectionSetup {
    const { origin, signers } = this.trust;
    const { chainOnly, from, shard } = this.question;
    return {
      origin,
      keys: signers.map(({ signer_kid, public_key_pem }) => [signer_kid, checkedKeyOfPem(public_key_pem)]),
      checkSignatures: !chainOnly,
      shard,
      leaves: this.checkpoints.needed(),
      from,
    };
  }

  /** The keys by events that are read before all others, so that each use of a key can be judged at once. */
  foldBeforehand(candidates: Iterable<Uint8Array>): KeyRing | null {
    if (this.question.chainOnly) return null;
    const events = this.readRegistry(candidates);
    this.registered = new Set(events.map(({ hash }) => hash));
    return this.foldRegistry(events);
  }

  /** The keys by the trust root and the chain's own events, in the order of shard 0; null where keys are left out. */
  foldRegistry(events: AuditEvent[]): KeyRing | null {
    const { chainOnly, from, shard: only } = this.question;
    if (chainOnly) return null;
    const ring = new KeyRing(this.trust, { partial: this.isPartial() });
    for (const event of events.sort((a, b) => a.seq - b.seq)) {
      try {
        ring.apply(event);
      } catch (error) {
        if (!(error instanceof EvidenceError)) throw error;
        const { shard, seq, id } = event;
        const code = error.code === 'invalid_founding' ? 'founding' : 'format';
        // Every key rests on the founding, whatever part of the chain is asked for.
        const asked = seq >= from && (only === null || only === shard);
        if (!asked && code !== 'founding') continue;
        this.faults.add([
          { code, shard, seq, id, message: `${error.message} (at ${error.pointer ?? '/payload'})` },
        ]);
      }
    }
    return ring;
  }

  /**
   * Begins with the events.
   * @param ring the keys by the whole registry; null: only the chain is checked
   * @param storedHeads what the source itself counts
   */
  begin(ring: KeyRing | null, identity: IdentityCheck, storedHeads: ExpectedHead[] = []): void {
    const { from, shard, chainOnly, expectedHeads } = this.question;
    if (ring !== null) this.faults.add(this.checkpoints.judge(ring.signers()));
    this.verifier = new ChainVerifier({
      ...this.trust,
      lateArrivals: this.source.lateArrivals,
      from,
      shard,
      signatures: !chainOnly,
      registry: ring?.registry ?? NO_KEYS,
      checkpoints: this.checkpoints.proven(),
      partial: this.isPartial(),
      identity,
      expectedHeads,
      storedHeads,
    });
  }

  /**
   * The next event.
   * @param facts null: nothing of it could be read
   * @param formatted its format is right
   * @param leaf its leaf hash in the log in hex, where a checkpoint needs it and the format is right
   */
  accept(
    facts: EventFacts | null,
    faults: readonly ChainFault[],
    formatted: boolean,
    leaf: string | null,
  ): void {
    const found = facts === null ? faults : this.begun().acceptFacts(facts, faults, formatted);
    if (found.length > 0) this.faults.add(found);
    if (facts !== null) this.faults.add(this.checkpoints.event(facts, leaf));
  }

  /** Registry events that were not among those read beforehand: whoever hid them wants keys to be judged without. */
  hidden(events: readonly AuditEvent[]): void {
    const { registered } = this;
    if (registered === null) return;
    const hidden = events.filter(({ hash, seq }) => seq >= this.question.from && !registered.has(hash));
    const message = 'it speaks for the key registry, but the columns of its row do not say so';
    this.faults.add(hidden.map(({ shard, seq, id }) => ({ code: 'format', shard, seq, id, message })));
  }

  /** @param days by shard, the position up to which day manifests vouch */
  conclude(days: ReadonlyMap<number, number> = new Map()): ChainReport {
    const { question, trust, faults, checkpoints } = this;
    const verifier = this.begun();
    faults.add(verifier.finish());
    faults.add(checkpoints.finish());
    if (verifier.count === 0 && faults.count === 0) faults.add([nothingToVerify(question)]);
    const heads = verifier.heads();
    const agreed = checkpoints.agreed();
    const anchors = [verifier.anchors(), days, new Map(agreed.map(({ shard, size }) => [shard, size]))];
    const { founding } = verifier.registry;
    return {
      verified: faults.count === 0,
      origin: trust.origin,
      signatures: !question.chainOnly,
      events: verifier.count,
      faults: faults.sorted(),
      faultCount: faults.count,
      reattested: verifier.reattested(),
      heads,
      notChecked: notChecked(question, trust, founding, checkpoints.witnessed),
      unanchored: unanchored(question, heads, anchors, trust.shards ?? founding?.shards ?? 0),
      from: question.from,
      checkpoints: agreed,
      logged: verifier.logged(),
      keys: keysOf(trust, verifier.registry, question),
    };
  }

  private begun(): ChainVerifier {
    if (this.verifier === undefined) throw new Error('begin() comes before the events');
    return this.verifier;
  }

  /** The events among `candidates` that are sound and speak for the registry; what is wrong with others shows later. */
  private readRegistry(candidates: Iterable<Uint8Array>): AuditEvent[] {
    const inspector = EventInspector.of(this.trust);
    const events: AuditEvent[] = [];
    for (const bytes of candidates) {
      const { event, faults } = inspector.inspect(bytes);
      if (event !== null && faults.length === 0) events.push(event);
    }
    return events;
  }

  /** A source that is verified in part may hold that part alone, without the registry's events. */
  private isPartial(): boolean {
    const { from, shard } = this.question;
    return !this.source.whole && (from > 1 || shard !== null);
  }
}

/** What the verdict does not say, in sentences. */
function notChecked(
  args: ChainQuestion,
  trust: TrustRoot,
  founding: Founding | null,
  witnessed: boolean,
): string[] {
  const { from, shard, chainOnly } = args;
  const sentences: string[] = [];
  if (chainOnly) sentences.push('signatures and keys (--chain-only)');
  if (from > 1) sentences.push(`the positions before ${from} (--from)`);
  if (shard !== null) sentences.push(`other shards than ${shard} (--shard)`);
  if (args.checkpoints.length > 0 && !witnessed) {
    const who = args.policy === null ? 'signers.json (log) asks for none' : 'the policy asks for none';
    sentences.push(`cosignatures of the checkpoints: ${who}`);
  }
  if (founding === null) return sentences;
  if (trust.shards === undefined) {
    sentences.push(
      `whether the kernel has ${founding.shards} shards, as event 0:1 says: signers.json does not say it (--shards)`,
    );
  }
  if (trust.firstPool === undefined) {
    const pool = founding.approverPool === null ? 'no approver pool' : founding.approverPool.sha256;
    sentences.push(
      `whether the kernel was founded with ${pool}, as event 0:1 says: signers.json does not say it (--first-pool)`,
    );
  }
  return sentences;
}

/** The keys with which the chain was judged, as trust root and chain know them together. */
function keysOf(trust: TrustRoot, registry: KeyRegistryState, { chainOnly }: ChainQuestion): ReportedKey[] {
  if (chainOnly) return [];
  return new KeyRing(trust, { registry })
    .signers()
    .map(({ signer_kid: kid, purposes, status, span, ...key }) => ({
      kid,
      purposes,
      status,
      sha256: sha256Hex(checkedKeyOfPem(key.public_key_pem)),
      span: span ?? null,
    }));
}

/** The end of each shard that nothing outside the events vouches for. */
function unanchored(
  { shard: only, from }: ChainQuestion,
  heads: readonly ShardHead[],
  anchors: readonly ReadonlyMap<number, number>[],
  shards: number,
): UnanchoredEnd[] {
  const ends = new Map(heads.map(({ shard, seq }) => [shard, seq]));
  for (let shard = 0; shard < shards; shard++) if (!ends.has(shard)) ends.set(shard, 0);
  return [...ends]
    .sort(([a], [b]) => a - b)
    .filter(([shard]) => only === null || shard === only)
    .flatMap(([shard, to]) => {
      const up = Math.max(-1, ...anchors.map((one) => one.get(shard) ?? -1));
      return up >= to ? [] : [{ shard, from: Math.max(up + 1, Math.min(from, to)), to }];
    });
}

/** An empty chain proves nothing: anyone who removed everything must not get a good verdict. */
function nothingToVerify({ shard, from }: ChainQuestion): ChainFault {
  const where = shard === null ? '' : ` of shard ${shard}`;
  const since = from === 1 ? '' : ` from position ${from} on`;
  return { code: 'truncation', shard, seq: null, id: null, message: `there is no event${where}${since}` };
}
