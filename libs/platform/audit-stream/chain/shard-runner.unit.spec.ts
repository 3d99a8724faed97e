import { genesisHash } from '#evidence';
import { createLogger } from '#platform/process';
import { EvidenceChain, TestSigner } from '#dev/testing';
import { type AuditStreamConsumer, type StreamPosition } from '../audit-stream';
import { AuditStreamError } from '../audit-stream.error';
import { type IntegrityFault, PositionMoved, type ShardHandler, type VerifiedEvent } from '../shard-handler';
import { ShardRunner } from './shard-runner';
import { TrustedKeys } from './trusted-keys';

const ORIGIN = 'kernel.example.com/test';
const k1 = new TestSigner('k1');

/** A topic in memory, in batches: records can change while a reader reads. */
class ScriptedConsumer implements AuditStreamConsumer {
  readonly topics = new Map<number, Uint8Array[]>();
  batch = 10;
  subscriptions = 0;
  lost = false;

  async consume(
    shard: number,
    from: StreamPosition,
    handle: Parameters<AuditStreamConsumer['consume']>[2],
    signal: AbortSignal,
  ): Promise<void> {
    this.subscriptions++;
    if (this.lost) throw new AuditStreamError('records_lost', 'offset 3 is gone');
    for (let at = Number(from.cursor ?? 0); !signal.aborted;) {
      const records = (this.topics.get(shard) ?? [])
        .slice(at, at + this.batch)
        .map((bytes, i) => ({ bytes, nextCursor: String(at + i + 1) }));
      at += records.length;
      if (records.length > 0) await handle(records);
      else await new Promise(setImmediate);
    }
  }

  async check(): Promise<void> {}
  async close(): Promise<void> {}
}

/** Applies to a list, position and effect at once. */
class MemoryHandler implements ShardHandler {
  readonly applied = new Map<number, VerifiedEvent[]>();
  readonly failures: Error[] = [];
  batches: number[] = [];

  async position(shard: number): Promise<StreamPosition> {
    const last = this.applied.get(shard)?.at(-1);
    return last === undefined
      ? { seq: 0, hash: genesisHash(ORIGIN, shard), cursor: null }
      : { seq: last.event.seq, hash: last.event.hash, cursor: last.nextCursor };
  }

  async apply(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    await new Promise(setImmediate);
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    this.batches.push(events.length);
    this.applied.set(shard, [...(this.applied.get(shard) ?? []), ...events]);
  }

