import { type AuditEvent } from '../../chain/audit-event';
import { EventInspector } from '../../chain/inspect-event';
import { EvidenceError } from '../../evidence.error';
import { FOUNDING_STREAM } from '../../keys/founding';
import { GOVERNANCE_SHARD, isRegistryEvent } from '../../keys/key-registry';
import { KeyRing } from '../../keys/key-ring';
import { type TrustRoot } from '../../keys/trust-root';
import { type EvidenceFaults } from './evidence-faults';
import { type Inclusion } from './proven-inclusion';

/** Reads the canonical events of a file, and reports what is wrong with each and with their order. */
export class BundleEvents {
  /** Positions and hashes of what was read. */
  readonly heads: { shard: number; seq: number; hash: string }[] = [];
  readonly ring: KeyRing;
  private readonly inspector: EventInspector;
  private readonly proven: boolean;
  /** Those whose format, hash and signature are right. */
  private readonly sound = new WeakSet<AuditEvent>();

  /** @param inclusion null: nothing is proven to be in the log */
  constructor(
    trust: TrustRoot,
    inclusion: Inclusion | null,
    private readonly faults: EvidenceFaults,
  ) {
    const proven = inclusion?.proven ?? null;
    const checkpoints = proven === null ? [] : [proven];
    this.proven = proven !== null;
    this.ring = new KeyRing(trust, { checkpoints });
    this.inspector = EventInspector.of(trust);
  }

  /** Takes in the founding and the whole registry: which key signs where. */
  learn(founded: string, signers: readonly string[]): void {
    const first = this.read(founded);
    if (first !== null && first.stream !== FOUNDING_STREAM) {
      this.faults.at(first, 'founding', `it is of the stream ${first.stream}, not the founding`);
    }
    const events = signers.flatMap((line) => this.read(line) ?? []);
    this.inOrder(first === null ? events : [first, ...events]);
    const versions = new Map<string, number>();
    for (const event of events) {
      const { stream, streamVersion } = event;
      if (!isRegistryEvent(event) || stream === FOUNDING_STREAM) {
        this.faults.at(event, 'stream', `${event.type} of ${stream} is no event of the key registry`);
        continue;
      }
      const due = (versions.get(stream) ?? 0) + 1;
      versions.set(stream, streamVersion);
      if (streamVersion !== due) {
        this.faults.at(
          event,
          'signers',
          `signer events are left out: it is number ${streamVersion} of ${stream}, and number ${due} was due`,
        );
      }
    }
    const registry = first === null ? events : [first, ...events];
    for (const event of registry) this.apply(event);
    if (this.ring.registry.founding === null) {
      this.faults.add('founding', 'the event 0:1 of the file founds no kernel of the trust root');
    }
    for (const event of registry) this.judge(event);
  }

  /** A whole stream: every version from 1, in the order of the chain. */
  stream(lines: readonly string[], name: string): AuditEvent[] {
    const events = lines.flatMap((line) => this.read(line) ?? []);
    if (events.length === 0) this.faults.add('stream', `there is no event of ${name}`);
    for (const [at, event] of events.entries()) {
      if (event.stream !== name) {
        this.faults.at(event, 'stream', `it is of the stream ${event.stream}, not of ${name}`);
      } else if (event.streamVersion !== at + 1) {
        this.faults.at(
          event,
          'stream',
          `it is number ${event.streamVersion} of ${name}, and number ${at + 1} was due`,
        );
      }
      this.judge(event);
    }
    this.inOrder(events);
    return events;
  }

  /** Number of registry events before a position, the founding included. */
  registryEventsBefore(seq: number): number {
    return this.ring.registry.marks.filter((mark) => mark.seq < seq).length;
  }

  private apply(event: AuditEvent): void {
    if (!this.sound.has(event)) return;
    try {
      this.ring.apply(event);
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      this.faults.at(event, error.code === 'invalid_founding' ? 'founding' : 'registry', error.message);
    }
  }

  private judge(event: AuditEvent): void {
    const { signerKid: kid, shard, seq } = event;
    const judged = this.ring.judge({ kid, shard, seq });
    if (!judged.valid) this.faults.at(event, judged.code, judged.message);
    else if (judged.reattested !== undefined && !this.isReattested(event, judged.reattested.range)) {
      this.faults.at(event, 'key_not_valid', `${kid} is in doubt there, and the re-attestation is of others`);
    }
  }

  /**
   * Whether a re-attested range is of the chain that this event is in: the log has both, or the range names the event
   * itself.
   */
  private isReattested(
    { seq, hash }: AuditEvent,
    { from, to }: { from: { seq: number; hash: string }; to: { seq: number; hash: string } },
  ): boolean {
    const ends = [from, to].filter((end) => end.seq === seq);
    return ends.every((end) => end.hash === hash) && (this.proven || ends.length > 0);
  }

  private inOrder(events: readonly AuditEvent[]): void {
    for (const [at, event] of events.entries()) {
      const before = events[at - 1];
      if (before !== undefined && before.seq >= event.seq) {
        this.faults.at(event, 'order', `it comes after ${before.shard}:${before.seq} in the file`);
      }
    }
  }

  private read(line: string): AuditEvent | null {
    const { event, faults } = this.inspector.inspectWhole(line);
    for (const { code, shard, seq, message } of faults) {
      this.faults.add(code, `${shard ?? '?'}:${seq ?? '?'}: ${message}`);
    }
    if (event === null) return null;
    if (faults.length === 0) this.sound.add(event);
    const { shard, seq, hash } = event;
    if (shard !== GOVERNANCE_SHARD) {
      this.faults.at(event, 'order', `governance is in shard ${GOVERNANCE_SHARD}, and this is in another`);
    }
    this.heads.push({ shard, seq, hash });
    return event;
  }
}
