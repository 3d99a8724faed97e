import { Client } from 'pg';
import { withOwnPostgres } from '#dev/testing';
import { type AuditEvent } from '#evidence';
import { EventLog } from '../event-log';
import { TAIL_PAGE_BYTES } from '../limits';
import {
  append,
  event,
  migrated,
  openStore,
  type OpenStore,
  type OpenStoreOptions,
  type StoreDatabase,
  until,
  write,
} from '../fixtures/store.fixture';

/** A store to write to, and the log to follow, over one pool. */
type Following = OpenStore & { log: EventLog };

describe('tail', () => {
  const postgres = withOwnPostgres();
  let database: StoreDatabase & { superuserUrl: string; drop(): Promise<void> };
  let opened: Following[];

  beforeEach(async () => {
    database = await migrated(postgres());
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await database.drop();
  });

  async function open(options: OpenStoreOptions = {}): Promise<Following> {
    const store = await openStore(database, options);
    const { dataSource } = store;
    const log = new EventLog({ dataSource, shards: 1, ...(options.limits && { limits: options.limits }) });
    const close = async (): Promise<void> => {
      await log.close();
      await store.close();
    };
    const both = { ...store, log, close };
    opened.push(both);
    return both;
  }

  /** Follows in the background. */
  function follow(
    { log }: Following,
    afterSeq = 0,
  ): { seen: AuditEvent[]; ended: Promise<void>; stop: () => void } {
    const seen: AuditEvent[] = [];
    const abort = new AbortController();
    const ended = (async () => {
      for await (const page of log.tail(0, { afterSeq, signal: abort.signal })) {
        seen.push(...page.map(({ event }) => event));
      }
    })();
    return { seen, ended, stop: () => abort.abort() };
  }

  async function asSuperuser(sql: string): Promise<number> {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      return (await client.query(sql)).rowCount ?? 0;
    } finally {
      await client.end();
    }
  }

  const TERMINATE_LISTENER = `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE application_name = 'kernel-listen' AND datname = current_database()`;
  const LISTENERS = `SELECT FROM pg_stat_activity WHERE application_name = 'kernel-listen'
    AND datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'`;

  it('gives what is there, then what comes, each once and in order, from several writers', async () => {
    const [reader, ...writers] = await Promise.all([open(), open(), open()]);
    await reader.store.append(append(write('a/1', { events: Array.from({ length: 700 }, () => event()) })));
    const tail = follow(reader);
    await Promise.all(
      writers.flatMap(({ store }) => Array.from({ length: 150 }, () => store.append(append(write('a/1'))))),
    );
    await until(() => tail.seen.length >= 1_000, 'everything');
    tail.stop();
    await tail.ended;
    expect(tail.seen.map(({ seq }) => seq)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
  });

  it('hands over no more than some megabytes at a time, and does not wait between them', async () => {
    // A lost notification would be noticed only after a minute.
    const { store, log } = await open({ limits: { tailPollMs: 60_000 } });
    const large = event({ text: 'x'.repeat(60_000) });
    for (let n = 0; n < 2; n += 1) {
      await store.append(append(write('a/1', { events: Array.from({ length: 60 }, () => large) })));
    }
    const pages: { events: number; bytes: number }[] = [];
    const abort = new AbortController();
    for await (const page of log.tail(0, { afterSeq: 0, signal: abort.signal })) {
      pages.push({
        events: page.length,
        bytes: page.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      });
      if (pages.reduce((sum, { events }) => sum + events, 0) === 120) abort.abort();
    }
    expect(pages.length).toBeGreaterThan(1);
    for (const { bytes } of pages) expect(bytes).toBeLessThan(TAIL_PAGE_BYTES + 65_536);
  });

  it('starts after a position', async () => {
    const store = await open();
    await store.store.append(append(write('a/1', { events: [event(), event(), event()] })));
    const tail = follow(store, 2);
    await until(() => tail.seen.length > 0, 'the third');
    tail.stop();
    await tail.ended;
    expect(tail.seen.map(({ seq }) => seq)).toEqual([3]);
  });

  it('is woken across processes by a notification, long before it would look for itself', async () => {
    const [reader, writer] = await Promise.all([open({ limits: { tailPollMs: 60_000 } }), open()]);
    const tail = follow(reader);
    await until(async () => (await asSuperuser(LISTENERS)) === 1, 'it listens');
    await writer.store.append(append());
    await until(() => tail.seen.length === 1, 'the event');
    tail.stop();
    await tail.ended;
  });

  it('shares one connection between all tails, and needs none of the pool while it waits', async () => {
    const reader = await open({ poolSize: 1, limits: { tailPollMs: 60_000 } });
    const tails = Array.from({ length: 20 }, () => follow(reader));
    await until(async () => (await asSuperuser(LISTENERS)) === 1, 'it listens');
    await reader.store.append(append());
    await until(() => tails.every(({ seen }) => seen.length === 1), 'everyone has it');
    expect(await asSuperuser(LISTENERS)).toBe(1);
    tails.forEach(({ stop }) => stop());
    await Promise.all(tails.map(({ ended }) => ended));
  });

  it('finds what no notification told it', async () => {
    const [reader, writer] = await Promise.all([open({ limits: { tailPollMs: 50 } }), open()]);
    const tail = follow(reader);
    await until(async () => (await asSuperuser(LISTENERS)) === 1, 'it listens');
    // Prevents a reconnect: the role may not open connections any more, only keep them.
    await asSuperuser(`ALTER ROLE ${postgres().runtimeRole} CONNECTION LIMIT 0`);
    try {
      expect(await asSuperuser(TERMINATE_LISTENER)).toBe(1);
      await writer.store.append(append());
      await until(() => tail.seen.length === 1, 'the event');
    } finally {
      await asSuperuser(`ALTER ROLE ${postgres().runtimeRole} CONNECTION LIMIT -1`);
    }
    tail.stop();
    await tail.ended;
  });

  it('listens again when its connection was lost, and misses nothing that came meanwhile', async () => {
    const [reader, writer] = await Promise.all([open({ limits: { tailPollMs: 60_000 } }), open()]);
    const tail = follow(reader);
    await until(async () => (await asSuperuser(LISTENERS)) === 1, 'it listens');
    expect(await asSuperuser(TERMINATE_LISTENER)).toBe(1);
    await writer.store.append(append());
    await until(() => tail.seen.length === 1, 'the event, after the reconnect');
    await writer.store.append(append());
    await until(() => tail.seen.length === 2, 'the next one');
    tail.stop();
    await tail.ended;
  });

  it('waits for a database that is away', async () => {
    const reader = await open({ limits: { tailPollMs: 50 } });
    await reader.store.append(append());
    const tail = follow(reader);
    await until(() => tail.seen.length === 1, 'the first');
    await postgres().kill();
    await postgres().whenReady();
    await until(
      () =>
        reader.store.append(append()).then(
          () => true,
          () => false,
        ),
      'a write',
    );
    await until(() => tail.seen.length === 2, 'the second');
    tail.stop();
    await tail.ended;
  });

  it('ends when the log closes', async () => {
    const reader = await open();
    const tail = follow(reader);
    await reader.store.append(append());
    await until(() => tail.seen.length === 1, 'the first');
    await reader.log.close();
    await tail.ended;
  });
});
