import { randomInt } from 'node:crypto';
import { isConsistent, leafHash, parseSignedCheckpoint, type SignedCheckpoint } from '#evidence';
import { type TestWorker, withStack } from '#dev/testing';
import { FolderArchive } from '#platform/archive';
import { LogStorage, TileCache, TiledTree } from '#platform/log';
import { expectSoundChain } from './chain';
import { loadFaultSettings, timeoutOf } from './fault.config';
import { Ledger } from './ledger';
import { Load } from './load';
import { until } from './until';

const WRITERS = 4;
const SHARDS = 2;
const PAUSE_MS = 20;
const MOST_BETWEEN = 40;
const { rounds, seed = randomInt(1, 2 ** 31) } = loadFaultSettings();
jest.setTimeout(timeoutOf(rounds, 20_000));

/** mulberry32: small, seeded, good enough to choose victims. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** A follower of a shard's log: it knows the checkpoints that it saw, and nothing else. */
class Follower {
  readonly seen: SignedCheckpoint[] = [];
  private looking = false;

  constructor(
    private readonly url: () => string,
    private readonly shard: number,
  ) {}

  /**
   * Reads the checkpoint, one at a time: of two requests at once the older answer may come last. A publisher that is down
   * just now is no news.
   */
  async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      await this.read();
    } finally {
      this.looking = false;
    }
  }

  private async read(): Promise<void> {
    const answer = await fetch(`${this.url()}/log/${this.shard}/checkpoint`).catch(() => undefined);
    if (answer?.status !== 200) return;
    const checkpoint = parseSignedCheckpoint(await answer.text());
    if (checkpoint.text !== this.seen.at(-1)?.text) this.seen.push(checkpoint);
  }
}

describe('two log publishers', () => {
  const stack = withStack({ workers: ['outbox-relay', 'log-publisher', 'log-publisher'], shards: SHARDS });
  const publishers = (): TestWorker[] => stack().workers.filter(({ app }) => app === 'log-publisher');

  it(`publish one growing log without a hole over ${rounds} kills at random (FAULT_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    const ledger = new Ledger();
    const load = new Load(
      ledger,
      [stack().client('OPERATOR', { connections: WRITERS })],
      WRITERS,
      'log',
      PAUSE_MS,
    );
    const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
    // Both serve the log; either may be down.
    const followers = shards.flatMap((shard) =>
      publishers().map(({ listenUrl }) => new Follower(() => listenUrl, shard)),
    );
    const looking = setInterval(() => void Promise.all(followers.map((one) => one.look())), 50);
    const restarts = new Map<TestWorker, Promise<void>>();
    try {
      for (let kill = 0; kill < rounds * 3; kill++) {
        await load.progress(1 + random(MOST_BETWEEN));
        const victim = publishers()[random(2)] as TestWorker;
        await restarts.get(victim);
        await victim.process.kill('SIGKILL');
        restarts.set(victim, victim.process.start());
      }
      await Promise.all(restarts.values());
      await load.stop();
      const chain = await expectSoundChain(stack());
      const archive = await FolderArchive.open({
        dir: stack().archive.environment['KERNEL_ARCHIVE_DIR'] ?? '',
      });
      try {
        for (const shard of shards) {
          const events = chain.lines.filter((_, n) => chain.events[n]?.shard === shard);
          const storage = new LogStorage(archive, shard);
          const published = async (): Promise<SignedCheckpoint | null> => {
            const note = await storage.checkpoint();
            return note === null ? null : parseSignedCheckpoint(note);
          };
          await until(
            `shard ${shard} is published whole`,
            async () => ((await published())?.size ?? 0) === events.length,
          );
          const last = (await published()) as SignedCheckpoint;
          const tree = new TiledTree(storage, new TileCache(1 << 22), last.size);
          expect(Buffer.from(await tree.root()).equals(last.root)).toBe(true);
          // No hole: every event, in its place, in tiles and bundles.
          for (let first = 0; first < events.length; first += 256) {
            const width = Math.min(256, events.length - first);
            const entries = await storage.entries({ level: 'entries', index: first / 256, width });
            expect(entries.map((entry) => Buffer.from(entry).toString())).toEqual(
              events.slice(first, first + width),
            );
            const hashes = Buffer.from(await storage.hashTile({ level: 0, index: first / 256, width }));
            expect(hashes.equals(Buffer.concat(entries.map(leafHash)))).toBe(true);
          }
          // No fork: whatever anyone saw, in any order, is a beginning of this tree.
          const seen = followers.filter((_, n) => Math.floor(n / 2) === shard).flatMap((one) => one.seen);
          expect(seen.length).toBeGreaterThan(0);
          for (const checkpoint of seen) {
            const proof = await tree.consistency(checkpoint.size);
            expect(isConsistent(checkpoint, last, proof)).toBe(true);
          }
          for (const { seen: each } of followers.filter((_, n) => Math.floor(n / 2) === shard)) {
            const sizes = each.map(({ size }) => size);
            expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
          }
        }
      } finally {
        await archive.close();
      }
    } finally {
      clearInterval(looking);
      await Promise.allSettled(restarts.values());
      await load.stop();
    }
  });
});
