import { withPostgres } from '#dev/testing';
import { Database } from '#platform/postgres';
import { placeOf } from '#platform/tracing';
import { append, event, migrated, openStore, type OpenStore, run, write } from '../fixtures/store.fixture';
import { purgeTraces, tracesOf } from './event-traces';

const header = (n: number, flags: '00' | '01' = '01') =>
  `00-${String(n).padStart(32, '0')}-${String(n).padStart(16, '0')}-${flags}`;

describe('traces of events', () => {
  const postgres = withPostgres();
  let database: Awaited<ReturnType<typeof migrated>>;
  let opened: OpenStore;

  beforeEach(async () => {
    database = await migrated(postgres());
    opened = await openStore(database);
  });
  afterEach(async () => {
    await opened.close();
    await database.drop();
  });

  const asked = (trace: string | undefined, stream: string) => {
    const work = () => opened.store.append(append(write(stream, { events: [event(), event()] })));
    return placeOf(trace)?.run(work) ?? work();
  };
  const rows = () =>
    run(database.superuserUrl, 'SELECT seq::integer, traceparent FROM kernel.event_traces ORDER BY seq');

  it('are written with the events, for those alone whose caller records', async () => {
    await Promise.all([
      asked(header(1), 'cell/1'),
      asked(header(2, '00'), 'cell/2'),
      asked(undefined, 'cell/3'),
    ]);
    const stored = await opened.store.query({ stream: 'cell/1' });
    const seqs = stored.events.map(({ event: { seq } }) => seq);
    expect(await rows()).toEqual(seqs.map((seq) => ({ seq, traceparent: header(1) })));
    expect(await opened.store.traceOf({ shard: 0, seq: seqs[0] ?? 0 })).toBe(header(1));
    expect(await opened.store.traceOf({ shard: 0, seq: 99 })).toBeUndefined();
  });

  it('are left as they are where a restored chain writes a position again', async () => {
    await run(
      database.superuserUrl,
      `INSERT INTO kernel.event_traces (shard, seq, traceparent) VALUES (0, 1, '${header(9)}')`,
    );
    await asked(header(1), 'cell/1');
    expect(await rows()).toEqual([
      { seq: 1, traceparent: header(9) },
      { seq: 2, traceparent: header(1) },
    ]);
  });

  it('are forgotten after a day', async () => {
    await asked(header(1), 'cell/1');
    await run(
      database.superuserUrl,
      `UPDATE kernel.event_traces SET recorded_at = now() - interval '25 hours' WHERE seq = 1`,
    );
    await purgeTraces(new Database(opened.dataSource, 5_000), new AbortController().signal);
    expect(await rows()).toEqual([{ seq: 2, traceparent: header(1) }]);
  });

  it('are worth no failure: a database that does not answer has none', async () => {
    const away = { step: () => Promise.reject(new Error('away')) };
    expect(await tracesOf(away, 0, 1, 2)).toEqual(new Map());
  });
});
