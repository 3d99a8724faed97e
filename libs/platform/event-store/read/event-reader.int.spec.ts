import { v7 as uuidv7 } from 'uuid';
import { withPostgres } from '#dev/testing';
import {
  append,
  event,
  migrated,
  openStore,
  type OpenStore,
  type StoreDatabase,
  until,
  write,
} from '../fixtures/store.fixture';
import { type EventQuery, type StoredEvent } from '../event-store.types';

const START = Date.UTC(2026, 0, 1);
const SHARDS = 3;

/** 120 events in 12 streams over three shards, one a second. */
async function fill({ store }: OpenStore, tick: () => void): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for (let n = 0; n < 120; n++) {
    tick();
    const result = await store.append({
      ...append(
        write(`${n % 2 ? 'odd' : 'even'}/${n % 12}`, {
          events: [
            {
              ...event({ n }, n % 10 === 0 ? 'tenth.came' : 'other.came'),
              division: n % 3 ? null : 'product',
            },
          ],
        }),
      ),
      actor: { id: `actor-${n % 4}`, kind: 'service', roles: [] },
    });
    if (!result.replayed) all.push(...result.events);
  }
  return all;
}

const postgres = withPostgres();

describe('reading', () => {
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore;
  let all: StoredEvent[];
  let now = START;

  beforeAll(async () => {
    database = await migrated(postgres(), { shards: SHARDS });
    opened = await openStore(database, { shards: SHARDS, now: () => now });
    all = await fill(opened, () => (now += 1_000));
  });
  afterAll(async () => {
    await opened.close();
    await database.drop();
  });

  const numbers = (events: readonly StoredEvent[]) =>
    events.map(({ event: { payload } }) => payload['n'] as number);
  const iso = (second: number) => new Date(START + second * 1_000).toISOString();

  /** All pages of a query. */
  async function pages(query: EventQuery): Promise<number[][]> {
    const found: number[][] = [];
    let cursor: string | undefined;
    do {
      const page = await opened.store.query({ ...query, ...(cursor && { cursor }) });
      found.push(numbers(page.events));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return found;
  }

  it('finds an event by its id, and nothing by what is none', async () => {
    const some = all[17] as StoredEvent;
    expect((await opened.store.getById(some.event.id))?.event).toEqual(some.event);
    expect(await opened.store.getById(uuidv7())).toBeNull();
    for (const id of ['', 'x', "'; DROP TABLE kernel.events --", 'a\0b']) {
      expect(await opened.store.getById(id)).toBeNull();
    }
  });

  it('loads a stream in order', async () => {
    expect(numbers(await opened.store.loadStream('odd/3'))).toEqual([3, 15, 27, 39, 51, 63, 75, 87, 99, 111]);
    expect(numbers(await opened.store.loadStream('odd/3', { fromVersion: 9 }))).toEqual([99, 111]);
    for (const none of ['odd/none', 'odd/\0', 'odd/\ud800']) {
      expect(await opened.store.loadStream(none)).toEqual([]);
      expect(await opened.store.findAnswer(none, none)).toBeNull();
    }
  });

  it('reads a shard after a position, all of it or one division', async () => {
    const shard = 1;
    const expected = all.filter(({ event }) => event.shard === shard);
    const read = await opened.store.read(shard, { afterSeq: 0, limit: 1_000 });
    expect(read.map(({ event }) => event)).toEqual(expected.map(({ event }) => event));
    const part = await opened.store.read(shard, { afterSeq: 3, limit: 2 });
    expect(part.map(({ event: { seq } }) => seq)).toEqual([4, 5]);
    const division = await opened.store.read(shard, { afterSeq: 0, limit: 1_000, division: 'product' });
    expect(numbers(division)).toEqual(numbers(expected).filter((n) => n % 3 === 0));
    await expect(opened.store.read(SHARDS, { afterSeq: 0, limit: 1 })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('knows the heads, and a recent one without asking each time', async () => {
    const heads = await opened.store.heads();
    expect(heads.reduce((sum, { seq }) => sum + seq, 0)).toBe(120);
    for (const { shard, seq, hash, ts } of heads) {
      const last = all.findLast(({ event }) => event.shard === shard)?.event;
      expect({ seq, hash, ts }).toEqual({ seq: last?.seq, hash: last?.hash, ts: last?.ts });
      expect(await opened.store.recentHead(shard)).toEqual({ shard, seq, hash, ms: Date.parse(ts ?? '') });
    }
    await expect(opened.store.recentHead(9)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('sees the head of another process soon', async () => {
    const other = await openStore(database, { shards: SHARDS, now: () => now });
    try {
      const stream = 'elsewhere/1';
      const shard = other.store.shardOf(stream);
      const before = await opened.store.recentHead(shard);
      await other.store.append(append(write(stream)));
      const start = performance.now();
      await until(async () => (await opened.store.recentHead(shard)).seq === before.seq + 1, 'the new head');
      expect(performance.now() - start).toBeLessThan(1_000);
    } finally {
      await other.close();
    }
  });

  describe('a query', () => {
    const everything = [...Array(120).keys()];

    it.each([
      ['everything', {}, everything],
      ['one stream', { stream: 'odd/3' }, everything.filter((n) => n % 12 === 3)],
      ['a type', { type: 'tenth.came' }, everything.filter((n) => n % 10 === 0)],
      ['an actor', { actor: 'actor-1' }, everything.filter((n) => n % 4 === 1)],
      ['a division', { division: 'product' }, everything.filter((n) => n % 3 === 0)],
      ['several at once', { actor: 'actor-0', type: 'tenth.came' }, everything.filter((n) => n % 20 === 0)],
      ['a stream and a type', { stream: 'even/0', type: 'tenth.came' }, [0, 60]],
      ['what nothing has', { type: 'never.came' }, []],
      // The first event has second 1.
      ['from a time on, inclusive', { from: iso(101) }, everything.slice(100)],
      ['up to a time, exclusive', { to: iso(11) }, everything.slice(0, 10)],
      ['between two times', { from: iso(11), to: iso(21), type: 'tenth.came' }, [10]],
      ['times of a stream', { stream: 'odd/3', from: iso(20), to: iso(60) }, [27, 39, 51]],
      ['a time with an offset', { from: '2026-01-01T02:01:41+02:00' }, everything.slice(100)],
      ['before everything', { to: iso(0) }, []],
      ['after everything', { from: iso(10_000) }, []],
    ] satisfies [string, EventQuery, number[]][])(
      'for %s gives it in order, whatever the page size',
      async (_, query, expected) => {
        const wanted = expected.filter((n) => n < 120);
        for (const limit of [7, 40, 1_000]) {
          const oldest = await pages({ ...query, limit });
          expect(oldest.flat().filter((n) => n < 120)).toEqual(wanted);
          for (const page of oldest.slice(0, -1)) expect(page).toHaveLength(limit);
          const newest = await pages({ ...query, limit, order: 'newest' });
          expect(newest.flat().filter((n) => n < 120)).toEqual(wanted.toReversed());
        }
      },
    );

    it('gives 100 at a time unless told', async () => {
      expect((await opened.store.query()).events).toHaveLength(100);
    });

    it('neither skips nor repeats when events arrive between its pages', async () => {
      const first = await opened.store.query({ limit: 60 });
      const firstNewest = await opened.store.query({ limit: 60, order: 'newest' });
      const added: number[] = [];
      for (let n = 500; n < 506; n++) {
        await opened.store.append(append(write(`late/${n}`, { events: [event({ n })] })));
        added.push(n);
      }
      const oldest = numbers(first.events);
      for (let cursor = first.nextCursor; cursor !== null;) {
        const page = await opened.store.query({ limit: 60, cursor });
        oldest.push(...numbers(page.events));
        cursor = page.nextCursor;
      }
      expect(oldest.filter((n) => n < 120)).toEqual(everything);
      expect(oldest.filter((n) => n >= 500).toSorted()).toEqual(added);
      const newest = numbers(firstNewest.events);
      for (let cursor = firstNewest.nextCursor; cursor !== null;) {
        const page = await opened.store.query({ limit: 60, cursor, order: 'newest' });
        newest.push(...numbers(page.events));
        cursor = page.nextCursor;
      }
      expect(newest.filter((n) => n < 120)).toEqual(everything.toReversed());
      expect(newest.filter((n) => n >= 500)).toEqual([]);
    });

    it.each([
      ['a cursor of nobody', { cursor: 'abc' }, 'invalid_cursor'],
      ['a cursor with other characters', { cursor: '%%%' }, 'invalid_cursor'],
      [
        'a forged cursor',
        { cursor: Buffer.from('[1,"x",[[0,"1 OR 1=1"]]]').toString('base64url') },
        'invalid_cursor',
      ],
      ['no limit', { limit: 0 }, 'invalid_request'],
      ['too high a limit', { limit: 1_001 }, 'invalid_request'],
      ['a limit that is no number', { limit: NaN }, 'invalid_request'],
      ['a time that is none', { from: 'yesterday' }, 'invalid_request'],
      ['a date without a time', { to: '2026-01-01' }, 'invalid_request'],
      ['a NUL', { type: 'a\0b' }, 'invalid_request'],
      ['an order that is none', { order: 'random' as 'oldest' }, 'invalid_request'],
    ] satisfies [string, EventQuery, string][])('with %s is refused', async (_, query, code) => {
      await expect(opened.store.query(query)).rejects.toMatchObject({ code });
    });

    it('with the cursor of another query is refused', async () => {
      const { nextCursor } = await opened.store.query({ limit: 5, actor: 'actor-1' });
      const cursor = nextCursor ?? '';
      expect((await opened.store.query({ limit: 9, actor: 'actor-1', cursor })).events).toHaveLength(9);
      for (const other of [{}, { actor: 'actor-2' }, { actor: 'actor-1', order: 'newest' as const }]) {
        await expect(opened.store.query({ ...other, cursor })).rejects.toMatchObject({
          code: 'invalid_cursor',
        });
      }
    });
  });
});
