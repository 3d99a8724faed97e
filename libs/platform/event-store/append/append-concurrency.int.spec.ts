import { parseAuditSigningInput } from '#evidence';
import { withPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  append,
  migrated,
  openStore,
  type OpenStore,
  type OpenStoreOptions,
  type StoreDatabase,
  until,
  verifyChain,
  write,
} from '../fixtures/store.fixture';

/** How many events an input is over. */
function countOf(input: Uint8Array): number {
  return parseAuditSigningInput(input).count;
}

describe('several writers on one head', () => {
  const postgres = withPostgres();
  const signer = new InProcessSigner();
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
    const store = await openStore(database, { signer, poolSize: 3, ...options });
    opened.push(store);
    return store;
  }

  it.each([
    ['all optimistic', () => 'optimistic' as const],
    ['some always locking', (n: number) => (n % 3 === 0 ? ('locked' as const) : ('optimistic' as const))],
  ])('make one chain without gap or fork, each gets its turn (%s)', async (_, writing) => {
    const stores = await Promise.all(Array.from({ length: 9 }, (__, n) => open({ writing: writing(n) })));
    const acknowledged = new Set<string>();
    const lastDone: number[] = [];
    const start = performance.now();
    await Promise.all(
      stores.map(async ({ store }, n) => {
        await Promise.all(
          Array.from({ length: 8 }, async () => {
            for (let i = 0; i < 15; i++) {
              // Own streams, streams that all share, and one that all write to.
              const stream = [`own-${n}/${i}`, `shared/${i}`, 'one/1'][i % 3];
              const result = await store.append(append(write(stream)));
              if (!result.replayed) for (const { event } of result.events) acknowledged.add(event.id);
            }
          }),
        );
        lastDone[n] = performance.now() - start;
      }),
    );
    expect(acknowledged.size).toBe(9 * 8 * 15);
    const { faults, ids, count } = await verifyChain((stores[0] as OpenStore).store, [signer.entry]);
    expect(faults).toEqual([]);
    expect(count).toBe(acknowledged.size);
    expect(ids).toEqual(acknowledged);
    // All had the same work: no writer finishes long before the last.
    expect(Math.min(...lastDone)).toBeGreaterThan(Math.max(...lastDone) / 3);
  });

  it('never let two decisions pass each other that rest on one another', async () => {
    const stores = await Promise.all(Array.from({ length: 3 }, () => open()));
    for (let round = 0; round < 15; round++) {
      // Each is allowed only while the other stream is still empty.
      const [left, right] = [`left/${round}`, `right/${round}`] as const;
      const decide = (one: string, other: string, n: number) =>
        (stores[n % 3] as OpenStore).store.append({
          ...append(write(one, { expectedVersion: 0 })),
          requires: [{ stream: other, version: 0 }],
        });
      const results = await Promise.allSettled(
        [0, 1, 2, 3].flatMap((n) => [decide(left, right, n), decide(right, left, n + 1)]),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'version_conflict' });
      }
    }
  });

  it('decide one winner for each version of a contested stream', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => open()));
    for (let version = 0; version < 10; version++) {
      const results = await Promise.allSettled(
        stores.flatMap(({ store }) =>
          [1, 2].map(() => store.append(append(write('contested/1', { expectedVersion: version })))),
        ),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason).toMatchObject({ code: 'version_conflict', details: { actual: version + 1 } });
        }
      }
    }
    expect(await verifyChain((stores[0] as OpenStore).store, [signer.entry])).toMatchObject({
      faults: [],
      count: 10,
    });
  });

  it('have a large group signed beside the one before it, and a small one wait for it', async () => {
    const held: { events: number[]; letGo: () => void }[] = [];
    const holding = await open({
      signer: {
        activeKid: () => signer.kid,
        sign: async (kid, inputs) => {
          await new Promise<void>((letGo) => held.push({ events: inputs.map(countOf), letGo }));
          return signer.sign(kid, inputs);
        },
      },
      limits: { signTimeoutMs: 30_000, startGroupFrom: 4, maxGroupsInFlight: 3 },
    });
    const written: Promise<unknown>[] = [];
    const writeMany = (count: number): void => {
      for (let n = 0; n < count; n++) written.push(holding.store.append(append()));
    };
    writeMany(1);
    await until(() => held.length === 1, 'the first group is being signed');
    writeMany(3);
    await holding.store.heads();
    expect({ signing: held.length, waiting: holding.store.queueDepth }).toEqual({ signing: 1, waiting: 3 });
    writeMany(1);
    await until(() => held.length === 2, 'the second group is being signed');
    writeMany(4);
    await until(() => held.length === 3, 'the third group is being signed');
    // No more groups than that, however many requests wait.
    writeMany(8);
    await holding.store.heads();
    expect(held.map(({ events }) => events)).toEqual([[1], [4], [4]]);
    // In reverse: the group that is signed first still comes second.
    for (const { letGo } of held.splice(0).reverse()) letGo();
    await until(() => held.length === 1, 'what waited is being signed');
    held[0]?.letGo();
    await Promise.all(written);
    expect(await verifyChain(holding.store, [signer.entry])).toMatchObject({ faults: [], count: 17 });
    expect(holding.retries).toEqual([]);
  });

  it('number a group again when somebody else was first, and go back to the optimistic way when they are gone', async () => {
    let gate: Promise<void> | undefined;
    let signing = 0;
    const held = await open({
      signer: {
        activeKid: () => signer.kid,
        sign: async (kid, inputs) => {
          signing++;
          await gate;
          return signer.sign(kid, inputs);
        },
      },
      limits: { signTimeoutMs: 30_000 },
    });
    const other = await open();
    let letGo: () => void = () => undefined;
    gate = new Promise((resolve) => (letGo = resolve));
    const late = [held.store.append(append(write('late/1')))];
    await until(() => signing === 1, 'the first group is numbered');
    late.push(held.store.append(append(write('late/1', { expectedVersion: 1 }))));
    await other.store.append(append(write('early/1')));
    gate = undefined;
    letGo();
    const positions = (await Promise.all(late)).map((result) => (result.replayed ? '' : result.position));
    expect(positions).toEqual(['0:2', '0:3']);
    expect(held.retries).toContain('head_moved');
    expect(held.batches.map(({ mode }) => mode)).toContain('locked');
    for (let i = 0; i < 12; i++) await held.store.append(append());
    expect(held.batches.at(-1)?.mode).toBe('optimistic');
    expect(await verifyChain(other.store, [signer.entry])).toMatchObject({ faults: [], count: 15 });
  });

  it('are not stopped by one whose signer hangs while it holds the head row', async () => {
    let calls = 0;
    let letGo: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const stuck = await open({
      signer: {
        activeKid: () => signer.kid,
        sign: async (kid, inputs) => {
          if (++calls > 1) return new Promise(() => undefined);
          await gate;
          return signer.sign(kid, inputs);
        },
      },
      limits: { signTimeoutMs: 400, maxGroupsInFlight: 1 },
    });
    const other = await open();
    // Loses the compare, and so takes the lock before it asks the signer again.
    const refused = expect(stuck.store.append(append())).rejects.toMatchObject({
      code: 'signing_unavailable',
    });
    await until(() => calls === 1, 'the first group is being signed');
    await other.store.append(append());
    letGo();
    await until(() => calls === 2, 'the head row is locked');
    await Promise.all(Array.from({ length: 20 }, () => other.store.append(append())));
    await refused;
    expect(stuck.retries).toEqual(['head_moved']);
    expect(await verifyChain(other.store, [signer.entry])).toMatchObject({ faults: [], count: 21 });
  });
});
