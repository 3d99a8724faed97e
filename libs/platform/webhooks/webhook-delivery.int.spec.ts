import { migrate, openEventStoreDataSource, RowKey } from '#platform/event-store';
import { Database, type DataSource } from '#platform/postgres';
import { TestCa, type TestDatabase, WebhookReceiver, withPostgres } from '#dev/testing';
import { WebhookDelivery } from './webhook-delivery';
import { WebhookSecrets, type WebhookEndpoint } from './webhook-endpoint';
import { type NewDelivery, WebhookOutbox } from './webhook-outbox';

const TIMEOUT_MS = 400;
const SCHEDULE = { firstMs: 40, factor: 1, mostMs: 40, attempts: 5 };

const postgres = withPostgres();

describe('the delivery of webhooks', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let outbox: WebhookOutbox;
  const faults: string[] = [];
  let receiver: WebhookReceiver;
  const running: { stop(): Promise<void> }[] = [];
  let seq = 0;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    const { runtimeRole } = postgres();
    await migrate(database.ownerUrl, { origin: 'kernel.example.com/hooks', shards: 1, runtimeRole });
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    outbox = new WebhookOutbox(
      new Database(dataSource, 5_000),
      RowKey.random('kernel.example.com/hooks'),
      (fault) => faults.push(fault.message),
    );
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });
  beforeEach(async () => {
    await dataSource.query('DELETE FROM kernel.webhook_deliveries');
    receiver = await WebhookReceiver.start();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    await receiver.stop();
  });

  const endpointOf = (name: string, to: WebhookReceiver, ca: string | null = null): WebhookEndpoint => ({
    name,
    url: to.url,
    secrets: WebhookSecrets.parse(to.secret),
    ca,
    types: null,
  });

  /** A process that is the leader until it is stopped. */
  function lead(...endpoints: WebhookEndpoint[]): { stop(): Promise<void>; wake(): void } {
    const stopping = new AbortController();
    const delivery = new WebhookDelivery(outbox, { endpoints, timeoutMs: TIMEOUT_MS, schedule: SCHEDULE });
    const term = { signal: stopping.signal, holds: () => !stopping.signal.aborted };
    const done = delivery.run(term);
    const one = {
      stop: async () => {
        stopping.abort();
        await done;
      },
      wake: () => delivery.wake(),
    };
    running.push(one);
    return one;
  }

  async function queue(id: string, ...endpoints: string[]): Promise<void> {
    const deliveries: NewDelivery[] = endpoints.map((endpoint) => ({
      id,
      endpoint,
      type: 'upgrade.proposed',
      subject: 'upg-1',
      body: JSON.stringify({
        type: 'upgrade.proposed',
        timestamp: '',
        data: { note: 'Zoë "quoted" \u0000 \\' },
      }),
    }));
    const move = { consumer: 'test', from: seq, to: ++seq, epoch: 1 };
    await outbox.commit(move, deliveries, []);
  }

  async function state(id: string, endpoint = 'a') {
    const { deliveries } = await outbox.page({ state: null, cursor: null, limit: 100 });
    const found = deliveries.find((one) => one.id === id && one.endpoint === endpoint);
    if (found === undefined) throw new Error(`there is no ${id}`);
    return found;
  }
  async function until(id: string, wanted: string, endpoint = 'a') {
    for (const end = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const found = await state(id, endpoint);
      if (found.state === wanted) return found;
      if (Date.now() > end) throw new Error(`${id} is ${JSON.stringify(found)}, not ${wanted}`);
    }
  }

  it('signs what it sends, and sends it once', async () => {
    lead(endpointOf('a', receiver));
    await queue('msg_1', 'a');
    const [got] = await receiver.until(({ id }) => id === 'msg_1');
    expect(got).toMatchObject({
      authentic: true,
      body: { type: 'upgrade.proposed', data: { note: 'Zoë "quoted" \u0000 \\' } },
    });
    expect(await until('msg_1', 'delivered')).toMatchObject({
      attempts: 1,
      lastStatus: 204,
      lastError: null,
      dueAt: null,
    });
    expect(receiver.received).toHaveLength(1);
  });

  it('sends nothing that no kernel queued, however the row came there', async () => {
    await queue('msg_genuine', 'a');
    await dataSource.query(
      `INSERT INTO kernel.webhook_deliveries (id, endpoint, type, subject, body, mac)
       SELECT 'msg_forged', endpoint, type, subject, '{"type":"upgrade.applied"}', mac FROM kernel.webhook_deliveries`,
    );
    await dataSource.query(
      `INSERT INTO kernel.webhook_deliveries (id, endpoint, type, subject, body) VALUES ('msg_bare', 'a', 't', 's', '{}')`,
    );
    lead(endpointOf('a', receiver));
    await until('msg_genuine', 'delivered');
    for (const id of ['msg_forged', 'msg_bare']) {
      expect((await until(id, 'dead')).lastError).toContain('was not queued by this kernel');
      expect(faults.join()).toContain(id);
    }
    expect(receiver.received.map(({ id }) => id)).toEqual(['msg_genuine']);
  });

  it('tries again while the receiver fails, hangs, redirects or is away, under the same id', async () => {
    const elsewhere = await WebhookReceiver.start();
    try {
      lead(endpointOf('a', receiver));
      receiver.mood = { status: 500 };
      await queue('msg_2', 'a');
      await receiver.until(({ id }) => id === 'msg_2');
      expect(await state('msg_2')).toMatchObject({ state: 'pending' });
      receiver.mood = { status: 302, headers: { location: elsewhere.url } };
      await receiver.until(({ id }) => id === 'msg_2', receiver.received.length + 1);
      receiver.mood = 'drop';
      await receiver.until(({ id }) => id === 'msg_2', receiver.received.length + 1);
      receiver.mood = { status: 200 };
      await until('msg_2', 'delivered');
      expect(receiver.received.every(({ authentic, id }) => authentic && id === 'msg_2')).toBe(true);
      expect(elsewhere.received).toEqual([]);
    } finally {
      await elsewhere.stop();
    }
  });

  it('gives up after the last attempt, and delivers it when told to', async () => {
    const leader = lead(endpointOf('a', receiver));
    await receiver.stop();
    await queue('msg_3', 'a');
    expect(await until('msg_3', 'dead')).toMatchObject({
      attempts: SCHEDULE.attempts,
      lastStatus: null,
      lastError: expect.stringContaining('ECONNREFUSED'),
    });
    await receiver.listen();
    expect(await outbox.undelivered('msg_3', null)).toEqual(['a']);
    expect(await outbox.undelivered('msg_3', 'b')).toEqual([]);
    await outbox.revive('msg_3', null);
    leader.wake();
    expect(await until('msg_3', 'delivered')).toMatchObject({ attempts: 1 });
    await outbox.revive('msg_3', null);
    expect(await state('msg_3')).toMatchObject({ state: 'delivered' });
  });

  it('does not insist where the receiver wants no more of it', async () => {
    lead(endpointOf('a', receiver));
    receiver.mood = { status: 410 };
    await queue('msg_4', 'a');
    expect(await until('msg_4', 'dead')).toMatchObject({ attempts: 1, lastStatus: 410 });
  });

  it('waits as long as the receiver asks for', async () => {
    const leader = lead(endpointOf('a', receiver));
    receiver.mood = { status: 429, headers: { 'retry-after': '1' } };
    await queue('msg_5', 'a');
    await receiver.until(({ id }) => id === 'msg_5');
    receiver.mood = { status: 200 };
    await until('msg_5', 'delivered');
    // No longer than the schedule's longest wait, here 40 ms.
    expect(receiver.received).toHaveLength(2);
    await leader.stop();
  });

  it('lets no receiver that hangs hold up another one', async () => {
    const quick = await WebhookReceiver.start();
    try {
      receiver.mood = 'hang';
      lead(endpointOf('a', receiver), endpointOf('b', quick));
      for (let n = 0; n < 8; n++) await queue(`msg_6${n}`, 'a', 'b');
      const started = Date.now();
      await quick.until(() => true, 8);
      expect(Date.now() - started).toBeLessThan(TIMEOUT_MS * 2);
      expect(await until('msg_60', 'dead')).toMatchObject({ lastError: `no answer within ${TIMEOUT_MS} ms` });
    } finally {
      await quick.stop();
    }
  });

  it('sends again what was under way when its process ended', async () => {
    receiver.mood = 'hang';
    const first = lead(endpointOf('a', receiver));
    await queue('msg_7', 'a');
    await receiver.until(({ id }) => id === 'msg_7');
    await first.stop();
    expect(await state('msg_7')).toMatchObject({ state: 'pending', attempts: 0 });
    receiver.mood = { status: 204 };
    lead(endpointOf('a', receiver));
    await until('msg_7', 'delivered');
  });

  it('speaks TLS, and only with whom it trusts', async () => {
    const ca = await TestCa.create();
    const { cert, key } = await ca.issue({
      subject: [{ CN: ['127.0.0.1'] }],
      names: [{ type: 'ip', value: '127.0.0.1' }],
      usage: 'server',
    });
    const secure = await WebhookReceiver.start({ cert, key });
    try {
      lead(endpointOf('trusted', secure, ca.cert), endpointOf('stranger', secure));
      await queue('msg_8', 'trusted', 'stranger');
      await until('msg_8', 'delivered', 'trusted');
      expect(await until('msg_8', 'dead', 'stranger')).toMatchObject({ lastStatus: null });
      expect(secure.received).toHaveLength(1);
    } finally {
      await secure.stop();
    }
  });

  it('gives up what goes to an endpoint that is not configured any more', async () => {
    await queue('msg_9', 'former');
    lead(endpointOf('a', receiver));
    expect(await until('msg_9', 'dead', 'former')).toMatchObject({ attempts: 0 });
  });

  it('moves a position once, and never for a leader of the past', async () => {
    const one: NewDelivery = { id: 'msg_10', endpoint: 'a', type: 't', subject: 's', body: '{}' };
    await outbox.commit({ consumer: 'fenced', from: 0, to: 5, epoch: 3 }, [one], []);
    const again = { ...one, id: 'msg_11' };
    for (const move of [
      { from: 0, to: 5, epoch: 3 },
      { from: 5, to: 6, epoch: 2 },
    ]) {
      await expect(outbox.commit({ consumer: 'fenced', ...move }, [again], [])).rejects.toMatchObject({
        code: 'overtaken',
      });
    }
    expect(await outbox.undelivered('msg_11', null)).toEqual([]);
    await outbox.commit({ consumer: 'fenced', from: 5, to: 7, epoch: 4 }, [one], []);
    expect(await outbox.position('fenced')).toBe(7);
    const { deliveries } = await outbox.page({ state: null, cursor: null, limit: 10 });
    expect(deliveries.filter(({ id }) => id === 'msg_10')).toHaveLength(1);
  });

  it('forgets what was settled long ago, and nothing else', async () => {
    for (const n of [12, 13, 14, 15]) await queue(`msg_${n}`, 'z');
    await dataSource.query(
      `UPDATE kernel.webhook_deliveries d SET state = v.state, settled_at = clock_timestamp() - v.age::interval
       FROM (VALUES ('msg_12', 'delivered', '8 days'), ('msg_13', 'dead', '8 days'), ('msg_14', 'dead', '91 days'))
         AS v(id, state, age) WHERE d.id = v.id`,
    );
    await outbox.prune();
    const left = await outbox.page({ state: null, cursor: null, limit: 2 });
    expect(left.deliveries.map(({ id }) => id)).toEqual(['msg_15', 'msg_13']);
    expect(left.nextCursor).toBeNull();
    const first = await outbox.page({ state: null, cursor: null, limit: 1 });
    const second = await outbox.page({ state: null, cursor: Number(first.nextCursor), limit: 1 });
    expect(second.deliveries.map(({ id }) => id)).toEqual(['msg_13']);
  });
});
