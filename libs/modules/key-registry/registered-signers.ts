import { Injectable, Logger } from '@nestjs/common';
import {
  type AuditEvent,
  EventInspector,
  GOVERNANCE_SHARD,
  type KeyRegistryState,
  KeyTrust,
  readSigner,
  samePublicKey,
  type SignerEntry,
  spannedSigners,
  type TrustedSigner,
} from '#evidence';
import { ChainEventVerifier } from '#platform/audit-stream';
import { EventStore, type RegistryRow } from '#platform/event-store';
import { BackendKeys } from './backend-keys';
import { KeyRegistryOptions } from './key-registry.options';

/** Largest age of the answer; another replica's registration is seen after this time at the latest. */
const MAX_AGE_MS = 1_000;

/** The registry as the chain has it. */
export interface Registry {
  readonly state: KeyRegistryState;
  /** Fence of the keys, at least as old as the state: for `AppendRequest.keysAsOf`. */
  readonly fence: number;
}

/**
 * The registry, folded from the chain's own events. Only from those that verify: whoever can insert a row must not be
 * able to end or add a key.
 */
@Injectable()
export class RegisteredSigners {
  private readonly logger = new Logger(RegisteredSigners.name);
  private cached: { at: number; registry: Registry } | undefined;
  private loading: Promise<Registry> | undefined;
  private readonly trust: KeyTrust;
  /** Keys that signed their own registration, in the place of a lost one, and are known to be this kernel's. */
  private vouched: readonly SignerEntry[] = [];
  /** Positions in shard 0 of rows that say they change the registry and do not verify. */
  private refusedRows: ReadonlySet<number> = new Set();

  constructor(
    private readonly store: EventStore,
    private readonly options: KeyRegistryOptions,
    private readonly backend: BackendKeys,
    verifier: ChainEventVerifier,
  ) {
    verifier.vouchedBy(async () => {
      await this.registry({ fresh: true });
      return this.vouched;
    });
    this.trust = new KeyTrust(options.origin, options.roots);
  }

  /** @returns every signer ever registered, in order of registration, with its current status and its span */
  async signers(how: { fresh?: boolean } = {}): Promise<TrustedSigner[]> {
    return spannedSigners((await this.registry(how)).state);
  }

  async registry({ fresh = false } = {}): Promise<Registry> {
    const now = this.options.now().getTime();
    if (!fresh && this.cached && Math.abs(now - this.cached.at) < MAX_AGE_MS) return this.cached.registry;
    // A read already in progress may have begun before the change that the caller wants to see.
    if (fresh) await this.loading?.catch(() => undefined);
    this.loading ??= this.load().finally(() => (this.loading = undefined));
    const registry = await this.loading;
    this.cached = { at: now, registry };
    return registry;
  }

  /** How many rows say that they change the registry without being by a key that could. */
  get refused(): number {
    return this.refusedRows.size;
  }

  private async load(): Promise<Registry> {
    const fence = await this.store.keyFence();
    const rows = await this.store.registryRows();
    this.trust.learn(rows.map(({ bytes }) => bytes));
    let refused = this.notFolded(rows);
    if (refused.length > 0 && (await this.vouch(rows, refused))) {
      refused = this.notFolded(rows);
    }
    this.report(refused);
    return { state: this.trust.registry, fence };
  }

  private notFolded(rows: readonly RegistryRow[]): RegistryRow[] {
    const folded = new Set(this.trust.registry.marks.map(({ seq }) => seq));
    return rows.filter(({ seq }) => !folded.has(seq));
  }

  /**
   * The key in the place of a lost one signs its own registration when nothing else can. It counts when the signing
   * backend holds that key, or when a key that it holds has replaced it since: nobody else could have had it sign.
   * @returns whether there is a new one
   */
  private async vouch(rows: readonly RegistryRow[], refused: readonly RegistryRow[]): Promise<boolean> {
    const own = this.eventsOf(refused).filter(
      (event) => event.type === 'signer.emergency' && entryIn(event)?.signer_kid === event.signerKid,
    );
    const unknown = own.filter(({ signerKid }) => !this.vouched.some((one) => one.signer_kid === signerKid));
    if (unknown.length === 0) return false;
    const offered = await this.backend.keys();
    const heirs = new Set<string>();
    for (const event of this.eventsOf(rows).toReversed()) {
      const entry = entryIn(event);
      if (entry === null) continue;
      const held = offered.some(
        ({ kid, publicKeyPem }) =>
          kid === entry.signer_kid && samePublicKey(publicKeyPem, entry.public_key_pem),
      );
      if (!held && !heirs.has(entry.signer_kid)) continue;
      heirs.add(entry.signer_kid);
      if (typeof event.payload['from'] === 'string') heirs.add(event.payload['from']);
    }
    const found = unknown.flatMap((event) => {
      const entry = entryIn(event);
      return entry !== null && heirs.has(entry.signer_kid) ? [entry] : [];
    });
    if (found.length === 0) return false;
    this.vouched = [...this.vouched, ...found];
    this.trust.vouchFor(this.vouched);
    return true;
  }

  /** Those whose format, hash and counter-signature are right. */
  private eventsOf(rows: readonly RegistryRow[]): AuditEvent[] {
    const inspector = new EventInspector(this.options.origin, () => undefined, false);
    return rows.flatMap(({ bytes }) => {
      const { event, faults } = inspector.inspectWhole(bytes);
      return event !== null && faults.length === 0 ? [event] : [];
    });
  }

  private report(refused: readonly RegistryRow[]): void {
    for (const { seq } of refused) {
      if (this.refusedRows.has(seq)) continue;
      this.logger.error(
        `the row ${GOVERNANCE_SHARD}:${seq} says that it changes the keys, but no key that could has signed it: ` +
          'it was put into the database past the kernel (docs/keys.md, rows that no key signed)',
      );
    }
    this.refusedRows = new Set(refused.map(({ seq }) => seq));
  }
}

/** The key that an event brings in the place of another. */
function entryIn({ payload }: AuditEvent): SignerEntry | null {
  try {
    return readSigner(payload['to']);
  } catch {
    return null;
  }
}
