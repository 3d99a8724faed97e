import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestSigner } from '#dev/testing';
import { genesisHash, GrowingTree, leafHash } from '#evidence';
import { FolderArchive } from '#platform/archive';
import { type StreamPositions, type VerifiedEvent } from '#platform/audit-stream';
import { CheckpointPublisher, LogStorage, NO_WITNESSES, type SignedTree, TileCache } from '#platform/log';
import { type Logger, Registry } from '#platform/process';
import { ORIGIN, TestCheckpointSigner, until } from '../log-publisher.fixture';
import { LogPublisherMetrics } from '../log-publisher.metrics';
import { ShardPublishing } from './shard-publishing';

const EVERY_MS = 500;

function eventAt(seq: number): VerifiedEvent {
  const event = { seq, hash: `hash ${seq}`, ts: '2026-01-01T00:00:00.000Z' } as VerifiedEvent['event'];
  return { event, bytes: Buffer.from(`event ${seq}`), nextCursor: '' };
}

const events = (from: number, to: number): VerifiedEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) => eventAt(from + i));

function treeOf(size: number): SignedTree {
  const tree = new GrowingTree();
  for (const { bytes } of events(1, size)) tree.append(leafHash(bytes));
  return { shard: 0, size, root: tree.root() };
}

describe('the publishing of a shard', () => {
  let dir: string;
  let archive: FolderArchive;
  let stopping: AbortController;
  let leading: Promise<void>;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'shard-publishing-'));
    archive = await FolderArchive.open({ dir });
  });
  afterEach(async () => {
    stopping.abort();
    await leading;
    await archive.close();
    await rm(dir, { recursive: true });
  });

  function publishing() {
    const storage = new LogStorage(archive, 0);
    const signer = new TestCheckpointSigner(new TestSigner('checkpoint-1', { purposes: ['checkpoint'] }));
    const cache = new TileCache(1 << 20);
    const publisher = new CheckpointPublisher({
      storage,
      signer,
      policy: NO_WITNESSES,
      cosignTimeoutMs: 1_000,
      cache,
    });
    let rounds = 0;
    const publish = publisher.publish.bind(publisher);
    publisher.publish = async (...given) => {
      rounds++;
      await turn();
      return publish(...given);
    };
    const position = { seq: 0, hash: genesisHash(ORIGIN, 0), cursor: null as string | null };
    let reading = Promise.resolve();
    const positions = {
      read: async () => {
        await reading;
        return { ...position };
      },
      moveFrom: async (_: unknown, { event }: VerifiedEvent) =>
        void Object.assign(position, { seq: event.seq, hash: event.hash }),
    };
    const registry = new Registry();
    const said: string[] = [];
    const say = (_: object, line: string): void => void said.push(line);
    const shard = new ShardPublishing({
      shard: 0,
      genesisHash: position.hash,
      storage,
      publisher,
      positions: positions as unknown as StreamPositions,
      metrics: new LogPublisherMetrics(registry),
      logger: { info: say, warn: say, error: say } as unknown as Logger,
      everyMs: EVERY_MS,
      republishMs: 600_000,
      lookMs: 600_000,
      recheckMs: 50,
    });
    stopping = new AbortController();
    return {
      shard,
      signer,
      position,
      registry,
      said,
      rounds: () => rounds,
      holdReading: () => {
        const gate = Promise.withResolvers<void>();
        reading = gate.promise;
        return gate.resolve;
      },
      /** Leads, with these steps as the stream. */
      lead: (stream: () => Promise<void>) => {
        const ended = (signal: AbortSignal) =>
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        const streamed = Promise.withResolvers<void>();
        leading = shard.lead(
          stopping.signal,
          () => true,
          async (signal) => {
            await stream().then(streamed.resolve, streamed.reject);
            if (!signal.aborted) await ended(signal);
          },
        );
        return streamed.promise;
      },
    };
  }

  it('waits for the stream where a larger tree is signed: it stores nothing of it, and forgets no event', async () => {
    const { shard, signer, position, registry, rounds, said, lead } = publishing();
    signer.last.set(0, treeOf(10));
    await lead(async () => {
      await shard.position();
      await shard.apply(events(1, 3));
      await until('it waits', () => said.some((line) => line.startsWith('waits')));
      const before = rounds();
      await delay(EVERY_MS / 2);
      expect(rounds() - before).toBeLessThanOrEqual(1);
      const stored: string[] = [];
      for await (const { key } of archive.list('log/')) stored.push(key);
      expect(stored).toEqual([]);
      await shard.apply(events(4, 10));
    });
    await until('it is published', () => position.seq === 10);
    expect(await registry.metrics()).toContain('log_publisher_commit_to_published_seconds_count 10');
    expect(said.filter((line) => line.startsWith('waits'))).toHaveLength(1);
  });

  it('begins no checkpoint while the position is read anew', async () => {
    const { shard, signer, position, rounds, holdReading, lead } = publishing();
    signer.away = true;
    await lead(async () => {
      await shard.position();
      await shard.apply(events(1, 3));
      await until('it could not publish', () => rounds() > 0);
      const release = holdReading();
      const read = shard.position();
      await until('what was under way has ended', async () => turn().then(() => true));
      const before = rounds();
      // Longer than the pause between two attempts.
      await delay(700);
      expect(rounds()).toBe(before);
      signer.away = false;
      release();
      expect(await read).toMatchObject({ seq: 0 });
      await shard.apply(events(1, 3));
    });
    await until('it is published', () => position.seq === 3);
    expect(signer.signed.map(({ size }) => size)).toEqual([3]);
  });

  it('says once that it publishes again', async () => {
    const { shard, signer, position, said, lead } = publishing();
    signer.away = true;
    await lead(async () => {
      await shard.position();
      await shard.apply(events(1, 3));
    });
    await until('it could not publish', () => said.includes('could not publish; tries again'));
    expect(() => shard.check()).toThrow('Shard 0 has no new checkpoint: the proxy is away');
    signer.away = false;
    await until('it is published', () => position.seq === 3);
    await until('it says so', () => said.includes('publishes again'));
    expect(() => shard.check()).not.toThrow();
  });
});
