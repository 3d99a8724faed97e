import { generateKeyPairSync, sign } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { type ApproverPool, FOUNDING_STREAM, FOUNDING_TYPE, foundingPayload, POOL_STREAM } from '#evidence';
import {
  type DataSource,
  EventStore,
  KERNEL_ACTOR,
  migrate,
  openEventStoreDataSource,
} from '#platform/event-store';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { DEFAULT_POLICY } from './domain/governance.policy';
import { FirstPool, firstPoolOf } from './first-pool';

const ORIGIN = 'kernel.example.com/first-pool';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const poolOf = (id: string): ApproverPool => ({
  threshold: 1,
  approvers: [
    {
      id,
      name: id,
      contact: null,
      principals: [id],
      keys: [{ keyId: `${id}-key`, algorithm: 'ed25519', publicKeyPem }],
    },
  ],
});
const POOL = poolOf('person-1');

describe('the first approver pool', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: EventStore;

  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(['log', 'error', 'warn', 'debug', 'verbose', 'fatal']));
  beforeEach(async () => {
    database = await postgres().createDatabase();
    const { runtimeRole } = postgres();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole });
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    const signer = {
      activeKid: () => 'audit-1',
      sign: async (_: string, inputs: Uint8Array[]) =>
        inputs.map((input) => sign(null, input, privateKey).toString('base64')),
    };
    store = new EventStore({ dataSource, origin: ORIGIN, shards: 1, signer });
  });
  afterEach(async () => {
    await store.close();
    await dataSource.destroy();
    await database.drop();
  });

  async function found(pool: ApproverPool | null): Promise<void> {
    const payload = foundingPayload({ origin: ORIGIN, shards: 1, approverPool: firstPoolOf(pool) });
    const events = [{ type: FOUNDING_TYPE, payload }];
    await store.append({
      actor: KERNEL_ACTOR,
      writes: [{ stream: FOUNDING_STREAM, expectedVersion: 0, events }],
    });
  }

  /** Starts with this pool, and waits until it says what a person can act on. */
  async function start(firstPool: ApproverPool, settled: (problem: string | null) => boolean) {
    const pool = new FirstPool(store, {
      origin: ORIGIN,
      policy: DEFAULT_POLICY,
      firstPool,
      ownTypes: null,
      syncedPasskeys: 'allow',
      now: () => new Date(),
    });
    pool.onApplicationBootstrap();
    while (!settled(pool.problem())) await new Promise((resolve) => setTimeout(resolve, 5));
    const problem = pool.problem();
    await pool.onModuleDestroy();
    return problem;
  }
  const registered = async () => (await store.loadStream(POOL_STREAM)).length;

  it('is registered once the kernel is founded with it', async () => {
    expect(await start(POOL, (problem) => problem?.includes('not founded yet') === true)).not.toBeNull();
    expect(await registered()).toBe(0);
    await found(POOL);
    expect(await start(POOL, (problem) => problem === null)).toBeNull();
    expect(await registered()).toBe(1);
  });

  it.each([
    [
      'another one',
      POOL,
      /founded with the approver pool of SHA-256 [0-9a-f]{64}.*put the pool of the founding back/,
    ],
    ['none', null, /founded without an approver pool, and can never have one/],
  ])('is not registered when the kernel was founded with %s', async (_what, founded, why) => {
    await found(founded);
    expect(await start(poolOf('person-2'), (problem) => why.test(problem ?? ''))).toMatch(why);
    expect(await registered()).toBe(0);
  });
});
