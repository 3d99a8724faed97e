import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import {
  migratedBy,
  TestCa,
  type TestDatabase,
  TestSigner,
  WebhookReceiver,
  withPostgres,
} from '#dev/testing';
import { type Actor } from '#evidence';
import { AuditIndex, IndexWriter } from '#platform/audit-stream';
import { divisionOf } from '#platform/edge';
import {
  type Asking,
  EventStore,
  migrate,
  openEventStoreDataSource,
  type RowFault,
  RowKey,
} from '#platform/event-store';
import { AddressPolicy } from '#platform/http-client';
import { Database, type DataSource } from '#platform/postgres';
import { Registry } from '#platform/process';
import { RetryList } from '#platform/webhooks';
import { ChangeWebhook, ChangeWebhookHandler, type WebhookRequest } from '../change-webhook.handler';
import { RedeliverEvents, RedeliverEventsHandler } from '../redeliver-events.handler';
import { SubscriptionReader } from '../subscription.reader';
import { SubscriptionSecrets } from '../subscription-secrets';
import { type WebhooksOptions } from '../webhooks.options';
import { MAX_PENDING } from './delivery-lane';
import { WebhookCourier } from './webhook-courier';
import { WebhookMetrics } from './webhook.metrics';

const ORIGIN = 'kernel.example.com/hooks';
const SHARDS = 2;
const SUPERADMIN: Actor = { id: 'root', kind: 'service', roles: ['SuperAdmin'] };
const ASKING = { actor: SUPERADMIN, correlationId: null, idempotency: null };

interface Subscribed {
  id: string;
  signingSecret: string;
  position: string;
}

