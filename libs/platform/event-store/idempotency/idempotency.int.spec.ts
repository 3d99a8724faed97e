import { Client } from 'pg';
import { withPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
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

function bodyOf(result: AppendResult): string {
  if (!result.answer) throw new Error('no answer');
  return `${result.answer.status} ${Buffer.from(result.answer.body).toString('utf8')}`;
}

describe('idempotency keys', () => {
  const postgres = withPostgres();
  const signer = new InProcessSigner();
  let database: StoreDatabase & { drop(): Promise<void>; superuserUrl: string };
  let opened: OpenStore[];

  beforeEach(async () => {
    database = await migrated(postgres(), { shards: 2 });
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await database.drop();
  });

  async function open(options: OpenStoreOptions = {}): Promise<OpenStore> {
    const store = await openStore(database, { shards: 2, signer, ...options });
    opened.push(store);
    return store;
  }

  /** A stream of that shard. */
  function streamIn({ store }: OpenStore, shard: number): string {
    const stream = [...Array(100).keys()].map((n) => `s/${n}`).find((name) => store.shardOf(name) === shard);
    if (stream === undefined) throw new Error('none');
    return stream;
  }

  it('give the same bytes again, also from another process and after a restart, and commit once', async () => {
    const first = await open();
    const request = keyed('k');
    const answer = await first.store.append(request);
    expect(answer.replayed).toBe(false);
    const again = await first.store.append(request);
    expect(again.replayed).toBe(true);
    expect(bodyOf(again)).toBe(bodyOf(answer));
    await first.close();
    const restarted = await open();
    expect(bodyOf(await restarted.store.append(request))).toBe(bodyOf(answer));
    expect(await verifyChain(restarted.store, [signer.entry])).toMatchObject({ faults: [], count: 1 });
  });

  it('belong to their caller', async () => {
    const { store } = await open();
    const mine = keyed('k', append(write('a/1')));
    const theirs = keyed('k', {
      ...append(write('a/2')),
      actor: { id: 'service-2', kind: 'service', roles: [] },
    });
    expect((await store.append(mine)).replayed).toBe(false);
    expect((await store.append(theirs)).replayed).toBe(false);
  });

  it('are looked at before the version: a repeated write is no conflict', async () => {
    const { store } = await open();
    const request = keyed('k', append(write('a/1', { expectedVersion: 0 })));
    const first = await store.append(request);
    expect(bodyOf(await store.append(request))).toBe(bodyOf(first));
  });

  it('refuse another request', async () => {
    const { store, refusals } = await open();
    await store.append(keyed('k'));
    await expect(store.append(keyed('k', append(), 'another'))).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    expect(refusals).toEqual(['idempotency_mismatch']);
  });

  it('are not spent by a request that was refused', async () => {
    const { store } = await open();
    await store.append(append(write('a/1')));
    await expect(
      store.append(keyed('k', append(write('a/1', { expectedVersion: 0 })))),
    ).rejects.toMatchObject({ code: 'version_conflict' });
    expect(await store.findAnswer('service-1', 'k')).toBeNull();
    expect((await store.append(keyed('k', append(write('a/1', { expectedVersion: 1 }))))).replayed).toBe(
      false,
    );
  });

  describe('that arrive at once commit once and give the same bytes', () => {
    async function expectOne(results: AppendResult[], store: OpenStore, count = 1): Promise<void> {
      expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(new Set(results.map(bodyOf)).size).toBe(1);
      expect(await verifyChain(store.store, [signer.entry])).toMatchObject({ faults: [], count });
    }

    it('in one group', async () => {
      const opened = await open();
      const stream = streamIn(opened, 0);
      const results = await Promise.all(
        Array.from({ length: 20 }, () => opened.store.append(keyed('k', append(write(stream))))),
      );
      await expectOne(results, opened);
    });

    it('in two groups, one on top of the other', async () => {
      const opened = await open();
      const stream = streamIn(opened, 0);
      await opened.store.append(append(write(stream)));
      const holder = new Client({ connectionString: database.superuserUrl });
      await holder.connect();
      try {
        await holder.query('BEGIN');
        await holder.query('SELECT FROM kernel.shard_head FOR UPDATE');
        const calls = signer.calls;
        const first = opened.store.append(keyed('k', append(write(stream))));
        await until(() => signer.calls === calls + 1, 'the first group is signed');
        const second = opened.store.append(keyed('k', append(write(stream))));
        const beside = opened.store.append(append(write(stream)));
        await until(() => signer.calls === calls + 2, 'the second group is signed on top of it');
        await holder.query('ROLLBACK');
        await expectOne([await first, await second], opened, 3);
        expect(await beside).toMatchObject({ replayed: false, position: '0:3' });
      } finally {
        await holder.end();
      }
    });

    it('in two processes', async () => {
      const stores = await Promise.all([open(), open(), open()]);
      for (let round = 0; round < 10; round++) {
        const stream = streamIn(stores[0], 0);
        const results = await Promise.all(
          stores.flatMap(({ store }) =>
            [1, 2, 3].map(() => store.append(keyed(`k${round}`, append(write(stream))))),
          ),
        );
        await expectOne(results, stores[0], round + 1);
      }
    });

    it('in two shards, where no head row stands between them', async () => {
      let arrived = 0;
      let letGo: () => void = () => undefined;
      const both = new Promise<void>((resolve) => (letGo = resolve));
      // Neither group is committed before the other was numbered, so neither can have seen the other's key.
      const meeting = {
        activeKid: () => signer.kid,
        sign: async (kid: string, inputs: Uint8Array[]) => {
          if (++arrived === 2) letGo();
          await both;
          return signer.sign(kid, inputs);
        },
      };
      const stores = await Promise.all([open({ signer: meeting }), open({ signer: meeting })]);
      const streams = [streamIn(stores[0], 0), streamIn(stores[0], 1)];
      const results = await Promise.all(
        stores.map(({ store }, n) =>
          Promise.all([
            store.append(keyed('k', append(write(streams[n])))),
            // In the same group, and must not be affected by it.
            store.append(append(write(streams[n]))),
          ]),
        ),
      );
      expect(stores.flatMap(({ retries }) => retries)).toEqual(['unique_violation']);
      expect(results.map(([, beside]) => beside.replayed)).toEqual([false, false]);
      await expectOne(
        results.map(([twin]) => twin),
        stores[0],
        3,
      );
    });

    it('and differ: one is answered, the other refused', async () => {
      const [first, second] = await Promise.all([open(), open()]);
      const results = await Promise.allSettled([
        first.store.append(keyed('k', append(write('x/1')), 'one')),
        first.store.append(keyed('k', append(write('x/1')), 'two')),
        second.store.append(keyed('k', append(write('x/1')), 'three')),
      ]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'idempotency_mismatch' });
      }
    });
  });

  describe('of requests that commit no event', () => {
    const record = { caller: 'c', key: 'k', requestHash: 'h', status: 200, body: Buffer.from('{"a":1}') };

    it('keep the first answer', async () => {
      const { store } = await open();
      expect(await store.findAnswer('c', 'k')).toBeNull();
      expect(await store.recordAnswer(record)).toMatchObject({ recorded: true, status: 200 });
      const second = await store.recordAnswer({ ...record, status: 500, body: Buffer.from('other') });
      expect(second).toMatchObject({ recorded: false, status: 200 });
      expect(Buffer.from(second.body).toString()).toBe('{"a":1}');
      expect(await store.findAnswer('c', 'k')).toMatchObject({ requestHash: 'h', status: 200 });
      await expect(store.recordAnswer({ ...record, requestHash: 'other' })).rejects.toMatchObject({
        code: 'idempotency_mismatch',
      });
    });

    it('count for appends too', async () => {
      const { store } = await open();
      await store.recordAnswer({ ...record, caller: 'service-1', requestHash: 'hash of k' });
      const result = await store.append(keyed('k'));
      expect(result.replayed).toBe(true);
      expect(bodyOf(result)).toBe('200 {"a":1}');
      expect(await store.heads()).toMatchObject([{ seq: 0 }, { seq: 0 }]);
    });

    it('refuse what cannot be a key', async () => {
      const { store } = await open();
      await expect(store.recordAnswer({ ...record, key: 'a\0b' })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { pointer: '/idempotency/key' },
      });
    });
  });

  it('are forgotten after their retention, in batches, and then free again', async () => {
    let now = Date.UTC(2026, 0, 1);
    const { store, dataSource } = await open({ now: () => now });
    await Promise.all(
      Array.from({ length: 1_203 }, (_, n) => store.append(keyed(`k${n}`, append(write('old/1'))))),
    );
    now += 23 * 3_600_000;
    await store.append(keyed('young', append(write('old/1'))));
    expect(await store.purgeAnswers()).toBe(0);
    now += 3_600_001;
    expect(await store.purgeAnswers()).toBe(1_203);
    expect(await store.findAnswer('service-1', 'k0')).toBeNull();
    expect(await store.findAnswer('service-1', 'young')).not.toBeNull();
    expect((await store.append(keyed('k0', append(write('old/1'))))).replayed).toBe(false);
    const [{ count }] = await dataSource.query<[{ count: string }]>('SELECT count(*) FROM kernel.events');
    expect(count).toBe('1205');
  });

  it('purge by themselves', async () => {
    let now = Date.UTC(2026, 0, 1);
    const { store } = await open({ now: () => now, limits: { idempotencyPurgeIntervalMs: 10 } });
    await store.append(keyed('k'));
    now += 25 * 3_600_000;
    await until(async () => (await store.findAnswer('service-1', 'k')) === null, 'the key is forgotten');
  });

  it('of large answers are refused before anything is committed', async () => {
    const { store } = await open();
    const request = keyed('k', append(write('a/1', { events: [event()] })));
    await expect(
      store.append({
        ...request,
        idempotency: {
          ...(request.idempotency as NonNullable<typeof request.idempotency>),
          answer: () => ({ status: 200, body: Buffer.alloc(2 * 1024 * 1024) }),
        },
      }),
    ).rejects.toMatchObject({ code: 'invalid_request' });
    expect(await store.heads()).toMatchObject([{ seq: 0 }, { seq: 0 }]);
  });
});
