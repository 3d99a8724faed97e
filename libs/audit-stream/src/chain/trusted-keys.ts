import { type KeyObject } from 'node:crypto';
import { KeyTrust, type KeyUse, type KeyVerdict, type SignerEntry } from '#libs/evidence';

export interface TrustedKeysOptions {
  readonly origin: string;
  /** The trust root, a signers.json; null: the first audit key that registers itself is trusted. */
  readonly roots: readonly SignerEntry[] | null;
  /** All registry events that are committed, of every shard: bytes that nobody has checked yet. */
  readonly registryEvents: () => Promise<readonly Uint8Array[]>;
  readonly now?: () => number;
}

/**
 * An event that is this much younger than the last reading of the registry may come after the end of its key in another
 * shard without our knowing, so the registry is read again. Half of what is tolerated between shards anyway
 * (CROSS_SHARD_TOLERANCE_MS): the other half is for the clocks.
 */
const STALE_MS = 30_000;
/** A stream that is full of unknown keys must not turn into as many queries. */
const UNKNOWN_KEY_PAUSE_MS = 1_000;

/** Which key may sign where, for the followers of all shards: the registry's events may lie in any of them. */
export class TrustedKeys {
  private readonly trust: KeyTrust;
  private readonly now: () => number;
  private readAt = Number.NEGATIVE_INFINITY;
  private reading: Promise<void> | undefined;

  constructor(private readonly options: TrustedKeysOptions) {
    this.trust = new KeyTrust(options.origin, options.roots);
    this.now = options.now ?? Date.now;
  }

  /** A registry event that came by: in its own shard it counts from its very position on. */
  learn(bytes: Uint8Array): void {
    this.trust.learn([bytes]);
  }

  /** Sees to it that what is known suffices to judge these uses. */
  async prepare(kids: ReadonlySet<string>, latestTs: string): Promise<void> {
    if (Date.parse(latestTs) > this.readAt + STALE_MS) await this.refresh();
    for (const kid of kids) {
      if (this.trust.key(kid) !== undefined) continue;
      if (this.now() < this.readAt + UNKNOWN_KEY_PAUSE_MS) return;
      await this.refresh();
      return;
    }
  }

  judge(use: KeyUse): KeyVerdict {
    return this.trust.judge(use);
  }

  key(kid: string): KeyObject | undefined {
    return this.trust.key(kid);
  }

  /** One reading at a time, whoever asks. */
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
