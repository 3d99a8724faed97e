import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { EventInspector } from '#evidence';
import { withPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  ACTOR,
  append,
  event,
  keyed,
  migrated,
  openStore,
  type OpenStore,
  type OpenStoreOptions,
  type StoreDatabase,
  until,
  verifyChain,
  write,
} from '../fixtures/store.fixture';
import { type AppendResult } from '../event-store.types';

type Committed = Extract<AppendResult, { replayed: false }>;

function committed(result: AppendResult): Committed {
  if (result.replayed) throw new Error('replayed');
  return result;
}

describe('append', () => {
  const postgres = withPostgres();
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore[];

  beforeEach(async () => {
    database = await migrated(postgres());
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await database.drop();
  });

  async function open(options: OpenStoreOptions = {}): Promise<OpenStore> {
    const store = await openStore(database, options);
    opened.push(store);
    return store;
  }

  it.each([
    ['one signature for all events', 1_024, [[1, 10]]],
    [
      'a signature for so many as are allowed',
      4,
      [
        [1, 4],
        [5, 4],
        [9, 2],
      ],
    ],
    ['a signature for each event', 1, Array.from({ length: 10 }, (_, n) => [n + 1, 1])],
  ])('makes %s of a group, each of which verifies by itself', async (_, maxEventsPerSignature, groups) => {
    const signer = new InProcessSigner();
    const { store } = await open({ signer, limits: { maxEventsPerSignature } });
    const events = Array.from({ length: 10 }, (__, n) => event({ n }));
    const result = committed(await store.append(append(write('order/1', { events }))));
    const made = result.events.map(({ event: { group } }) => group);
    expect([...new Set(made.map(({ first, count }) => `${first} ${count}`))]).toEqual(
      groups.map(([first, count]) => `${first} ${count}`),
    );
    expect(new Set(result.events.map(({ event: { signature } }) => signature)).size).toBe(groups.length);
    const inspector = EventInspector.of({ origin: store.origin, signers: [signer.entry] });
    // In any order, and each one with what is known of no other.
    for (const { bytes } of result.events.toReversed()) {
      expect(inspector.inspect(bytes).faults).toEqual([]);
      expect(
        EventInspector.of({ origin: store.origin, signers: [signer.entry] }).inspect(bytes).faults,
      ).toEqual([]);
    }
    expect(await verifyChain(store, [signer.entry])).toMatchObject({ faults: [], count: 10 });
  });

  it('commits a signed, chained event and gives it back byte for byte', async () => {
    const { store, signer } = await open({ now: () => Date.UTC(2026, 0, 31, 10) });
    const correlationId = randomUUID();
    const request = append(
      write('manifest/m-1', { events: [event({ b: 'ü', a: [1, null] }, 'manifest.signed')] }),
    );
    const result = committed(await store.append({ ...request, correlationId }));
    const [stored] = result.events;
    expect(result.position).toBe('0:1');
    expect(stored?.event).toMatchObject({
      v: 1,
      shard: 0,
      seq: 1,
      ts: '2026-01-31T10:00:00.000Z',
      type: 'manifest.signed',
      stream: 'manifest/m-1',
      streamVersion: 1,
      actor: ACTOR,
      payload: { a: [1, null], b: 'ü' },
      correlationId,
      causationId: null,
      signerKid: 'test-audit-1',
    });
    const found = await store.getById(stored?.event.id ?? '');
    expect(found?.event).toEqual(stored?.event);
    expect(Buffer.from(found?.bytes ?? []).equals(Buffer.from(stored?.bytes ?? []))).toBe(true);
    expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
      faults: [],
      count: 1,
    });
  });

  it('commits all events of a request in order, or none', async () => {
    const { store } = await open();
    const result = committed(
      await store.append(
        append(
          write('order/1', { expectedVersion: 0, events: [event(), event()] }),
          write('order/2'),
          write('order/1', { expectedVersion: 2 }),
        ),
      ),
    );
    expect(
      result.events.map(({ event: { stream, streamVersion, seq } }) => [stream, streamVersion, seq]),
    ).toEqual([
      ['order/1', 1, 1],
      ['order/1', 2, 2],
      ['order/2', 1, 3],
      ['order/1', 3, 4],
    ]);
    await expect(
      store.append(append(write('order/3'), write('order/1', { expectedVersion: 1 }))),
    ).rejects.toMatchObject({
      code: 'version_conflict',
      details: { stream: 'order/1', expected: 1, actual: 3 },
    });
    expect(await store.loadStream('order/3')).toEqual([]);
  });

  it('lets one of many writers have each version of a stream', async () => {
    const { store, signer } = await open();
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, () => store.append(append(write('race/1', { expectedVersion: 0 })))),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.every(({ reason }) => (reason as { code: string }).code === 'version_conflict')).toBe(
      true,
    );
    expect(refused[0]?.reason).toMatchObject({ details: { expected: 0, actual: 1 } });
    expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
      faults: [],
      count: 1,
    });
  });

  it('gives "any" the next version without a gap', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 100 }, () => store.append(append(write('log/1')))));
    const versions = (await store.loadStream('log/1')).map(({ event: { streamVersion } }) => streamVersion);
    expect(versions).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(await store.loadStream('log/1', { fromVersion: 99 })).toHaveLength(2);
  });

  it('never lets time run backwards within a shard', async () => {
    let now = Date.UTC(2026, 5, 1);
    const { store } = await open({ now: () => now });
    await store.append(append());
    now -= 60_000;
    const later = committed(await store.append(append()));
    expect(later.events[0]?.event.ts).toBe('2026-06-01T00:00:00.000Z');
  });

  describe('what is wrong with one request is not the trouble of those beside it', () => {
    it('refuses an event that is too large, a taken id, a conflict, and commits the rest of the group', async () => {
      const { store, signer, refusals } = await open();
      const id = uuidv7();
      await store.append(append(write('seed/1', { events: [{ ...event(), id }] })));
      // Fits as a payload, but not as an event.
      const large = { text: 'x'.repeat(65_500) };
      const results = await Promise.allSettled([
        store.append(append()),
        store.append(append(write('big/1', { events: [event(large)] }))),
        store.append(append(write('again/1', { events: [{ ...event(), id }] }))),
        store.append(append(write('seed/1', { expectedVersion: 7 }))),
        store.append(append()),
      ]);
      expect(results.map(({ status }) => status)).toEqual([
        'fulfilled',
        'rejected',
        'rejected',
        'rejected',
        'fulfilled',
      ]);
      expect(refusals.toSorted()).toEqual(['duplicate_event_id', 'event_too_large', 'version_conflict']);
      expect(results[1]).toMatchObject({ reason: { details: { eventIndex: 0, pointer: '/payload' } } });
      expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
        faults: [],
        count: 3,
      });
    });

    it('refuses two requests that bring the same new id', async () => {
      const { store } = await open();
      const id = uuidv7();
      const results = await Promise.allSettled(
        [1, 2].map((n) => store.append(append(write(`twin/${n}`, { events: [{ ...event(), id }] })))),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(results.find((result) => result.status === 'rejected')?.reason).toMatchObject({
        code: 'duplicate_event_id',
      });
    });

    it('refuses a request whose answer cannot be made, and commits the others', async () => {
      const { store, signer } = await open();
      const spoilt = keyed('spoilt');
      const results = await Promise.allSettled([
        store.append(append()),
        store.append({
          ...spoilt,
          idempotency: {
            ...(spoilt.idempotency as NonNullable<typeof spoilt.idempotency>),
            answer: () => {
              throw new Error('no answer');
            },
          },
        }),
        store.append(append()),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(results[1]).toMatchObject({
        reason: { code: 'invalid_request', cause: { message: 'no answer' } },
      });
      expect(await store.findAnswer('service-1', 'spoilt')).toBeNull();
      expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
        faults: [],
        count: 2,
      });
    });
  });

  describe('bounds', () => {
    it('pushes back when the queue is full, by number and by bytes', async () => {
      let letGo: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      const inner = new InProcessSigner();
      const { store, refusals } = await open({
        signer: {
          activeKid: () => inner.kid,
          sign: (kid, inputs) => gate.then(() => inner.sign(kid, inputs)),
        },
        limits: { maxQueuedRequests: 5, maxQueuedBytes: 4_000, maxGroupsInFlight: 1, signTimeoutMs: 30_000 },
      });
      const first = store.append(append());
      await until(() => store.queueDepth === 0, 'the first group starts');
      const waiting = Array.from({ length: 5 }, () => store.append(append()));
      await expect(store.append(append())).rejects.toMatchObject({
        code: 'queue_full',
        details: { depth: 5 },
      });
      letGo();
      await Promise.all([first, ...waiting]);
      expect(refusals).toEqual(['queue_full']);
    });

    it('pushes back on bytes before the count is reached', async () => {
      let letGo: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (letGo = resolve));
      const inner = new InProcessSigner();
      const { store } = await open({
        signer: {
          activeKid: () => inner.kid,
          sign: (kid, inputs) => gate.then(() => inner.sign(kid, inputs)),
        },
        limits: { maxQueuedBytes: 2_500, maxGroupsInFlight: 1, signTimeoutMs: 30_000 },
      });
      const kilobyte = () => append(write(undefined, { events: [event({ text: 'x'.repeat(1_000) })] }));
      const first = store.append(kilobyte());
      await until(() => store.queueDepth === 0, 'the first group starts');
      const waiting = [store.append(kilobyte()), store.append(kilobyte())];
      await expect(store.append(kilobyte())).rejects.toMatchObject({ code: 'queue_full' });
      letGo();
      await Promise.all([first, ...waiting]);
    });

    it('keeps groups within their bounds', async () => {
      const { store, batches, signer } = await open({
        limits: { maxGroupRequests: 7, maxGroupEvents: 10, maxGroupsInFlight: 1 },
      });
      await Promise.all(Array.from({ length: 30 }, () => store.append(append())));
      await Promise.all(
        Array.from({ length: 5 }, () =>
          store.append(append(write(undefined, { events: [1, 2, 3, 4].map(() => event()) }))),
        ),
      );
      await store.append(append(write(undefined, { events: Array.from({ length: 50 }, () => event()) })));
      expect(Math.max(...batches.map(({ size }) => size))).toBe(7);
      expect(batches.filter(({ events, size }) => events > 10 && size > 1)).toEqual([]);
      expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
        faults: [],
        count: 100,
      });
    });

    it('serves 500 concurrent writers, and readers between them, on a pool of 10 with two connections to spare', async () => {
      const { store, pool, signer } = await open({ poolSize: 2 });
      const written = Array.from({ length: 500 }, async () => {
        const { events } = committed(await store.append(append()));
        const found = await store.getById(events[0]?.event.id ?? '');
        expect(found).not.toBeNull();
      });
      await Promise.all(written);
      expect(pool.totalCount).toBeLessThanOrEqual(2);
      expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
        faults: [],
        count: 500,
      });
    });
  });

  describe('shards', () => {
    it('keeps a chain per shard and refuses a request across two', async () => {
      await database.drop();
      database = await migrated(postgres(), { shards: 3 });
      const { store, signer } = await open({ shards: 3 });
      await Promise.all(Array.from({ length: 120 }, (_, n) => store.append(append(write(`spread/${n}`)))));
      const heads = await store.heads();
      expect(heads.map(({ shard }) => shard)).toEqual([0, 1, 2]);
      expect(heads.every(({ seq }) => seq > 0)).toBe(true);
      expect(heads.reduce((sum, { seq }) => sum + seq, 0)).toBe(120);
      expect(await verifyChain(store, [(signer as InProcessSigner).entry])).toMatchObject({
        faults: [],
        count: 120,
      });

      const [one, other] = [0, 1].map((shard) =>
        [...Array(100).keys()].map((n) => `pair/${n}`).find((stream) => store.shardOf(stream) === shard),
      );
      await expect(store.append(append(write(one), write(other)))).rejects.toMatchObject({
        code: 'streams_span_shards',
      });
    });

    it('refuses to append to a database that was made for another origin or shard count', async () => {
      const { store } = await open({ shards: 2 });
      await expect(store.append(append(write('a/1')))).rejects.toMatchObject({ code: 'chain_mismatch' });
      const { store: other } = await open({ origin: 'kernel.example.com/other' });
      await expect(other.append(append())).rejects.toMatchObject({
        code: 'chain_mismatch',
        message: expect.stringContaining('kernel.example.com/test'),
      });
    });
  });

  describe('signer', () => {
    const inner = new InProcessSigner();

    it.each([
      ['throws', () => Promise.reject(new Error('proxy away'))],
      [
        'returns too few',
        async (kid: string, inputs: Uint8Array[]) => (await inner.sign(kid, inputs)).slice(1),
      ],
      [
        'returns too many',
        async (kid: string, inputs: Uint8Array[]) => [...(await inner.sign(kid, inputs)), 'AAAA'],
      ],
      [
        'returns no signature',
        async (_: string, inputs: Uint8Array[]) => inputs.map(() => 'not a signature'),
      ],
      ['returns nothing', async () => undefined as unknown as string[]],
    ])('that %s: nothing is committed, and it works again when it does', async (_, sign) => {
      let broken = true;
      const { store } = await open({
        signer: {
          activeKid: () => inner.kid,
          sign: (kid, inputs) => (broken ? sign(kid, inputs) : inner.sign(kid, inputs)),
        },
      });
      const results = await Promise.allSettled([1, 2, 3].map(() => store.append(append())));
      expect(
        results.map((result) => result.status === 'rejected' && (result.reason as { code: string }).code),
      ).toEqual(['signing_unavailable', 'signing_unavailable', 'signing_unavailable']);
      expect(await store.heads()).toMatchObject([{ seq: 0 }]);
      broken = false;
      expect(committed(await store.append(append())).position).toBe('0:1');
      expect(await verifyChain(store, [inner.entry])).toMatchObject({ faults: [], count: 1 });
    });

    it('that names no key is unavailable too', async () => {
      const { store } = await open({ signer: { activeKid: () => '', sign: () => Promise.resolve([]) } });
      await expect(store.append(append())).rejects.toMatchObject({ code: 'signing_unavailable' });
    });

    it('that hangs: everyone in the queue is refused within the timeout and the age, reads go on', async () => {
      const { store } = await open({
        signer: { activeKid: () => inner.kid, sign: () => new Promise(() => undefined) },
        limits: { signTimeoutMs: 400, refuseQueuedAfterMs: 50, maxGroupRequests: 4 },
      });
      const start = performance.now();
      const writers = Array.from({ length: 60 }, () =>
        store.append(append()).catch((error: unknown) => error),
      );
      expect(await store.heads()).toMatchObject([{ seq: 0 }]);
      expect(performance.now() - start).toBeLessThan(400);
      for (const error of await Promise.all(writers))
        expect(error).toMatchObject({ code: 'signing_unavailable' });
      // 60 requests in groups of 4 would take 15 timeouts one after the other, 7 with two in flight.
      expect(performance.now() - start).toBeLessThan(2 * 400);
    });

    it('whose key changes: the key that signs is the key that the event names', async () => {
      const [first, second] = [new InProcessSigner('k1'), new InProcessSigner('k2')] as const;
      let active = first;
      const { store } = await open({
        signer: {
          activeKid: () => active.kid,
          sign: (kid, inputs) => (kid === 'k1' ? first : second).sign(kid, inputs),
        },
      });
      await Promise.all(Array.from({ length: 20 }, () => store.append(append())));
      active = second;
      await Promise.all(Array.from({ length: 20 }, () => store.append(append())));
      expect(await verifyChain(store, [first.entry, second.entry])).toMatchObject({ faults: [], count: 40 });
    });
  });

  it('finishes what it has when it closes, and takes nothing new', async () => {
    const { store } = await open();
    const written = Array.from({ length: 50 }, () => store.append(append()));
    const closing = store.close();
    await expect(store.append(append())).rejects.toMatchObject({ code: 'closed' });
    await closing;
    const results = await Promise.all(written);
    expect(new Set(results.map((result) => committed(result).position)).size).toBe(50);
  });
});
