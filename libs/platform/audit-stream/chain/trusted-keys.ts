import { type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { KeyTrust, type KeyUse, type KeyVerdict, type SignerEntry, spanOf, whyOutside } from '#evidence';

export interface TrustedKeysOptions {
  readonly origin: string;
  /** The trust root, a signers.json; null: the keys of the founding are trusted. */
  readonly roots: readonly SignerEntry[] | null;
  /** All committed registry events: unchecked bytes. */
  readonly registryEvents: () => Promise<readonly Uint8Array[]>;
  /** Milliseconds of a clock of this process that never goes back; only differences count. */
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * Age at which what is known of the registry is read again before events are judged: a key may have ended meanwhile, at a
 * position before theirs. Measured by this process alone, since an event's own `ts` is whatever its signer wrote.
 */
const STALE_MS = 1_000;
/** A stream that is full of unknown keys must not cause as many queries. */
const RECONSIDER_PAUSE_MS = 1_000;

/** Keys and where each may sign, for the followers of all shards: the registry's events are in shard 0. */
export class TrustedKeys {
  private readonly trust: KeyTrust;
  private readonly now: () => number;
  private readonly pause: (ms: number) => Promise<unknown>;
  private readAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | undefined;

  constructor(private readonly options: TrustedKeysOptions) {
    this.trust = new KeyTrust(options.origin, options.roots);
    this.now = options.now ?? (() => performance.now());
    this.pause = options.pause ?? delay;
  }

  /** Takes in a registry event: in its own shard it applies from its very position on. */
  learn(bytes: Uint8Array): void {
    this.trust.learn([bytes]);
  }

  /** Call before judging events: ensures that no key has ended for longer than a second without our knowledge. */
  async prepare(): Promise<void> {
    if (this.now() - this.readAt >= STALE_MS) await this.refresh();
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

  /**
   * Trusts these keys as well, whatever the chain says of how they came in. The founding stays what the chain says.
   */
  vouchFor(entries: readonly SignerEntry[]): void {
    this.trust.vouchFor(entries);
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
    if (known === undefined || known.doubt === null) return false;
    return whyOutside(spanOf(known), use) === null;
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
    const events = await this.options.registryEvents();
    this.trust.learn(events);
    this.readAt = asked;
  }
}