  count(shard: number): number {
    return this.applied.get(shard)?.length ?? 0;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe('ShardRunner', () => {
  let consumer: ScriptedConsumer;
  let handler: MemoryHandler;
  let faults: Pick<IntegrityFault, 'shard' | 'kind'>[];
  let repeats: number;
  let lines: { level: string; msg: string }[];
  let runner: ShardRunner;
  let stop: AbortController;
  let ends: Promise<void>[];

  beforeEach(() => {
    consumer = new ScriptedConsumer();
    handler = new MemoryHandler();
    faults = [];
    repeats = 0;
    lines = [];
    stop = new AbortController();
    ends = [];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(ends);
  });

  function run(shards = 1, batchEvents = 4, paceMs = 0): void {
    const registry = chains[0]?.bytes.slice(0, 2) ?? [];
    runner = new ShardRunner({
      origin: ORIGIN,
      consumer,
      keys: new TrustedKeys({ origin: ORIGIN, roots: [k1.entry], registryEvents: async () => registry }),
      logger: createLogger({
        app: 'test',
        level: 'info',
        destination: { write: (line: string) => lines.push(JSON.parse(line) as (typeof lines)[number]) },
      }),
      metrics: {
        onApplied: () => undefined,
        onIntegrityFault: ({ shard, kind }) => faults.push({ shard, kind }),
        onRepeats: (_, count) => (repeats += count),
      },
      batchEvents,
      paceMs,
      recheckMs: 5,
      retryMs: { first: 1, most: 4 },
    });
    for (let shard = 0; shard < shards; shard++) ends.push(runner.follow(shard, handler, stop.signal));
  }

  let chains: EvidenceChain[];
  function topic(events: number, shard = 0): EvidenceChain {
    const chain = new EvidenceChain(k1, ORIGIN, shard, { shards: 2 });
    if (shard === 0) chain.found();
    chain.appendMany(events - chain.events.length);
    consumer.topics.set(shard, [...chain.bytes]);
    chains = [...(shard === 0 ? [] : chains), chain];
    return chain;
  }
  const seqs = (shard = 0) => handler.applied.get(shard)?.map(({ event }) => event.seq);
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

  it('asks for no more within its pace after a batch that was not full, and stops all the same', async () => {
    const hour = 60 * 60 * 1_000;
    consumer.batch = 8;
    topic(15);
    run(1, 8, hour);
    // The first batch is full and the next comes at once; behind it nothing is asked for.
    await until(() => handler.count(0) === 15);
    topic(16);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(seqs()).toEqual(upTo(15));
  });

  it('goes on at once after a batch of large events', async () => {
    consumer.batch = 3;
    const chain = topic(2);
    for (let n = 0; n < 36; n++) chain.append({ payload: { text: 'x'.repeat(40_000) } });
    consumer.batch = 20;
    consumer.topics.set(0, [...chain.bytes]);
    run(1, 500, 60 * 60 * 1_000);
    await until(() => handler.count(0) === 38);
  });

  it('applies everything once, in order, in bounded parts', async () => {
    topic(25);
    run();
    await until(() => handler.count(0) === 25);
    expect(seqs()).toEqual(upTo(25));
    expect(Math.max(...handler.batches)).toBe(4);
    await runner.check();
  });

  it('tries again what failed, and says so while it does', async () => {
    topic(6);
    handler.failures.push(new Error('the database is away'), new Error('the database is away'));
    run();
    await until(() => runner.state(0).failure !== null || handler.count(0) === 6);
    await until(() => handler.count(0) === 6);
    expect(seqs()).toEqual(upTo(6));
    expect(lines.filter(({ msg }) => msg.includes('tries again'))).toHaveLength(2);
    await until(() => runner.state(0).failure === null);
    expect(faults).toEqual([]);
  });

  it('reads the position anew when another process was first', async () => {
    const chain = topic(8);
    handler.failures.push(new PositionMoved('another was first'));
    // The other process applied the first three.
    handler.applied.set(
      0,
      chain.events.slice(0, 3).map((event, i) => ({
        event,
        bytes: chain.bytes[i] as Uint8Array,
        nextCursor: String(i + 1),
      })),
    );
    run();
    await until(() => handler.count(0) === 8);
    expect(seqs()).toEqual(upTo(8));
    expect(runner.state(0).failure).toBeNull();
  });

  it('skips repetitions and counts them', async () => {
    const { bytes } = topic(6);
    consumer.topics.set(0, [...bytes.slice(0, 4), ...bytes.slice(1, 4), ...bytes.slice(4)]);
    run();
    await until(() => handler.count(0) === 6);
    expect(seqs()).toEqual(upTo(6));
    expect(repeats).toBe(3);
    await runner.check();
  });

  it('stops a shard where the chain is wrong, leaves the others, and heals when the topic does', async () => {
    const { bytes } = topic(9);
    topic(9, 1);
    const good = bytes[5] as Uint8Array;
    const altered = Buffer.from(Buffer.from(good).toString().replace('event 6', 'event X'));
    consumer.topics.set(0, bytes.with(5, altered));
    run(2);
    await until(() => faults.length > 0 && handler.count(1) === 9);
    expect(seqs()).toEqual(upTo(5));
    const before = consumer.subscriptions;
    await until(() => consumer.subscriptions > before + 3);
    // Looked at again and again, reported once.
    expect(faults).toEqual([{ shard: 0, kind: 'hash' }]);
    expect(
      lines.filter(({ level, msg }) => level === 'error' && msg.includes('docs/pipeline.md')),
    ).toHaveLength(1);
    await expect(runner.check()).rejects.toThrow(/^Shard 0: event .* at 0:6 is refused \(hash\)/);
    expect(seqs()).toEqual(upTo(5));
    consumer.topics.set(0, [...bytes]);
    await until(() => handler.count(0) === 9);
    await until(() => runner.state(0).fault === null);
    await runner.check();
  });

  it('goes on when the position was taken past what was wrong, though no record comes', async () => {
    const chain = topic(6);
    consumer.topics.set(0, [...chain.bytes.slice(0, 3), Buffer.from('nonsense')]);
    run();
    await until(() => runner.state(0).fault !== null);
    consumer.topics.set(0, []);
    handler.applied.set(
      0,
      chain.events.map((event, i) => ({ event, bytes: chain.bytes[i] as Uint8Array, nextCursor: '0' })),
    );
    await until(() => runner.state(0).fault === null);
  });

  it('stops when the transport has lost what follows', async () => {
    topic(3);
    consumer.lost = true;
    run();
    await until(() => faults.length > 0);
    expect(faults).toEqual([{ shard: 0, kind: 'records_lost' }]);
    consumer.lost = false;
    await until(() => handler.count(0) === 3);
  });
});
