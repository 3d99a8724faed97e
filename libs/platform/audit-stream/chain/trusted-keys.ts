import { type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { KeyTrust, type KeyUse, type KeyVerdict, type SignerEntry } from '#evidence';

export interface TrustedKeysOptions {
  readonly origin: string;
  /** The trust root, a signers.json; null: the first audit key that registers itself is trusted. */
  readonly roots: readonly SignerEntry[] | null;
  /** All committed registry events of every shard: unchecked bytes. */
  readonly registryEvents: () => Promise<readonly Uint8Array[]>;
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * An event that is this much younger than the last reading of the registry may come after the end of its key in another
 * shard without our knowledge, so the registry is read again. Half of what is tolerated between shards anyway
 * (CROSS_SHARD_TOLERANCE_MS): the other half is for the clocks.
 */
const STALE_MS = 30_000;
/** A stream that is full of unknown keys must not cause as many queries. */
const RECONSIDER_PAUSE_MS = 1_000;

/** Keys and where each may sign, for the followers of all shards: the registry's events may be in any of them. */
export class TrustedKeys {
  private readonly trust: KeyTrust;
  private readonly now: () => number;
  private readonly pause: (ms: number) => Promise<unknown>;
  private readAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | undefined;

  constructor(private readonly options: TrustedKeysOptions) {
    this.trust = new KeyTrust(options.origin, options.roots);
    this.now = options.now ?? Date.now;
    this.pause = options.pause ?? delay;
  }

  /** Takes in a registry event: in its own shard it applies from its very position on. */
  learn(bytes: Uint8Array): void {
    this.trust.learn([bytes]);
  }

  /** Call before judging events: ensures that no key has ended meanwhile without our knowledge. */
  async prepare(latestTs: string): Promise<void> {
    if (Date.parse(latestTs) > this.readAt + STALE_MS) await this.refresh();
  }

  /**
   * Call when the key of an event is not valid there: the event that makes it valid may have entered the store since
   * the last reading. Then judge again.
   */
  async reconsider(): Promise<void> {
    const wait = this.readAt + RECONSIDER_PAUSE_MS - this.now();
    if (wait > 0) await this.pause(wait);
    await this.refresh();
  }

  judge(use: KeyUse): KeyVerdict {
    return this.trust.judge(use);
  }

  /**
   * Whether a key that is not valid there was so before it was said to be compromised: an auditor doubts what it signed,
   * and the kernel, which wrote it, still shows it.
   */
  isInDoubtOnly(use: KeyUse): boolean {
    const known = this.trust.registry.keys.get(use.kid);
    if (known === undefined || known.doubt === null || known.ended === null) return false;
    const { added, ended } = known;
    const after = added.shard === use.shard ? use.seq >= added.seq : use.ts >= added.ts;
    return after && (ended.shard === use.shard ? use.seq <= ended.seq : use.ts <= ended.ts);
  }

  key(kid: string): KeyObject | undefined {
    return this.trust.key(kid);
  }

  /** Reads the registry once at a time, for all callers. */
  private refresh(): Promise<void> {
    this.reading ??= this.read().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async read(): Promise<void> {
    const asked = this.now();
    this.trust.learn(await this.options.registryEvents());
    this.readAt = asked;
  }
}
