import { generateKeyPairSync, sign } from 'node:crypto';
import { Client } from 'pg';
import {
  EventLog,
  EventStore,
  type EventVerifier,
  migrate,
  openEventStoreDataSource,
} from '#platform/event-store';
import { Database, type DataSource } from '#platform/postgres';
import { AuditStreamError, type AuditStreamPublisher, type PublishedEvent } from '#platform/audit-stream';
import { createLogger, Registry } from '#platform/process';
import { migratedBy, type TestDatabase, withPostgres } from '#dev/testing';
import { relayShard } from './shard-relay';
import { type RunningOutboxRelay, startOutboxRelay } from '../start-outbox-relay';

const ORIGIN = 'kernel.example.com/test';

/** Keeps what a stream got, in the order in which it got it. */
class RecordingStream implements AuditStreamPublisher {
  readonly records: { seq: number; text: string }[] = [];
  /** Answers to the next calls, before the ordinary one. */
  readonly failures: Error[] = [];
  calls = 0;
  inFlight = 0;
  mostInFlight = 0;
  /** Holds back what is published while set. */
  gate: Promise<void> | undefined;

  prepare(): Promise<void> {
    return Promise.resolve();
  }
  async publish(_: number, events: readonly PublishedEvent[]): Promise<void> {
    this.calls++;
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    try {
      await this.gate;
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      this.records.push(
        ...events.map(({ seq, bytes }) => ({ seq, text: Buffer.from(bytes).toString('utf8') })),
      );
      await Promise.resolve();
    } finally {
      this.inFlight--;
    }
  }
  check(): Promise<void> {
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }

  get seqs(): number[] {
    return this.records.map(({ seq }) => seq);
  }
}

/** Knows one key; the real one is ChainEventVerifier. */
const GENUINE: Pick<EventVerifier, 'verify'> = {
  verify: async (events) =>
    await Promise.resolve(
      events.every(({ event }) => event.signerKid === 'key-1') ? null : 'its key is not known',
    ),
};

