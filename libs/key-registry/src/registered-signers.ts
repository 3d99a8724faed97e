import { Injectable } from '@nestjs/common';
import { type AuditEvent, NO_KEYS, type SignerEntry, evolveKeys, registeredSigners } from '#libs/evidence';
import { EventStore } from '#libs/event-store';
import { KeyRegistryOptions } from './key-registry.ports';

/** The event types that change the registry (docs/spec/signers.md). */
const REGISTRY_TYPES = ['signer.added', 'signer.rotated', 'signer.retired', 'signer.compromised'] as const;
const PAGE = 1_000;
/** How old the answer may be; another replica's registration is seen after this long at the latest. */
const MAX_AGE_MS = 1_000;

/** The registry, folded from the chain's own events. */
@Injectable()
export class RegisteredSigners {
  private cached: { at: number; signers: SignerEntry[] } | undefined;
  private loading: Promise<SignerEntry[]> | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly options: KeyRegistryOptions,
  ) {}

  /** @returns every signer ever registered, in order of registration, with its present status */
  async signers({ fresh = false } = {}): Promise<SignerEntry[]> {
    const now = this.options.now().getTime();
    if (!fresh && this.cached && Math.abs(now - this.cached.at) < MAX_AGE_MS) return this.cached.signers;
    this.loading ??= this.load().finally(() => (this.loading = undefined));
    const signers = await this.loading;
    this.cached = { at: now, signers };
    return signers;
  }

  private async load(): Promise<SignerEntry[]> {
    const events = (await Promise.all(REGISTRY_TYPES.map((type) => this.eventsOf(type)))).flat();
    events.sort((a, b) => a.ts.localeCompare(b.ts) || a.shard - b.shard || a.seq - b.seq);
    return registeredSigners(events.reduce(evolveKeys, NO_KEYS));
  }

  private async eventsOf(type: string): Promise<AuditEvent[]> {
    const events: AuditEvent[] = [];
    let cursor: string | null = null;
    do {
      const page = await this.store.query({ type, limit: PAGE, ...(cursor === null ? {} : { cursor }) });
      events.push(...page.events.map(({ event }) => event));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return events;
  }
}