describe('the delivery of events to webhooks', () => {
  const postgres = withPostgres();
  const rowKey = RowKey.random(ORIGIN);
  const faults: RowFault[] = [];
  const receivers: WebhookReceiver[] = [];
  const running: { stop(): Promise<void> }[] = [];
  let ca: TestCa;
  let tls: { cert: string; key: string };
  let database: TestDatabase;
  let runtime: DataSource;
  let worker: DataSource;
  let store: EventStore;
  let index: AuditIndex;
  let writer: IndexWriter;
  let retries: RetryList;
  let epoch: number;

  beforeAll(async () => {
    ca = await TestCa.create();
    tls = await ca.issue({
      subject: [{ CN: ['127.0.0.1'] }],
      names: [{ type: 'ip', value: '127.0.0.1' }],
      usage: 'server',
    });
  });
  beforeEach(async () => {
    const { runtimeRole, workerRole } = postgres();
    database = await postgres().createDatabase(
      migratedBy(migrate, { origin: ORIGIN, shards: SHARDS, runtimeRole, workerRole }),
    );
    runtime = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 6 });
    worker = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 2 });
    const signer = new TestSigner('audit-1');
    store = new EventStore({
      dataSource: runtime,
      origin: ORIGIN,
      shards: SHARDS,
      rowKey,
      signer: {
        activeKid: () => signer.kid,
        sign: async (_kid, inputs) => inputs.map((input) => signer.sign(input)),
      },
    });
    index = new AuditIndex({ dataSource: runtime, shards: SHARDS });
    writer = new IndexWriter({ dataSource: worker, origin: ORIGIN, divisionOf });
    retries = new RetryList(new Database(runtime, 5_000), rowKey, (fault) => faults.push(fault));
    epoch = 1;
    faults.length = 0;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    await Promise.all(receivers.splice(0).map((one) => one.stop()));
    await store.close();
    await runtime.destroy();
    await worker.destroy();
    await database.drop();
  });

  async function receiver(): Promise<WebhookReceiver> {
    const one = await WebhookReceiver.start(tls);
    receivers.push(one);
    return one;
  }

  /** A kernel process, its handlers and its courier. */
  function kernel(options: Partial<WebhooksOptions> = {}, modes = { current: { mode: 'normal' } }) {
    const reader = new SubscriptionReader(store);
    const secrets = new SubscriptionSecrets(rowKey);
    const whole: WebhooksOptions = {
      origin: ORIGIN,
      now: () => new Date(),
      addresses: new AddressPolicy(['127.0.0.0/8']),
      ca: () => ca.cert,
      timeoutMs: 2_000,
      schedule: { firstMs: 30, factor: 1, mostMs: 30, attempts: 3 },
      ...options,
    };
    const courier = new WebhookCourier(
      index,
      store,
      secrets,
      whole,
      modes as never,
      retries,
      reader,
      new WebhookMetrics(new Registry()),
    );
    const changing = new ChangeWebhookHandler(store, reader, secrets, whole);
    const redelivering = new RedeliverEventsHandler(store, reader, retries, courier);
    const ask = (request: WebhookRequest, idempotency: Asking['idempotency'] = null) =>
      changing.execute(new ChangeWebhook(request, { ...ASKING, idempotency }));
    const change = async (request: WebhookRequest): Promise<Subscribed> => {
      const { body } = await ask(request);
      return JSON.parse(Buffer.from(body).toString()) as Subscribed;
    };
    let looked = 0;
    return {
      ask,
      /** A change of before counts: a whole look came after it. */
      async seen(): Promise<void> {
        const before = looked;
        for (const end = Date.now() + 10_000; looked < before + 2; await delay(5)) {
          if (Date.now() > end) throw new Error('nobody looks at the subscriptions');
        }
      },
      change,
      subscribe: (to: WebhookReceiver, filter = {}) => change({ kind: 'subscribe', url: to.url, filter }),
      redeliver: (id: string, eventIds: string[] | null) =>
        redelivering.execute(new RedeliverEvents(id, eventIds, ASKING)),
      /** Leads from now on. */
      lead() {
        const stopping = new AbortController();
        const term = { signal: stopping.signal, epoch: epoch++ };
        const looks = (async () => {
          while (!stopping.signal.aborted) {
            await courier.look(term);
            looked++;
            await delay(20);
          }
          await courier.end();
        })();
        const one = {
          stop: async () => {
            stopping.abort();
            await looks;
          },
        };
        running.push(one);
        return one;
      },
    };
  }

  /** Appends an event and has it indexed. */
  async function happen(type: string, stream: string, payload = {}): Promise<string> {
    const { events } = (await store.append({
      actor: { id: 'service', kind: 'service', roles: ['Operator'] },
      writes: [{ stream, expectedVersion: 'any', events: [{ type, payload }] }],
    })) as { events: { event: { id: string } }[] };
    await catchUp();
    return events[0]!.event.id;
  }
  async function catchUp(): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) {
      const { seq } = await writer.position(shard);
      const found = await store.read(shard, { afterSeq: seq, limit: 1_000 });
      await writer.apply(
        shard,
        found.map(({ event, bytes }) => ({ event, bytes, nextCursor: String(event.seq) })),
      );
    }
  }
  async function until(id: string, state: 'pending' | 'dead', count: number): Promise<void> {
    for (const end = Date.now() + 10_000; ; await delay(20)) {
      const { deliveries } = await retries.page(id, { state, cursor: null, limit: 100 });
      if (deliveries.length === count) return;
      if (Date.now() > end) throw new Error(`${deliveries.length} of ${count} are ${state}`);
    }
  }
  /** Received, and the place behind it noted: until then a lane that ends leaves it to be sent again. */
  async function delivered(to: WebhookReceiver, subscription: string, eventId: string): Promise<void> {
    await to.until(({ id }) => id === eventId);
    const { shard, seq } = (await store.getById(eventId))!.event;
    for (const end = Date.now() + 10_000; ; await delay(20)) {
      const places = await retries.places(subscription);
      if ((places?.[shard] ?? 0) >= seq) return;
      if (Date.now() > end) throw new Error(`${shard}:${seq} is not noted, but ${String(places)}`);
    }
  }
  const ids = (of: WebhookReceiver): string[] => of.received.map(({ id }) => id);

  it('sends what fits, from the subscription on, signed and as CloudEvents', async () => {
    const before = await happen('invoice.paid', 'invoice/1');
    const one = kernel();
    const [paid, all] = [await receiver(), await receiver()];
    const subscribed = await one.subscribe(paid, {
      types: ['invoice.paid', 'invoice.sent'],
      subject: 'invoice/',
    });
    await one.subscribe(all);
    one.lead();
    const wanted = [
      await happen('invoice.paid', 'invoice/2', { amount: 125 }),
      await happen('invoice.sent', 'invoice/3'),
    ];
    await happen('invoice.paid', 'order/4');
    await happen('invoice.voided', 'invoice/2');
    await all.until(({ type }) => type === 'invoice.voided');
    await paid.until(() => true, 2);
    expect(ids(paid).sort()).toEqual(wanted.sort());
    expect(ids(all)).not.toContain(before);
    const verifier = new Webhook(subscribed.signingSecret);
    for (const { id, raw } of paid.received) {
      expect(raw.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
      const stored = await store.getById(id);
      expect(verifier.verify(raw.text, raw.headers)).toMatchObject({
        specversion: '1.0',
        id,
        source: ORIGIN,
        data: JSON.parse(Buffer.from(stored!.bytes).toString()),
      });
      // The event's canonical bytes, which its hash is over.
      expect(raw.text).toContain(`"data":${Buffer.from(stored!.bytes).toString()}}`);
    }
  });

  it('has the secret nowhere but in the answer', async () => {
    const { signingSecret, id } = await kernel().subscribe(await receiver());
    const { signingSecret: next } = await kernel().change({ kind: 'rotate', id, overlapSeconds: 60 });
    const tables = await runtime.query<{ all: string }[]>(
      `SELECT string_agg(e.canonical::text || convert_from(e.canonical, 'UTF8'), ' ') AS all FROM kernel.events e`,
    );
    for (const secret of [signingSecret, next]) {
      const base64 = secret.replace('whsec_', '');
      expect(tables[0]?.all).not.toContain(base64);
      expect(tables[0]?.all).not.toContain(Buffer.from(base64, 'base64').toString('hex'));
    }
  });

  it('shows the secret again to a repetition of the request, and stores none for it', async () => {
    const one = kernel();
    const claim = { caller: 'root', key: 'subscribe-1', requestHash: 'a' };
    const to = await receiver();
    const ask = () => one.ask({ kind: 'subscribe', url: to.url }, claim);
    const [first, again] = [await ask(), await ask()];
    expect(Buffer.from(again.body)).toEqual(Buffer.from(first.body));
    const { id, signingSecret } = JSON.parse(Buffer.from(first.body).toString()) as Subscribed;
    expect(signingSecret).toMatch(/^whsec_/);
    const [row] = await runtime.query<{ body: string }[]>(
      `SELECT convert_from((kernel.stored_answer('root', 'subscribe-1')).body, 'UTF8') AS body`,
    );
    expect(row?.body).toContain(id);
    expect(row?.body).not.toContain('whsec_');
    await one.change({ kind: 'rotate', id, overlapSeconds: 0 });
    expect(JSON.parse(Buffer.from((await ask()).body).toString())).toMatchObject({ id, signingSecret: null });
  });

  it('tries again, gives up, and sends again when it is asked to; others wait for nobody', async () => {
    const one = kernel();
    const [bad, good] = [await receiver(), await receiver()];
    const { id } = await one.subscribe(bad, { subject: 'invoice/' });
    await one.subscribe(good);
    bad.mood = { status: 500 };
    one.lead();
    const event = await happen('invoice.paid', 'invoice/1');
    await good.until((webhook) => webhook.id === event);
    await until(id, 'dead', 1);
    expect(bad.received.filter((webhook) => webhook.id === event)).toHaveLength(3);
    bad.mood = { status: 204 };
    await one.redeliver(id, null);
    await until(id, 'dead', 0);
    await until(id, 'pending', 0);
    expect(bad.received.filter((webhook) => webhook.id === event)).toHaveLength(4);
    // What was delivered, too.
    await one.redeliver(id, [event]);
    await bad.until((webhook) => webhook.id === event, 5);
    await expect(one.redeliver(id, [crypto.randomUUID()])).rejects.toMatchObject({
      code: 'event_not_for_webhook',
    });
  });

  it('goes on where it was, with another leader, when it is resumed, and with another filter', async () => {
    const one = kernel();
    const to = await receiver();
    const { id } = await one.subscribe(to, { subject: 'invoice/' });
    const first = one.lead();
    const sent: string[] = [];
    const sends = async (type: string, stream: string) => {
      sent.push(await happen(type, stream));
      await delivered(to, id, sent.at(-1)!);
    };
    await sends('invoice.paid', 'invoice/1');
    await first.stop();
    const other = kernel();
    other.lead();
    await sends('invoice.paid', 'invoice/2');
    await other.change({ kind: 'change', id, status: 'paused' });
    await other.seen();
    sent.push(await happen('invoice.paid', 'invoice/3'));
    await delay(200);
    expect(ids(to)).toHaveLength(2);
    await other.change({ kind: 'change', id, status: 'active' });
    await delivered(to, id, sent.at(-1)!);
    await other.change({ kind: 'change', id, filter: { subject: 'order/' } });
    await other.seen();
    await happen('invoice.paid', 'invoice/4');
    await sends('order.placed', 'order/1');
    expect(ids(to)).toEqual(sent);
    await other.change({ kind: 'unsubscribe', id });
    await other.seen();
    await happen('order.placed', 'order/2');
    await delay(300);
    expect(ids(to)).toEqual(sent);
  });

  it('leaves events in the chain while too many wait for a receiver, and goes on after that', async () => {
    const one = kernel();
    const [full, other] = [await receiver(), await receiver()];
    const { id } = await one.subscribe(full, { subject: 'invoice/' });
    await one.subscribe(other, { subject: 'invoice/' });
    await runtime.query(
      `INSERT INTO kernel.webhook_retries (subscription, event_id, type, due_at)
       SELECT $1, gen_random_uuid(), 'invoice.paid', now() + interval '1 day' FROM generate_series(1, $2::integer)`,
      [id, MAX_PENDING],
    );
    one.lead();
    const event = await happen('invoice.paid', 'invoice/1');
    await other.until((webhook) => webhook.id === event);
    await delay(700);
    expect(full.received).toEqual([]);
    expect(await retries.pending(id)).toBe(MAX_PENDING);
    await runtime.query('DELETE FROM kernel.webhook_retries WHERE subscription = $1', [id]);
    await full.until((webhook) => webhook.id === event);
  });

  it('lets a receiver that refuses everything rest', async () => {
    const one = kernel({ schedule: { firstMs: 60_000, factor: 1, mostMs: 60_000, attempts: 3 } });
    const to = await receiver();
    const { id } = await one.subscribe(to, { subject: 'invoice/' });
    to.mood = { status: 503 };
    one.lead();
    const first = await happen('invoice.paid', 'invoice/1');
    await until(id, 'pending', 1);
    const second = await happen('invoice.paid', 'invoice/2');
    await to.until((webhook) => webhook.id === second);
    const at = (event: string) => to.received.find((webhook) => webhook.id === event)?.at ?? 0;
    // At least half of the first pause.
    expect(at(second) - at(first)).toBeGreaterThanOrEqual(450);
  });

  it('follows no redirect', async () => {
    const one = kernel();
    const [from, to] = [await receiver(), await receiver()];
    from.mood = { status: 307, headers: { location: to.url } };
    const { id } = await one.subscribe(from, { subject: 'invoice/' });
    one.lead();
    await happen('invoice.paid', 'invoice/1');
    await until(id, 'dead', 1);
    expect(to.received).toEqual([]);
    const { deliveries } = await retries.page(id, { state: 'dead', cursor: null, limit: 1 });
    expect(deliveries[0]).toMatchObject({ lastStatus: 307, lastError: expect.stringContaining('redirects') });
  });

  it('refuses an address inside, when it is subscribed and at each connection', async () => {
    const to = await receiver();
    await expect(kernel({ addresses: new AddressPolicy([]) }).subscribe(to)).rejects.toMatchObject({
      code: 'invalid_target',
      details: { pointer: '/url' },
    });
    // Allowed when it was subscribed, and not any more.
    const { id } = await kernel().subscribe(to, { subject: 'invoice/' });
    kernel({ addresses: new AddressPolicy([]) }).lead();
    await happen('invoice.paid', 'invoice/1');
    await until(id, 'dead', 1);
    expect(to.received).toEqual([]);
    const { deliveries } = await retries.page(id, { state: 'dead', cursor: null, limit: 1 });
    expect(deliveries[0]?.lastError).toContain('address_refused');
  });

  it('trusts the authorities that are in force when it sends', async () => {
    let trusted = (await TestCa.create()).cert;
    const one = kernel({
      ca: () => trusted,
      schedule: { firstMs: 30, factor: 1, mostMs: 30, attempts: 1_000 },
    });
    const to = await receiver();
    const { id } = await one.subscribe(to, { subject: 'invoice/' });
    one.lead();
    const first = await happen('invoice.paid', 'invoice/1');
    await until(id, 'pending', 1);
    const { deliveries } = await retries.page(id, { state: null, cursor: null, limit: 1 });
    expect(deliveries[0]?.lastError).toMatch(/certificate/);
    trusted = ca.cert;
    await to.until((webhook) => webhook.id === first);
    await until(id, 'pending', 0);
    // Kept connections of an authority that is no longer trusted are not used either.
    trusted = (await TestCa.create()).cert;
    for (let n = 2; (await retries.pending(id)) === 0; n++) {
      expect(n).toBeLessThan(200);
      await happen('invoice.paid', `invoice/${n}`);
    }
  });

  it('finds events of several types among many others, each once', async () => {
    const to = await receiver();
    const one = kernel();
    const types = ['invoice.paid', 'invoice.sent', 'invoice.never'];
    await one.subscribe(to, { types });
    const wanted: string[] = [];
    for (let n = 0; n < 40; n++) {
      const id = await happen(n % 2 === 0 ? 'invoice.paid' : 'invoice.sent', `invoice/${n % 7}`);
      wanted.push(id);
      await happen('invoice.seen', `invoice/${n % 7}`);
    }
    one.lead();
    await to.until(() => true, wanted.length);
    expect(ids(to).sort()).toEqual(wanted.sort());
  });

  it('goes on where it was when its row is forged while it leads, and repeats nothing without end', async () => {
    const one = kernel();
    const to = await receiver();
    const { id } = await one.subscribe(to, { subject: 'invoice/' });
    one.lead();
    const first = await happen('invoice.paid', 'invoice/1');
    await delivered(to, id, first);
    await runtime.query(
      `UPDATE kernel.webhook_places SET places = '[999,999]', epoch = 1000000 WHERE subscription = $1`,
      [id],
    );
    const events = [await happen('invoice.paid', 'invoice/2'), await happen('invoice.paid', 'invoice/3')];
    for (const event of events) await to.until((webhook) => webhook.id === event);
    const forged = () => runtime.query<unknown[]>('SELECT FROM kernel.webhook_places WHERE epoch = 1000000');
    for (const end = Date.now() + 10_000; (await forged()).length > 0; await delay(20)) {
      expect(Date.now()).toBeLessThan(end);
    }
    const sent = await happen('invoice.paid', 'invoice/4');
    await to.until((webhook) => webhook.id === sent);
    expect(faults).toEqual([expect.objectContaining({ where: 'webhook' })]);
    // Sent before the forged row was met: twice at most. What came before it: once.
    const times = (event: string) => ids(to).filter((other) => other === event).length;
    expect(times(first)).toBe(1);
    for (const event of events) expect(times(event)).toBeLessThanOrEqual(2);
    expect(times(sent)).toBe(1);
  });

  it('rests in safe mode, and goes on in the others', async () => {
    const modes = { current: { mode: 'safe-mode' } };
    const one = kernel({}, modes);
    const to = await receiver();
    await one.subscribe(to, { subject: 'invoice/' });
    one.lead();
    const events = [await happen('invoice.paid', 'invoice/1')];
    await delay(700);
    expect(to.received).toEqual([]);
    for (const mode of ['read-only', 'normal']) {
      modes.current = { mode };
      await to.until(() => true, events.length);
      events.push(await happen('invoice.paid', `invoice/${mode}`));
    }
    await to.until(() => true, events.length);
    expect(ids(to)).toEqual(events);
  });

  it('ends a delivery under way when its webhook is removed, and leaves nothing of it', async () => {
    const one = kernel({ timeoutMs: 60_000 });
    const [hanging, other] = [await receiver(), await receiver()];
    const { id } = await one.subscribe(hanging, { subject: 'invoice/' });
    await one.subscribe(other, { subject: 'invoice/' });
    hanging.mood = 'hang';
    one.lead();
    await happen('invoice.paid', 'invoice/1');
    await hanging.until(() => true, 1);
    await one.change({ kind: 'unsubscribe', id });
    // Ended, not waited for: the next lane begins at the look that ends this one.
    const late = await receiver();
    await one.subscribe(late, { subject: 'invoice/' });
    hanging.mood = { status: 204 };
    const next = await happen('invoice.paid', 'invoice/2');
    for (const to of [other, late]) await to.until((webhook) => webhook.id === next);
    expect(hanging.received).toHaveLength(1);
    const rows = (table: string) =>
      runtime.query<unknown[]>(`SELECT FROM kernel.${table} WHERE subscription = $1`, [id]);
    expect(await rows('webhook_retries')).toEqual([]);
    await retries.prune([]);
    expect(await rows('webhook_places')).toEqual([]);
  });

  it('is given up by a leader that a later one has overtaken while it was frozen', async () => {
    const [frozen, later] = [kernel(), kernel()];
    const to = await receiver();
    const { id } = await frozen.subscribe(to, { subject: 'invoice/' });
    frozen.lead();
    const first = await happen('invoice.paid', 'invoice/1');
    await delivered(to, id, first);
    later.lead();
    const taken = () => runtime.query<unknown[]>('SELECT FROM kernel.webhook_places WHERE epoch = 2');
    for (const end = Date.now() + 10_000; (await taken()).length === 0; await delay(20)) {
      expect(Date.now()).toBeLessThan(end);
    }
    // Either sends it; then the earlier one finds that the place is not its own any more.
    const second = await happen('invoice.paid', 'invoice/2');
    await to.until((webhook) => webhook.id === second, 2);
    const more: string[] = [];
    for (let n = 3; n < 8; n++) {
      more.push(await happen('invoice.paid', `invoice/${n}`));
      await to.until((webhook) => webhook.id === more.at(-1));
    }
    expect(ids(to).filter((event) => more.includes(event))).toEqual(more);
    expect(faults).toEqual([]);
  });

  it('keeps the newest dead letters, and those of no removed webhook', async () => {
    const fill = (subscription: string, count: number) =>
      runtime.query(
        `INSERT INTO kernel.webhook_retries (subscription, event_id, type, state, died_at)
         SELECT $1, gen_random_uuid(), 'invoice.paid', 'dead', now() FROM generate_series(1, $2::integer)`,
        [subscription, count],
      );
    await fill('wh_kept', 12_500);
    await fill('wh_removed', 2_500);
    await retries.prune(['wh_kept']);
    expect(await retries.backlog()).toEqual([{ subscription: 'wh_kept', state: 'dead', count: 10_000 }]);
    const [oldest] = await runtime.query<{ n: string }[]>('SELECT min(n) AS n FROM kernel.webhook_retries');
    expect(oldest?.n).toBe('2501');
  });

  it('is not led astray by rows that a thief of the role writes', async () => {
    const one = kernel();
    const to = await receiver();
    const { id } = await one.subscribe(to, { subject: 'invoice/' });
    const leading = one.lead();
    const sent = await happen('invoice.paid', 'invoice/1');
    await delivered(to, id, sent);
    await leading.stop();
    const hidden = await happen('invoice.paid', 'invoice/2');
    const secret = await happen('order.placed', 'order/1');
    // Events passed over; an event that the filter leaves out; a subscription that is none.
    await runtime.query(
      `UPDATE kernel.webhook_places SET places = '[999,999]', epoch = 1000000 WHERE subscription = $1`,
      [id],
    );
    for (const [subscription, event] of [
      [id, secret],
      ['wh_forged', secret],
    ]) {
      await runtime.query(
        `INSERT INTO kernel.webhook_retries (subscription, event_id, type) VALUES ($1, $2, 'order.placed')`,
        [subscription, event],
      );
    }
    one.lead();
    await to.until((webhook) => webhook.id === hidden);
    await until(id, 'pending', 0);
    expect(faults).toEqual([expect.objectContaining({ where: 'webhook' })]);
    // What was sent before comes again: at least once.
    expect(new Set(ids(to))).toEqual(new Set([sent, hidden]));
  });
});