describe('the outbox relay', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let writing: DataSource;
  let reading: DataSource;
  let store: EventStore;
  let log: EventLog;
  let stream: RecordingStream;
  let relays: RunningOutboxRelay[];

  beforeEach(async () => {
    const { runtimeRole, workerRole } = postgres();
    const chain = { origin: ORIGIN, shards: 1 };
    database = await postgres().createDatabase(migratedBy(migrate, { ...chain, runtimeRole, workerRole }));
    writing = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    reading = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 4 });
    const { privateKey } = generateKeyPairSync('ed25519');
    store = new EventStore({
      dataSource: writing,
      origin: ORIGIN,
      shards: 1,
      signer: {
        activeKid: () => 'key-1',
        sign: (_, inputs) =>
          Promise.resolve(inputs.map((input) => sign(null, input, privateKey).toString('base64'))),
      },
    });
    log = new EventLog({ dataSource: reading, shards: 1 });
    stream = new RecordingStream();
    relays = [];
  });
  afterEach(async () => {
    await Promise.all(relays.map((relay) => relay.close()));
    await log.close();
    await store.close();
    await Promise.all([writing.destroy(), reading.destroy()]);
    await database.drop();
  });

  async function append(count: number): Promise<void> {
    await store.append({
      actor: { id: 'service-1', kind: 'service', roles: ['Operator'] },
      writes: [
        {
          stream: 'thing/1',
          expectedVersion: 'any',
          events: Array.from({ length: count }, (_, n) => ({ type: 'thing.changed', payload: { n } })),
        },
      ],
    });
  }

  async function asSuperuser<R extends object>(...statements: string[]): Promise<R[]> {
    const client = new Client({ connectionString: database.superuserUrl });
    await client.connect();
    try {
      let rows: R[] = [];
      for (const statement of statements) rows = (await client.query<R>(statement)).rows;
      return rows;
    } finally {
      await client.end();
    }
  }

  async function cursor(): Promise<{ seq: string; epoch: string } | undefined> {
    const [row] = await asSuperuser<{ seq: string; epoch: string }>(
      'SELECT seq, epoch FROM kernel.relay_cursors',
    );
    return row;
  }

  async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** One term without an election, which the test ends. */
  function term(epoch: number, { publisher = stream }: { publisher?: AuditStreamPublisher } = {}) {
    const over = new AbortController();
    const retries: string[] = [];
    const done = relayShard(
      0,
      { name: 'outbox-relay/0', epoch, signal: over.signal, holds: () => !over.signal.aborted },
      {
        origin: ORIGIN,
        log,
        database: new Database(reading, 4_000),
        publisher,
        verifier: GENUINE,
        observer: {
          onPublished: () => undefined,
          onRetry: (_, what, { message }) => retries.push(`${what}: ${message}`),
        },
      },
    );
    done.catch(() => undefined);
    return { done, retries, end: () => over.abort() };
  }

  async function start(leaseMs = 60_000): Promise<RunningOutboxRelay & { stream: RecordingStream }> {
    const publisher = new RecordingStream();
    const relay = await startOutboxRelay({
      origin: ORIGIN,
      shards: 1,
      databaseUrl: database.workerUrl,
      dataSource: reading,
      publisher,
      verifier: GENUINE,
      leaseMs,
      logger: createLogger({ app: 'relay', level: 'silent' }),
      management: { host: '127.0.0.1', port: 0 },
      registry: new Registry(),
    });
    relays.push(relay);
    return Object.assign(relay, { stream: publisher });
  }

  async function get(relay: RunningOutboxRelay, path: string): Promise<{ status: number; text: string }> {
    const answer = await fetch(`http://127.0.0.1:${relay.managementPort}${path}`);
    return { status: answer.status, text: await answer.text() };
  }

  it('publishes what is there and what comes, in order, one batch at a time, as the bytes that were stored', async () => {
    await append(700);
    const running = term(1);
    await until(() => stream.records.length === 700, 'the backlog');
    await append(3);
    await until(() => stream.records.length === 703, 'what came');
    await until(async () => (await cursor())?.seq === '703', 'the cursor');
    running.end();
    await running.done;
    expect(stream.seqs).toEqual(Array.from({ length: 703 }, (_, i) => i + 1));
    expect(stream.mostInFlight).toBe(1);
    const stored = await asSuperuser<{ text: string }>(
      `SELECT convert_from(canonical, 'UTF8') AS text FROM kernel.events ORDER BY seq`,
    );
    expect(stream.records.map(({ text }) => text)).toEqual(stored.map(({ text }) => text));
  });

  it('moves the cursor after the acknowledgement, and tells who listens', async () => {
    const listener = new Client({ connectionString: database.workerUrl });
    await listener.connect();
    const told: string[] = [];
    listener.on('notification', ({ channel, payload }) => told.push(`${channel} ${payload}`));
    await listener.query('LISTEN kernel_stream');
    let open: () => void = () => undefined;
    stream.gate = new Promise((resolve) => (open = resolve));
    await append(2);
    const running = term(1);
    await until(() => stream.inFlight === 1, 'the batch in flight');
    expect(await cursor()).toEqual({ seq: '0', epoch: '1' });
    expect(told).toEqual([]);
    open();
    await until(() => told.length === 1, 'the notification');
    expect(told).toEqual(['kernel_stream 0']);
    expect(await cursor()).toEqual({ seq: '2', epoch: '1' });
    running.end();
    await running.done;
    await listener.end();
  });

  it('waits for a stream that is away, while writes go on, and loses and reorders nothing', async () => {
    stream.failures.push(
      ...[1, 2, 3].map(() => new AuditStreamError('stream_unavailable', 'no broker answers')),
    );
    await append(1);
    const running = term(1);
    await until(() => stream.calls > 1, 'a failed attempt');
    await append(4);
    await until(async () => (await cursor())?.seq === '5', 'the backlog');
    running.end();
    await running.done;
    expect(stream.seqs).toEqual([1, 2, 3, 4, 5]);
    expect(running.retries).toEqual(Array(3).fill('publish: no broker answers'));
  });

  it('repeats after a crash what was not acknowledged, and nothing else', async () => {
    await append(3);
    const first = term(1);
    await until(async () => (await cursor())?.seq === '3', 'the first three');
    first.end();
    await first.done;
    await append(2);
    // The stream took the next ones, and the relay died before it knew.
    stream.records.push({ seq: 4, text: '' }, { seq: 5, text: '' });
    const second = term(2);
    await until(async () => (await cursor())?.seq === '5', 'the rest');
    second.end();
    await second.done;
    expect(stream.seqs).toEqual([1, 2, 3, 4, 5, 4, 5]);
  });

  it('cannot move the cursor when it wakes from a freeze in which another was elected', async () => {
    await append(2);
    let wake: () => void = () => undefined;
    const frozen = new RecordingStream();
    frozen.gate = new Promise((resolve) => (wake = resolve));
    const first = term(1, { publisher: frozen });
    await until(() => frozen.inFlight === 1, 'the batch on its way');
    const second = term(2);
    await until(async () => (await cursor())?.seq === '2', 'the next leader');
    await append(1);
    await until(async () => (await cursor())?.seq === '3', 'its next event');
    // The first still believes in its term.
    wake();
    await first.done;
    expect(await cursor()).toEqual({ seq: '3', epoch: '2' });
    // What it published late is what was published before.
    expect(frozen.records).toEqual(stream.records.slice(0, 2));
    await append(1);
    await until(async () => (await cursor())?.seq === '4', 'the leader goes on');
    second.end();
    await second.done;
    expect(stream.seqs).toEqual([1, 2, 3, 4]);
    const late = term(1);
    await late.done;
    expect(await cursor()).toEqual({ seq: '4', epoch: '2' });
  });

  it.each([
    [
      'gap',
      'a missing event',
      ['ALTER TABLE kernel.events DISABLE TRIGGER USER', 'DELETE FROM kernel.events WHERE seq = 2'],
      /After event 1 of shard 0 the store gives out event 3/,
    ],
    [
      'link',
      'an event that does not continue the one before',
      [
        'ALTER TABLE kernel.events DISABLE TRIGGER USER',
        `UPDATE kernel.events SET canonical = convert_to(regexp_replace(convert_from(canonical, 'UTF8'),
           '"prevHash":"[0-9a-f]{8}', '"prevHash":"00000000'), 'UTF8') WHERE seq = 3`,
      ],
      /Event 3 of shard 0 .* continues 00000000/,
    ],
    [
      'integrity',
      'a row that is no event of this kernel',
      [
        'ALTER TABLE kernel.events DISABLE TRIGGER USER',
        `UPDATE kernel.events SET canonical = convert_to(replace(convert_from(canonical, 'UTF8'),
           '"signerKid":"key-1"', '"signerKid":"key-2"'), 'UTF8') WHERE seq = 2`,
      ],
      /after event 0 the store holds a row that is no event of this kernel/,
    ],
    [
      'fork',
      'another event where one was published',
      [`INSERT INTO kernel.relay_cursors VALUES (0, 2, decode(repeat('ab', 32), 'hex'), 1, NULL, now())`],
      /Event 2 of shard 0 was published with the hash abab.*but the store has/,
    ],
    [
      'fork',
      'no event where one was published',
      [`INSERT INTO kernel.relay_cursors VALUES (0, 9, decode(repeat('ab', 32), 'hex'), 1, NULL, now())`],
      /Event 9 of shard 0 was published .* but the store has no such event/,
    ],
  ])('stops at a %s: %s', async (kind, _, tampering, message) => {
    await append(4);
    await asSuperuser(...tampering);
    const before = await cursor();
    const { done } = term(1);
    await expect(done).rejects.toMatchObject({
      name: 'RelayFault',
      kind,
      message: expect.stringMatching(message),
    });
    expect(stream.records).toEqual([]);
    expect((await cursor())?.seq).toBe(before?.seq ?? '0');
  });

  it('runs in two processes of which one publishes, until it stops', async () => {
    const first = await start();
    await until(async () => (await get(first, '/ready')).text.includes('leads in epoch 1'), 'a leader');
    const second = await start();
    await append(5);
    await until(async () => (await cursor())?.seq === '5', 'the first five');
    expect((await get(second, '/ready')).text).toContain('stands by');
    await first.close();
    await append(5);
    await until(async () => (await cursor())?.seq === '10', 'the next five');
    expect(first.stream.seqs).toEqual([1, 2, 3, 4, 5]);
    expect(second.stream.seqs).toEqual([6, 7, 8, 9, 10]);
    const { text } = await get(second, '/metrics');
    expect(text).toContain('kernel_relay_leader{shard="0"} 1');
    expect(text).toContain('kernel_relay_epoch{shard="0"} 2');
    expect(text).toContain('kernel_relay_published_events_total{shard="0"} 5');
    expect(text).toContain('kernel_pipeline_lag_events{stage="relay",shard="0"} 0');
    expect(text).toContain('kernel_pipeline_end_to_end_seconds_count{stage="relay"} 5');
  });

  it('shows a backlog in events and seconds, and a fault on /ready', async () => {
    await append(4);
    await asSuperuser(
      `INSERT INTO kernel.relay_cursors VALUES (0, 1, decode(repeat('ab', 32), 'hex'), 1, NULL, now())`,
    );
    const relay = await start();
    await until(async () => (await get(relay, '/ready')).status === 503, 'red');
    expect((await get(relay, '/ready')).text).toContain('was published with the hash abab');
    const { text } = await get(relay, '/metrics');
    expect(text).toContain('kernel_pipeline_lag_events{stage="relay",shard="0"} 3');
    expect(text).toMatch(/kernel_pipeline_lag_seconds\{stage="relay",shard="0"\} [0-9.]*[1-9]/);
    expect(text).toContain('audit_integrity_failures_total{shard="0",kind="fork"} 1');
    expect((await get(relay, '/health')).status).toBe(200);
  });
});
