import { createHash } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { type DataSource, DEFAULT_LIMITS, EventVerifier, type StoredEvent } from '#platform/event-store';
import { Database } from '#platform/postgres';
import { Limiter } from '#platform/resilience';
import {
  type AuditEvent,
  distinctSignatures,
  EventInspector,
  type SignatureCheck,
  type SignerEntry,
  verifyEd25519Async,
} from '#evidence';
import { type DivisionOf } from '../audit-index/index-rows';
import { registryEventsOf } from './registry-events';
import { TrustedKeys } from './trusted-keys';

export interface ChainEventVerifierOptions {
  readonly dataSource: DataSource;
  readonly origin: string;
  /** The trust root; null: the keys with which the kernel was founded are trusted, as by the workers. */
  readonly roots: readonly SignerEntry[] | null;
  /** Division of an event, for lists of one division. */
  readonly divisionOf: DivisionOf;
}

/** Signatures being verified at once, of all requests: they run in the thread pool, which files and TLS share. */
const PARALLEL = 32;
/** Events that are parsed and hashed, at about 15 us each, before other requests have their turn. */
const STRIDE = 50;
/** Events that are remembered as genuine, by a digest of their bytes: 4 MB at most. */
const REMEMBERED = 32_768;
/** A caller waits: keys are looked up again after this, and not after a pause as in a worker. */
const RECONSIDER_MS = 50;

/**
 * Verifies events that the kernel reads from its own database: format, hash, signature, and that the key was valid there
 * (docs/spec/verification.md, section 3). Genuine ones are remembered, so that reading them again costs a digest.
 */
export class ChainEventVerifier extends EventVerifier {
  private readonly keys: TrustedKeys;
  private readonly inspector: EventInspector;
  private readonly limiter = new Limiter(PARALLEL);
  private readonly genuine = new Set<string>();
  private vouched: () => Promise<readonly SignerEntry[]> = () => Promise.resolve([]);

  constructor(private readonly options: ChainEventVerifierOptions) {
    super();
    const { dataSource, origin, roots } = options;
    // Bounded, and its failures say what they are: a reader whose database was killed is told to come back. Not within the
    // readers' limit: the writer looks keys up before it commits, and would wait behind them.
    const database = new Database(dataSource, DEFAULT_LIMITS.storeTimeoutMs);
    this.keys = new TrustedKeys({
      origin,
      roots,
      registryEvents: () =>
        database.session((session) =>
          registryEventsOf({ query: (sql, values = []) => session.query(sql, values) }),
        ),
      pause: (ms) => delay(Math.min(ms, RECONSIDER_MS)),
    });
    this.inspector = new EventInspector(origin, () => undefined, false);
  }

  /**
   * Names who knows of keys that are this kernel's although no other key of it says so: one that came in the place of a
   * lost key signs its own coming. Asked when a key is not valid where it signed.
   */
  vouchedBy(vouched: () => Promise<readonly SignerEntry[]>): void {
    this.vouched = vouched;
  }

  divisionOf({ stream, payload }: AuditEvent): string | null {
    return this.options.divisionOf(stream, payload);
  }

  prepare(): Promise<void> {
    return this.keys.prepare();
  }

  async verify(events: readonly StoredEvent[], { lookUp } = { lookUp: true }): Promise<string | null> {
    const fresh = events
      .map(({ bytes }) => ({ bytes, digest: createHash('sha256').update(bytes).digest('base64') }))
      .filter(({ digest }) => !this.genuine.has(digest));
    if (fresh.length === 0) return null;
    const inspected: { event: AuditEvent; digest: string }[] = [];
    for (const [at, { bytes, digest }] of fresh.entries()) {
      if (at > 0 && at % STRIDE === 0) await nextTurn();
      const { event, faults } = this.inspector.inspectWhole(bytes);
      if (event === null || faults.length > 0) return faults[0]?.message ?? 'it is no event';
      inspected.push({ event, digest });
    }
    const judged = inspected.map(({ event }) => event);
    const misused = lookUp ? await this.misusedKey(judged) : this.firstMisuse(judged);
    if (misused !== null) return misused;
    const { checks, checkOf } = distinctSignatures(this.options.origin, judged);
    const verdicts = await this.limiter.map(checks, (check) => this.isSigned(check));
    const forged = judged[checkOf.findIndex((check) => verdicts[check] !== true)];
    if (forged !== undefined) {
      return `${nameOf(forged)} has no signature by ${forged.signerKid} over the group that its position and hash lead to`;
    }
    for (const { digest } of inspected) this.remember(digest);
    return null;
  }

  private async misusedKey(events: readonly AuditEvent[]): Promise<string | null> {
    await this.keys.prepare();
    if (this.firstMisuse(events) === null) return null;
    await this.keys.reconsider();
    if (this.firstMisuse(events) === null) return null;
    const entries = await this.vouched();
    if (entries.length > 0) this.keys.vouchFor(entries);
    return this.firstMisuse(events);
  }

  private firstMisuse(events: readonly AuditEvent[]): string | null {
    for (const event of events) {
      const { signerKid: kid, shard, seq } = event;
      const verdict = this.keys.judge({ kid, shard, seq });
      if (verdict.valid || this.keys.isInDoubtOnly({ kid, shard, seq })) continue;
      return `${nameOf(event)}: ${verdict.message}`;
    }
    return null;
  }

  private async isSigned({ kid, input, signature }: SignatureCheck): Promise<boolean> {
    const key = this.keys.key(kid);
    return key !== undefined && verifyEd25519Async(key, input, signature);
  }

  private remember(digest: string): void {
    if (this.genuine.size >= REMEMBERED) {
      const [oldest] = this.genuine;
      if (oldest !== undefined) this.genuine.delete(oldest);
    }
    this.genuine.add(digest);
  }
}

function nameOf({ id, shard, seq }: AuditEvent): string {
  return `event ${id} at ${shard}:${seq}`;
}
