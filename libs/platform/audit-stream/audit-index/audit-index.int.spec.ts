import { type EventQuery, type IndexQuery, migrate } from '#platform/event-store';
import { PositionMoved } from '../shard-handler';
import { type AuditEvent } from '#evidence';
import { withPostgres } from '#dev/testing';
import { Client } from 'pg';
import { AuditIndex } from './audit-index';
import { divisionOf, type FilledStore, openFilledStore, ORIGIN } from './filled-store.fixture';
import { IndexRebuild } from './index-rebuild';
import { IndexWriter } from './index-writer';

const SHARDS = 3;

describe('the audit index', () => {
  const postgres = withPostgres();
  let filled: FilledStore;
  let writer: IndexWriter;
  let index: AuditIndex;

  beforeEach(async () => {
    filled = await openFilledStore(postgres(), SHARDS);
    writer = new IndexWriter({ dataSource: filled.worker, origin: ORIGIN, divisionOf });
    index = new AuditIndex({ dataSource: filled.runtime, shards: SHARDS });
  });
  afterEach(async () => {
    await filled.close();
  });

  async function as(url: string, sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const result = (await client.query(sql)) as unknown;
      // With several statements, the rows of the last one.
      return ([result].flat().at(-1) as { rows: Record<string, unknown>[] }).rows;
    } finally {
      await client.end();
    }
  }

  /** Sixty events in eight streams. */
  async function fill(): Promise<void> {
    for (let n = 0; n < 60; n++) {
      await filled.append(`${n % 8 === 0 ? 'division' : 'thing'}/${n % 8}`, {
        n,
        ...(n % 3 === 0 && { division: 'product' }),
      });
    }
  }

  /** Applies what the store has and the index lacks, in batches. */
  async function catchUp(batch = 7): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) {
      for (;;) {
        const events = await filled.behind(shard, await writer.position(shard), batch);
        if (events.length === 0) break;
        await writer.apply(shard, events);
      }
    }
  }

  const QUERIES: EventQuery[] = [
    {},
    { stream: 'thing/3' },
    { type: 'thing.changed' },
    { actor: 'actor-2' },
    { division: 'product' },
    { division: '0' },
    { actor: 'actor-2', type: 'thing.made', division: 'product' },
    { from: '2026-01-31T10:00:20.000Z' },
    { to: '2026-01-31T10:00:40.000Z', type: 'thing.removed' },
    { stream: 'thing/5', from: '2026-01-31T10:00:10.000Z', to: '2026-01-31T10:00:50.000Z' },
    { type: 'never.came' },
  ];

  /** Every page of every query in both orders, as bytes. */
  async function answers(source: {
    query(query: EventQuery): Promise<{ events: { bytes: Uint8Array }[]; nextCursor: string | null }>;
  }): Promise<unknown[]> {
    const found: unknown[] = [];
    for (const query of QUERIES) {
      for (const order of ['oldest', 'newest'] as const) {
        let cursor: string | null = null;
        do {
          const page = await source.query({ ...query, order, limit: 7, ...(cursor !== null && { cursor }) });
          found.push(
            page.events.map(({ bytes }) => Buffer.from(bytes).toString()),
            page.nextCursor,
          );
          cursor = page.nextCursor;
        } while (cursor !== null);
      }
    }
    return found;
  }

  it('answers as the event store does: same events, same bytes, same pages, same cursors', async () => {
    await fill();
    await catchUp();
    expect(await answers(index)).toEqual(await answers(filled.store));
  });

  it('searches what no column says: each match once, and no page looks at more than it may', async () => {
    await fill();
    await catchUp();
    const asked: number[] = [];
    const search = (by: number, cursor: string | null, asks = `n by ${by}`) =>
      index.search(
        { type: 'thing.made', order: 'newest', limit: 2, ...(cursor !== null && { cursor }) },
        {
          asks,
          examine: 3,
          select: async (events) => {
            asked.push(events.length);
            return events.map(({ event }) => {
              const n = event.payload['n'] as number;
              return n % by === 0 ? n : null;
            });
          },
        },
      );
    for (const by of [1, 2, 5, 100]) {
      const pages: number[][] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof search>> = await search(by, cursor);
        pages.push(page.found);
        cursor = page.nextCursor;
      } while (cursor !== null);
      const made = Array.from({ length: 20 }, (_, n) => n * 3);
      expect(pages.flat()).toEqual(made.filter((n) => n % by === 0).reverse());
      expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(2);
    }
    expect(Math.max(...asked)).toBeLessThanOrEqual(3);
    const { nextCursor } = await search(1, null);
    await expect(search(1, nextCursor, 'another question')).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  describe('what payloads name', () => {
    const id = '01890000-0000-7000-8000-000000000001';
    const names = (eventId: string) => ({ because: [{ relation: 'a', eventId }, 'nonsense'] });
    const streams = (found: { event: { stream: string } }[]) => found.map(({ event }) => event.stream);

    it('is found by it, the oldest first, a bounded number', async () => {
      await filled.append('thing/1', names(id));
      await filled.append('thing/2', names('another'), { because: id }, { because: { eventId: id } });
      await filled.append('thing/3', { upgradeId: 'u' });
      await filled.append('upgrade/u', { upgradeId: 'u' });
      await filled.append('thing/4', { upgradeId: 'u', ...names(id) });
      await filled.append('thing/5', { upgradeId: ['u'] }, { upgradeId: 'v' });
      await catchUp();
      expect(streams(await index.naming({ because: id }, 10))).toEqual(['thing/1', 'thing/4']);
      expect(streams(await index.naming({ because: id }, 1))).toEqual(['thing/1']);
      const everywhere: string[] = [];
      for (let shard = 0; shard < SHARDS; shard++) {
        everywhere.push(...streams(await index.naming({ upgradeId: 'u', shard, afterSeq: 0 }, 10)));
        expect(await index.naming({ upgradeId: 'u', shard, afterSeq: 1_000 }, 10)).toEqual([]);
      }
      expect(everywhere.sort()).toEqual(['thing/3', 'thing/4', 'thing/5']);
    });

    it('may be anything, of any size, and is looked for in its index', async () => {
      await filled.append('thing/1', { upgradeId: 'x'.repeat(30_000), because: 'y'.repeat(30_000) });
      await fill();
      await catchUp();
      expect(await index.naming({ because: id }, 10)).toEqual([]);
      const plan = await as(
        filled.database.superuserUrl,
        `SET enable_seqscan = off; EXPLAIN SELECT FROM kernel_index.events e
         WHERE e.payload ?| ARRAY['because', 'upgradeId'] AND e.payload -> 'because' @> '[{"eventId":"x"}]'`,
      );
      expect(JSON.stringify(plan)).toContain('events_named_idx');
    });

    it('is indexed in an index from before, too', async () => {
      const { database } = filled;
      await as(database.superuserUrl, 'DROP INDEX kernel_index.events_named_idx');
      await as(
        database.superuserUrl,
        `DELETE FROM kernel.migrations WHERE name = 'NamedEvents1764710000000'`,
      );
      const { runtimeRole, workerRole } = postgres();
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: SHARDS, runtimeRole, workerRole });
      const [found] = await as(
        database.superuserUrl,
        `SELECT to_regclass('kernel_index.events_named_idx') IS NOT NULL AS there`,
      );
      expect(found).toEqual({ there: true });
    });
  });

  describe('finds what the event store has no index for', () => {
    const digest = (n: number): string => String(n).padStart(64, '0');
    const requests = ['0b6f1f0e-0000-4000-8000-000000000001', '0b6f1f0e-0000-4000-8000-000000000002'];

    /** Signatures of three digests, what callers say of them, and requests, over all shards. */
    async function fillVaried(): Promise<void> {
      for (let n = 0; n < 24; n++) {
        await filled.record(
          { stream: `manifest/m-${n % 5}`, type: 'manifest.signed', payload: { sha256: digest(n % 3), n } },
          requests[n % 4],
        );
        await filled.record({
          stream: `report/${n % 2 ? 'a/' : 'b/'}${n % 7}`,
          type: 'report.made',
          payload: { sha256: digest(1), n },
        });
      }
      await filled.record({
        stream: 'manifest/odd',
        type: 'manifest.signed',
        payload: { sha256: 'none', n: -1 },
      });
    }

    const EVERYTHING: [IndexQuery, (event: AuditEvent) => boolean][] = [
      [{ sha256: digest(1) }, (e) => e.type === 'manifest.signed' && e.payload['sha256'] === digest(1)],
      [{ sha256: digest(9) }, () => false],
      [{ signerKid: 'audit-1' }, () => true],
      [{ signerKid: 'audit-2' }, () => false],
      [{ correlationId: requests[1] as string }, (e) => e.correlationId === requests[1]],
      [{ correlationId: (requests[0] as string).toUpperCase() }, (e) => e.correlationId === requests[0]],
      [{ subject: 'report/' }, (e) => e.stream.startsWith('report/')],
      [{ subject: 'report/a/' }, (e) => e.stream.startsWith('report/a/')],
      [{ subject: 'report/a/3' }, (e) => e.stream === 'report/a/3'],
      [{ subject: 'manifest/m-1' }, (e) => e.stream === 'manifest/m-1'],
      [{ subject: 'repor/' }, () => false],
      [{ subject: 'report/%' }, () => false],
      [
        { subject: 'manifest/', sha256: digest(2), correlationId: requests[0] as string },
        (e) => e.payload['sha256'] === digest(2) && e.correlationId === requests[0],
      ],
    ];

    /** Positions, over all pages. */
    async function found(query: IndexQuery): Promise<string[]> {
      const positions: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await index.query({ ...query, limit: 5, ...(cursor !== undefined && { cursor }) });
        positions.push(...page.events.map(({ event: { shard, seq } }) => `${shard}:${seq}`));
        if (page.nextCursor === null) return positions.sort();
        cursor = page.nextCursor;
      }
    }

    async function expectComplete(): Promise<void> {
      const { events } = await filled.store.query({ limit: 1_000 });
      for (const [query, fits] of EVERYTHING) {
        const expected = events
          .filter(({ event }) => fits(event))
          .map(({ event: e }) => `${e.shard}:${e.seq}`);
        expect([query, await found(query)]).toEqual([query, expected.sort()]);
      }
    }

    it('by digest, key, request and beginning of a stream: each match once, nothing left out', async () => {
      await fillVaried();
      await catchUp();
      await expectComplete();
    });

    it('the same after a rebuild', async () => {
      await fillVaried();
      const rebuild = await IndexRebuild.begin({
        dataSource: filled.worker,
        origin: ORIGIN,
        shards: SHARDS,
        divisionOf,
      });
      for (const head of await rebuild.heads())
        await rebuild.add(head.shard, await filled.behind(head.shard, head));
      await rebuild.complete();
      await rebuild.swap();
      await rebuild.close();
      await expectComplete();
    });

    it('the same in an index from before, which the migration fills', async () => {
      await fillVaried();
      await filled.record(
        { stream: 'report/nul', type: 'report.made', payload: { nul: '\0 \\u0000' } },
        requests[1],
      );
      await catchUp();
      const { database } = filled;
      await as(
        database.superuserUrl,
        `ALTER TABLE kernel_index.events DROP COLUMN sha256, DROP COLUMN correlation_id;
         DROP INDEX kernel_index.events_signer_idx, kernel_index.events_aggregate_idx, kernel_index.events_subject_idx;
         CREATE TABLE kernel_index.events_next (LIKE kernel_index.events);
         DELETE FROM kernel.migrations WHERE name = 'IndexFilters1764910000000'`,
      );
      const { runtimeRole, workerRole } = postgres();
      await migrate(database.ownerUrl, { origin: ORIGIN, shards: SHARDS, runtimeRole, workerRole });
      await expectComplete();
      await fillVaried();
      await catchUp();
      await expectComplete();
    });

    it('and refuses filters that no event could match, and a cursor of other ones', async () => {
      for (const query of [
        { sha256: 'A' },
        { correlationId: 'x' },
        { subject: 'report' },
        { subject: 'a/\0' },
      ]) {
        await expect(index.query(query)).rejects.toMatchObject({
          code: 'invalid_request',
          details: { pointer: `/${Object.keys(query)[0]}` },
        });
      }
      await fillVaried();
      await catchUp();
      const { nextCursor } = await index.query({ sha256: digest(1), limit: 1 });
      await expect(index.query({ sha256: digest(2), cursor: nextCursor as string })).rejects.toMatchObject({
        code: 'invalid_cursor',
      });
    });
  });

  it('refuses what the event store refuses', async () => {
    await expect(index.query({ limit: 0 })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(index.query({ cursor: 'abc' })).rejects.toMatchObject({ code: 'invalid_cursor' });
    await expect(index.query({ from: 'yesterday' })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('holds columns, payload and bytes of an event', async () => {
    await filled.append('thing/x', { deep: { list: [1, 2.5, 'é'] }, division: 'product' });
    await catchUp();
    const [row] = await as(
      filled.database.superuserUrl,
      `SELECT i.*, i.canonical = e.canonical AS same_bytes, i.ts = e.ts AS same_ts, i.hash = e.hash AS same_hash
       FROM kernel_index.events i JOIN kernel.events e USING (id) WHERE i.stream = 'thing/x'`,
    );
    expect(row).toMatchObject({
      type: 'thing.made',
      stream_version: '1',
      actor_id: 'actor-0',
      signer_kid: 'audit-1',
      division: 'product',
      payload: { deep: { list: [1, 2.5, 'é'] }, division: 'product' },
      same_bytes: true,
      same_ts: true,
      same_hash: true,
    });
  });

  it('takes events that jsonb cannot hold, and gives them back as they are', async () => {
    await filled.append(
      'thing/nul',
      { 'na\0me': 'va\0lue', list: ['\0'], plain: 'kept' },
      // No U+0000: a backslash, and what follows it.
      { text: '\\u0000' },
      { big: 1.7976931348623157e308, small: 5e-324 },
    );
    await catchUp();
    const rows = await as(
      filled.database.superuserUrl,
      `SELECT payload FROM kernel_index.events WHERE stream = 'thing/nul' ORDER BY seq`,
    );
    expect(rows.map(({ payload }) => payload)).toEqual([
      { 'na\ufffdme': 'va\ufffdlue', list: ['\ufffd'], plain: 'kept' },
      { text: '\\u0000' },
      { big: 1.7976931348623157e308, small: 5e-324 },
    ]);
    const { events } = await index.query({ stream: 'thing/nul' });
    expect(events[0]?.event.payload).toEqual({ 'na\0me': 'va\0lue', list: ['\0'], plain: 'kept' });
  });

  it('applies each event once, however many indexers are at work', async () => {
    await fill();
    const work = async (): Promise<void> => {
      for (let shard = 0; shard < SHARDS; shard++) {
        for (;;) {
          const events = await filled.behind(shard, await writer.position(shard), 3);
          if (events.length === 0) break;
          await writer.apply(shard, events).catch((error: unknown) => {
            if (!(error instanceof PositionMoved)) throw error;
          });
        }
      }
    };
    await Promise.all([work(), work(), work()]);
    expect(await answers(index)).toEqual(await answers(filled.store));
  });

  it('says so when the index is not what the position says', async () => {
    await fill();
    await catchUp();
    const shard = filled.store.shardOf('thing/1');
    const position = await writer.position(shard);
    await filled.append('thing/1', { late: true });
    const late = await filled.behind(shard, position);
    await as(filled.database.superuserUrl, 'TRUNCATE kernel_index.events');
    await expect(writer.position(shard)).rejects.toMatchObject({
      kind: 'gap',
      message: expect.stringContaining(`ends at position 0, the indexer's position says ${position.seq}`),
    });
    // And without the knowledge of a running indexer.
    await expect(writer.apply(shard, late)).rejects.toMatchObject({
      kind: 'gap',
      message: expect.stringContaining('./kernel replay --to index'),
    });
    await as(filled.database.superuserUrl, 'DELETE FROM kernel.stream_positions');
    expect(await writer.position(shard)).toMatchObject({ seq: 0 });
    await catchUp();
    await as(filled.database.superuserUrl, 'DELETE FROM kernel.stream_positions');
    await expect(writer.position(shard)).rejects.toMatchObject({ kind: 'fork' });
  });

  it('knows the hashes of what it has', async () => {
    await fill();
    await catchUp();
    const events = await filled.behind(1, { seq: 0 });
    const hashes = await writer.storedHashes(1, [1, 2, 10_000]);
    expect([...hashes]).toEqual([
      [1, events[0]?.event.hash],
      [2, events[1]?.event.hash],
    ]);
  });

  it('waits for a position, for as long as was asked', async () => {
    await fill();
    const shard = filled.store.shardOf('thing/1');
    const events = await filled.behind(shard, { seq: 0 });
    const last = events.at(-1)?.event.seq ?? 0;
    const waiting = index.reach({ shard, seq: last }, 10_000);
    await writer.apply(shard, events);
    expect(await waiting).toEqual({ shard, seq: last });
    expect(await index.reach({ shard, seq: last + 1 }, 30)).toEqual({ shard, seq: last });
    expect(await index.positions()).toContainEqual({ shard, seq: last });
  });

  describe('a rebuild', () => {
    const begin = (fresh = false): Promise<IndexRebuild> =>
      IndexRebuild.begin({ dataSource: filled.worker, origin: ORIGIN, shards: SHARDS, divisionOf, fresh });

    async function addAll(rebuild: IndexRebuild, most = 1_000): Promise<void> {
      for (const head of await rebuild.heads()) {
        const events = await filled.behind(head.shard, head, most);
        await rebuild.add(head.shard, events);
      }
    }

    it('gives the same answers, and readers see nothing of it until it is done', async () => {
      await fill();
      await catchUp();
      const before = await answers(index);
      const rebuild = await begin();
      try {
        await addAll(rebuild);
        expect(await answers(index)).toEqual(before);
        await rebuild.complete();
        await as(filled.database.superuserUrl, 'TRUNCATE kernel_index.events');
        await rebuild.swap();
      } finally {
        await rebuild.close();
      }
      expect(await answers(index)).toEqual(before);
      // And the indexer continues from there.
      await filled.append('thing/late', { late: true });
      await catchUp();
      expect(await answers(index)).toEqual(await answers(filled.store));
    });

    it.each([
      ['the table', 'DROP TABLE kernel_index.events'],
      ['the schema', 'DROP SCHEMA kernel_index CASCADE'],
    ])('brings back %s after it was dropped', async (what, sql) => {
      await fill();
      await catchUp();
      const before = await answers(index);
      await as(filled.database.superuserUrl, sql);
      await expect(index.query()).rejects.toMatchObject({ code: 'store_unavailable' });
      if (what === 'the schema') {
        const { runtimeRole, workerRole } = postgres();
        await migrate(filled.database.ownerUrl, { origin: ORIGIN, shards: SHARDS, runtimeRole, workerRole });
      }
      const rebuild = await begin();
      await addAll(rebuild);
      await rebuild.complete();
      await rebuild.swap();
      await rebuild.close();
      expect(await answers(index)).toEqual(before);
    });

    it('goes on where an interrupted one ended, or from the start when told so', async () => {
      await fill();
      const first = await begin();
      await addAll(first, 5);
      const stopped = await first.heads();
      await first.close();
      expect(stopped.some(({ seq }) => seq === 5)).toBe(true);
      const second = await begin();
      expect(await second.heads()).toEqual(stopped);
      await second.close();
      const third = await begin(true);
      expect((await third.heads()).every(({ seq }) => seq === 0)).toBe(true);
      await addAll(third);
      await third.complete();
      await third.swap();
      await third.close();
      expect(await answers(index)).toEqual(await answers(filled.store));
    });

    it('is one at a time', async () => {
      const rebuild = await begin();
      await expect(begin()).rejects.toThrow('Another process is rebuilding the index');
      await rebuild.close();
      await (await begin()).close();
    });

    it('takes the position over from an indexer that is at work', async () => {
      await fill();
      await catchUp();
      const rebuild = await begin();
      await addAll(rebuild);
      await rebuild.complete();
      // Behind, like an older archive: the indexer goes back with it.
      const shard = filled.store.shardOf('thing/1');
      await filled.append('thing/1', { late: 1 });
      const seen = await writer.position(shard);
      await writer.apply(shard, await filled.behind(shard, seen));
      const ahead = await writer.position(shard);
      await rebuild.swap();
      await rebuild.close();
      expect(await writer.position(shard)).toEqual({ ...seen, cursor: null });
      await filled.append('thing/1', { late: 2 });
      await expect(writer.apply(shard, await filled.behind(shard, ahead))).rejects.toThrow(PositionMoved);
      await catchUp();
      expect(await answers(index)).toEqual(await answers(filled.store));
    });

    it('waits for its turn while batches are applied and lists are read', async () => {
      await fill();
      const rebuild = await begin();
      await addAll(rebuild);
      await rebuild.complete();
      let swapped = false;
      const reading = (async () => {
        while (!swapped) await index.query({ limit: 50 });
      })();
      const applying = (async () => {
        while (!swapped)
          await catchUp(2).catch((error: unknown) => {
            if (!(error instanceof PositionMoved)) throw error;
          });
      })();
      await rebuild.swap();
      swapped = true;
      await Promise.all([reading, applying]);
      await rebuild.close();
      await catchUp();
      expect(await answers(index)).toEqual(await answers(filled.store));
    });

    it('finds an id that occurs twice, and a hole in a stream, and changes nothing then', async () => {
      await fill();
      await catchUp();
      const before = await answers(index);
      const shard = filled.store.shardOf('thing/1');
      const events = await filled.behind(shard, { seq: 0 });
      const [one, two] = events as [(typeof events)[0], (typeof events)[0]];
      const twice = { ...two, event: { ...two.event, id: one.event.id } };
      const rebuild = await begin();
      await rebuild.add(shard, [one, twice]);
      await expect(rebuild.complete()).rejects.toMatchObject({ kind: 'fork' });
      await rebuild.close();
      const holed = { ...two, event: { ...two.event, stream: 'thing/holed', streamVersion: 3 } };
      const again = await begin(true);
      await again.add(shard, [one, holed]);
      await expect(again.complete()).rejects.toMatchObject({
        kind: 'gap',
        message: expect.stringContaining('thing/holed'),
      });
      await again.close();
      expect(await answers(index)).toEqual(before);
    });
  });

  it('never scans the table', async () => {
    await as(
      filled.database.superuserUrl,
      `INSERT INTO kernel_index.events
       SELECT gen_random_uuid(), 0, n, 'common.came' || n % 20, CASE WHEN n % 5 = 0 THEN 'large/1' ELSE 'small/' || n END,
              CASE WHEN n % 5 = 0 THEN n / 5 ELSE 1 END, 'actor-' || n % 40,
              '2026-02-01'::timestamptz + make_interval(secs => n), 'kid', CASE WHEN n % 100 = 0 THEN 'product' END,
              sha256(n::text::bytea), '{}', '{}'
       FROM generate_series(1, 20000) n`,
    );
    await as(filled.database.superuserUrl, 'ANALYZE kernel_index.events');
    const counters = async (): Promise<Record<string, unknown> | undefined> => {
      await as(filled.database.superuserUrl, 'SELECT pg_stat_force_next_flush()');
      return (
        await as(
          filled.database.superuserUrl,
          `SELECT seq_scan, seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_user_tables WHERE relname = 'events' AND schemaname = 'kernel_index'`,
        )
      )[0];
    };
    // The counters of a session are available when it ends.
    await filled.runtime.destroy();
    await filled.worker.destroy();
    const before = await counters();
    await filled.runtime.initialize();
    await filled.worker.initialize();
    const reader = new AuditIndex({ dataSource: filled.runtime, shards: SHARDS });
    const middle = '2026-02-01T03:00:00.000Z';
    for (const query of [
      {},
      { type: 'common.came7' },
      { actor: 'actor-7' },
      { division: 'product' },
      { from: middle, type: 'common.came7' },
    ]) {
      for (const order of ['oldest', 'newest'] as const) await reader.query({ ...query, order, limit: 20 });
    }
    const hashes = new IndexWriter({ dataSource: filled.worker, origin: ORIGIN, divisionOf });
    await hashes.storedHashes(0, [1, 500, 20_000]);
    await filled.runtime.destroy();
    await filled.worker.destroy();
    const after = await counters();
    await filled.runtime.initialize();
    await filled.worker.initialize();
    expect(after?.['seq_scan']).toEqual(before?.['seq_scan']);
    expect(Number(after?.['rows']) - Number(before?.['rows'])).toBeLessThan(10 * (3 * 21 + 2 * 17));
  });
});
