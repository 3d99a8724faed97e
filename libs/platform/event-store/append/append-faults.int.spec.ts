import { Client } from 'pg';
import { FaultyWire, withOwnPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  append,
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

function positionOf(result: AppendResult): string {
  return result.replayed ? 'replayed' : result.position;
}

describe('append when PostgreSQL fails', () => {
  const postgres = withOwnPostgres();
  const signer = new InProcessSigner();
  let database: StoreDatabase & { superuserUrl: string; drop(): Promise<void> };
  let opened: { close(): Promise<void> }[];

  beforeEach(async () => {
    database = await migrated(postgres());
    opened = [];
  });
  afterEach(async () => {
    for (const resource of opened.toReversed()) await resource.close();
    await database.drop();
  });

  async function open(options: OpenStoreOptions = {}): Promise<OpenStore> {
    const store = await openStore(database, { signer, ...options });
    opened.push(store);
    return store;
  }

  async function openThroughWire(options: OpenStoreOptions = {}): Promise<OpenStore & { wire: FaultyWire }> {
    const wire = await FaultyWire.open();
    opened.push(wire);
    const store = await open({ ...options, url: wire.through(database.runtimeUrl) });
    return { ...store, wire };
  }

  /** A session with all rights, for the duration of the test. */
  async function superuser(): Promise<Client> {
    const client = new Client({ connectionString: database.superuserUrl });
    client.on('error', () => undefined);
    await client.connect();
    opened.push({ close: () => client.end() });
    return client;
  }

  function terminateStores(client: Client, where = 'true'): Promise<number> {
    return client
      .query(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = 'event-store-test' AND datname = current_database() AND (${where})`,
      )
      .then(({ rowCount }) => rowCount ?? 0);
  }

  async function waitingOnLock(client: Client, sessions = 1): Promise<boolean> {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE application_name = 'event-store-test' AND wait_event_type = 'Lock'
       AND datname = current_database()`,
    );
    return (rowCount ?? 0) >= sessions;
  }

  async function expectWhole(opened: OpenStore, count: number): Promise<void> {
    expect(await verifyChain(opened.store, [signer.entry])).toMatchObject({ faults: [], count });
  }

  /** Options of a store that calls back in the middle of a group: after it was read, before it is committed. */
  function interrupting(interrupt: () => Promise<unknown>): OpenStoreOptions {
    let once = true;
    return {
      signer: {
        activeKid: () => signer.kid,
        sign: async (kid, inputs) => {
          if (once) {
            once = false;
            await interrupt();
          }
          return signer.sign(kid, inputs);
        },
      },
      limits: { signTimeoutMs: 20_000 },
    };
  }

  describe('its connections being terminated', () => {
    it('while they are idle', async () => {
      const admin = await superuser();
      const opened = await open();
      await opened.store.append(append());
      expect(await terminateStores(admin)).toBeGreaterThan(0);
      expect(positionOf(await opened.store.append(append()))).toBe('0:2');
      await expectWhole(opened, 2);
    });

    it('between reading and committing', async () => {
      const admin = await superuser();
      const opened = await open(interrupting(() => terminateStores(admin)));
      const results = await Promise.all([1, 2, 3].map(() => opened.store.append(append(write('a/1')))));
      expect(results.map(positionOf)).toEqual(['0:1', '0:2', '0:3']);
      await expectWhole(opened, 3);
    });

    it('while the head row is locked, between reading and committing', async () => {
      const admin = await superuser();
      const other = await open();
      let signings = 0;
      const opened = await open({
        signer: {
          activeKid: () => signer.kid,
          sign: async (kid, inputs) => {
            // First make it lose the compare, so that it takes the lock; then kill the session that holds it.
            if (++signings === 1) await other.store.append(append());
            if (signings === 2) {
              expect(await terminateStores(admin, "state = 'idle in transaction'")).toBe(1);
            }
            return signer.sign(kid, inputs);
          },
        },
        limits: { signTimeoutMs: 20_000 },
      });
      expect(positionOf(await opened.store.append(append()))).toBe('0:2');
      expect(opened.retries).toEqual(['head_moved', 'store_error']);
      await expectWhole(opened, 2);
    });

    it('during the statement that commits', async () => {
      const [admin, holder] = await Promise.all([superuser(), superuser()]);
      const opened = await open();
      await opened.store.append(append());
      await holder.query('BEGIN');
      await holder.query('SELECT FROM kernel.shard_head FOR UPDATE');
      const request = keyed('k', append(write('a/1', { expectedVersion: 0 })));
      const appended = opened.store.append(request);
      await until(() => waitingOnLock(admin), 'the commit waits for the head row');
      expect(await terminateStores(admin, "wait_event_type = 'Lock'")).toBe(1);
      await holder.query('ROLLBACK');
      expect(positionOf(await appended)).toBe('0:2');
      expect(opened.retries).toEqual(['store_error']);
      expect(positionOf(await opened.store.append(request))).toBe('replayed');
      await expectWhole(opened, 2);
    });

    it('again and again under load', async () => {
      const admin = await superuser();
      const stores = await Promise.all([open({ poolSize: 4 }), open({ poolSize: 4 })]);
      const acknowledged = new Set<string>();
      let killed = 0;
      const killer = (async () => {
        while (killed < 30) killed += await terminateStores(admin, 'random() < 0.5');
      })();
      await Promise.all(
        stores.flatMap(({ store }, s) =>
          Array.from({ length: 10 }, async (_, w) => {
            for (let i = 0; killed < 30; i++) {
              const result = await store.append(keyed(`${s}-${w}-${i}`, append(write(`load/${w}`))));
              if (!result.replayed) for (const { event } of result.events) acknowledged.add(event.id);
            }
          }),
        ),
      );
      await killer;
      const { faults, ids } = await verifyChain(stores[0].store, [signer.entry]);
      expect(faults).toEqual([]);
      expect(ids).toEqual(acknowledged);
    });
  });

  describe('the answer to a commit being lost', () => {
    it.each([
      ['optimistic', 'kernel_commit_group'],
      ['locked', 'COMMIT'],
    ] as const)('finds out what became of it (%s)', async (mode, message) => {
      const opened = await openThroughWire();
      const other = await open();
      if (mode === 'locked') {
        // Both write at once until this one has lost a compare.
        await until(async () => {
          await Promise.all([opened, other].map(({ store }) => store.append(append(write('warm/1')))));
          return opened.retries.includes('head_moved');
        }, 'a lost compare');
      } else {
        await opened.store.append(append(write('warm/1')));
      }
      const before = (await opened.store.loadStream('warm/1')).length;
      const lost = opened.wire.loseAnswerTo(message);
      const request = keyed('k', append(write('a/1', { expectedVersion: 0 }), write('a/2')));
      const result = await opened.store.append(request);
      await lost;
      expect(result.replayed).toBe(false);
      expect(positionOf(result)).toBe(`0:${before + 2}`);
      const again = await other.store.append(request);
      expect(again.replayed).toBe(true);
      expect(Buffer.from(again.answer?.body ?? []).equals(Buffer.from(result.answer?.body ?? [1]))).toBe(
        true,
      );
      await expectWhole(opened, before + 2);
    });

    it('commits once when the server finishes it only after it was sent again', async () => {
      const [admin, holder] = await Promise.all([superuser(), superuser()]);
      const opened = await openThroughWire({ limits: { storeTimeoutMs: 20_000 } });
      await opened.store.append(append());
      await holder.query('BEGIN');
      await holder.query('SELECT FROM kernel.shard_head FOR UPDATE');
      const appended = Promise.all(
        ['x', 'y', 'z'].map((key) => opened.store.append(keyed(key, append(write('a/1'))))),
      );
      await until(() => waitingOnLock(admin), 'the commit waits for the head row');
      // The server does not see that no client listens any more: it keeps waiting, and will commit.
      opened.wire.cut();
      await until(() => waitingOnLock(admin, 2), 'the second attempt waits too');
      await holder.query('ROLLBACK');
      const positions = (await appended).map(positionOf);
      expect(positions.toSorted()).toEqual(['0:2', '0:3', '0:4']);
      await expectWhole(opened, 4);
    });

    it('is told, not hidden behind a signer that fails the next attempt', async () => {
      const [admin, holder] = await Promise.all([superuser(), superuser()]);
      let signings = 0;
      const opened = await openThroughWire({
        signer: {
          activeKid: () => signer.kid,
          sign: async (kid, inputs) => {
            if (++signings === 2) throw new Error('away');
            return signer.sign(kid, inputs);
          },
        },
      });
      await holder.query('BEGIN');
      await holder.query('SELECT FROM kernel.shard_head FOR UPDATE');
      const request = keyed('k', append(write('a/1')));
      const appended = opened.store.append(request);
      await until(() => waitingOnLock(admin), 'the commit waits for the head row');
      opened.wire.cut();
      await expect(appended).rejects.toMatchObject({
        code: 'store_unavailable',
        details: { committed: 'unknown' },
      });
      await holder.query('ROLLBACK');
      await until(async () => (await opened.store.heads())[0]?.seq === 1, 'the server commits it after all');
      expect(positionOf(await opened.store.append(request))).toBe('replayed');
      await expectWhole(opened, 1);
    });

    it('is told when it cannot be found out, and the same key gives the answer later', async () => {
      const opened = await openThroughWire({ limits: { storeTimeoutMs: 400 }, connectTimeoutMs: 200 });
      await opened.store.append(append());
      const request = keyed('k', append(write('a/1')));
      const lost = opened.wire.loseAnswerTo('kernel_commit_group');
      const appended = opened.store.append(request);
      await lost;
      opened.wire.freeze();
      await expect(appended).rejects.toMatchObject({
        code: 'store_unavailable',
        details: { committed: 'unknown' },
      });
      opened.wire.thaw();
      let result: AppendResult | undefined;
      await until(async () => {
        result = await opened.store.append(request).catch(() => undefined);
        return result !== undefined;
      }, 'the line is back');
      expect(result?.replayed).toBe(true);
      await expectWhole(opened, 2);
    });
  });

  it('refuses within a bounded time when PostgreSQL is silent, and recovers by itself', async () => {
    const opened = await openThroughWire({
      limits: { storeTimeoutMs: 500, refuseQueuedAfterMs: 50 },
      connectTimeoutMs: 300,
    });
    await opened.store.append(append());
    opened.wire.freeze();
    const start = performance.now();
    const writers = await Promise.allSettled(Array.from({ length: 40 }, () => opened.store.append(append())));
    for (const result of writers) expect(result).toMatchObject({ reason: { code: 'store_unavailable' } });
    await expect(opened.store.heads()).rejects.toMatchObject({ code: 'store_unavailable' });
    // One statement, one connection attempt, and the same for the read.
    expect(performance.now() - start).toBeLessThan(4_000);
    const later = performance.now();
    await expect(opened.store.append(append())).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(performance.now() - later).toBeLessThan(1_500);
    opened.wire.thaw();
    await until(
      () =>
        opened.store.append(append()).then(
          () => true,
          () => false,
        ),
      'it works again',
    );
    let faults: unknown[] | undefined;
    // Its connections, which may take a third of a second at most, are not all there yet.
    await until(async () => {
      faults = await verifyChain(opened.store, [signer.entry]).then(
        (verified) => verified.faults,
        () => undefined,
      );
      return faults !== undefined;
    }, 'the chain can be read');
    expect(faults).toEqual([]);
  });

  it('keeps every acknowledged event when the server is killed under load, and goes on when it is back', async () => {
    const stores = await Promise.all([open({ poolSize: 4 }), open({ poolSize: 4 })]);
    const acknowledged = new Map<string, string>();
    const keys: string[] = [];
    let stop = false;
    const load = stores.flatMap(({ store }, s) =>
      Array.from({ length: 10 }, async (_, w) => {
        for (let i = 0; !stop; i++) {
          const key = `${s}-${w}-${i}`;
          keys.push(key);
          const result = await store
            .append(keyed(key, append(write(`load/${w}`))))
            .catch((error: unknown) => {
              expect(error).toMatchObject({ code: 'store_unavailable' });
              return undefined;
            });
          if (result?.answer) acknowledged.set(key, Buffer.from(result.answer.body).toString('utf8'));
        }
      }),
    );
    for (let kill = 0; kill < 2; kill++) {
      const before = acknowledged.size;
      await until(() => acknowledged.size > before + 200, 'writes are acknowledged');
      await postgres().kill();
      await postgres().whenReady();
    }
    const before = acknowledged.size;
    await until(() => acknowledged.size > before + 100, 'writes are acknowledged again');
    stop = true;
    await Promise.all(load);
    const [{ store }] = stores;
    const { faults, count } = await verifyChain(store, [signer.entry]);
    expect(faults).toEqual([]);
    for (const [key, answer] of acknowledged) {
      const [{ id, seq }] = JSON.parse(answer) as [{ id: string; seq: number }];
      expect((await store.getById(id))?.event).toMatchObject({ id, seq });
      expect(Buffer.from((await store.findAnswer('service-1', key))?.body ?? []).toString('utf8')).toBe(
        answer,
      );
    }
    // An unacknowledged request is either stored with its answer or not at all.
    const answers = await Promise.all(keys.map((key) => store.findAnswer('service-1', key)));
    expect(answers.filter((answer) => answer !== null)).toHaveLength(count);
  }, 120_000);
});
