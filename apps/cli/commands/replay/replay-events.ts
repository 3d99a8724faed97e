import { ChainFollower, IntegrityFault, TrustedKeys, type VerifiedEvent } from '#platform/audit-stream';
import { type SignerEntry } from '#evidence';
import { type EventSource, type ReplayHead } from './event-source';
import { type ReplayedHead, type ReplayTarget } from './replay-target';

export interface ReplayOptions {
  readonly source: EventSource;
  readonly target: ReplayTarget;
  /** The trust root; null: the keys of the founding are trusted. */
  readonly roots: readonly SignerEntry[] | null;
  readonly onProgress?: (progress: ReplayProgress) => void;
  readonly signal: AbortSignal;
}

export interface ReplayProgress {
  readonly step: 'reading keys' | 'verifying' | 'replaying' | 'finishing';
  /** Events of this step so far. */
  readonly events: number;
  /** Events of the whole step, when known. */
  readonly total: number | null;
}

export interface ReplayReport {
  readonly heads: readonly ReplayedHead[];
  /** Added by this run; an interrupted one before it may have added others. */
  readonly events: number;
  readonly seconds: number;
}

/**
 * Reads events from a source and puts them into a target, every one of them verified: format, hash, link, key and
 * signature. A wrong event, and everything after it, stays out.
 * @throws IntegrityFault naming the event
 */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const { source, target, signal } = options;
  const started = performance.now();
  const heads = await target.heads();
  const registryEvents = once(async () => {
    // From the beginning of the only shard, each registry event is read before it is needed.
    if (target.shards === 1 && heads.every(({ seq }) => seq === 0)) return [];
    options.onProgress?.({ step: 'reading keys', events: 0, total: null });
    return source.registryEvents();
  });
  if (!target.isStaged) await pass({ ...options, step: 'verifying', heads, registryEvents });
  const { events, cursors } = await pass({
    ...options,
    step: 'replaying',
    heads,
    registryEvents,
    add: (shard, verified) => target.add(shard, verified),
  });
  signal.throwIfAborted();
  options.onProgress?.({ step: 'finishing', events, total: events });
  const replayed = await target.finish(source.isStream ? cursors : new Map());
  return { heads: replayed, events, seconds: (performance.now() - started) / 1_000 };
}

interface Pass extends ReplayOptions {
  step: ReplayProgress['step'];
  heads: readonly ReplayHead[];
  registryEvents: () => Promise<readonly Uint8Array[]>;
  add?: (shard: number, events: readonly VerifiedEvent[]) => Promise<void>;
}

/** Reads the source once. The next batch is read and verified while one is added. */
async function pass(options: Pass): Promise<{ events: number; cursors: Map<number, string> }> {
  const { source, target, roots, step, heads, registryEvents, add, signal } = options;
  const { origin } = target;
  const keys = new TrustedKeys({ origin, roots, registryEvents });
  const followers = new Map(
    heads.map((position) => {
      const { shard } = position;
      const { storedHashes } = target;
      const follower = new ChainFollower({
        shard,
        origin,
        keys,
        position,
        ...(storedHashes === undefined ? {} : { storedHashes }),
      });
      return [shard, follower];
    }),
  );
  const total = await source.count(heads);
  const cursors = new Map<number, string>();
  let events = 0;
  let adding: Promise<void> = Promise.resolve();
  try {
    for await (const { shard, records } of source.events(heads, signal)) {
      const follower = followers.get(shard);
      if (follower === undefined) {
        const message = `${source.name} has events of shard ${shard}; ${target.name} has ${target.shards} shard(s), counted from 0.`;
        throw new IntegrityFault('wrong_shard', shard, null, message);
      }
      const followed = await follower.follow(records);
      await adding;
      signal.throwIfAborted();
      if (followed.events.length > 0) {
        adding = add?.(shard, followed.events) ?? adding;
        // The next `await adding` sees a rejection; until then nothing else handles it.
        adding.catch(() => undefined);
        cursors.set(shard, followed.events.at(-1)?.nextCursor ?? '');
      }
      if (followed.fault !== null) {
        await adding;
        throw followed.fault;
      }
      events += followed.events.length;
      options.onProgress?.({ step, events, total });
    }
  } finally {
    await adding;
  }
  return { events, cursors };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
