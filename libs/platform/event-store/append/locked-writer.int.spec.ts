import { Client } from 'pg';
import { withPostgres } from '#dev/testing';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  append,
  migrated,
  openStore,
  type OpenStore,
  type OpenStoreOptions,
  type StoreDatabase,
  write,
} from '../fixtures/store.fixture';
import { EventVerifier } from '../integrity/checked-reads';
import { EventStoreError } from '../event-store.error';
import { type StoredEvent } from '../event-store.types';

const SHARDS = 2;
const KEY_CHANGE = write('signer/next', { events: [{ type: 'signer.added', payload: {} }] });

/** Accepts events by keys that it has looked up. */
class LearningVerifier extends EventVerifier {
  readonly known = new Set<string>();
  lookedUp = 0;

  constructor(private readonly look: () => Promise<void>) {
    super();
  }

  prepare = async (): Promise<void> => undefined;
  divisionOf = (): null => null;

  async verify(events: readonly StoredEvent[], { lookUp } = { lookUp: true }): Promise<string | null> {
    const unknown = events.filter(({ event }) => !this.known.has(event.signerKid));
    if (unknown.length === 0) return null;
    if (!lookUp) return 'a key is not known';
    await this.look();
    this.lookedUp++;
    for (const { event } of unknown) this.known.add(event.signerKid);
    return null;
  }
}

describe('a writer that holds the head row', () => {
  const postgres = withPostgres();
  const [first, second] = [new InProcessSigner('audit-1'), new InProcessSigner('audit-2')];
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore[];
  let watch: Client;

  beforeEach(async () => {
    database = await migrated(postgres(), { shards: SHARDS });
    opened = [];
    watch = new Client({ connectionString: database.runtimeUrl });
    await watch.connect();
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await watch.end();
    await database.drop();
  });

  async function open(options: OpenStoreOptions): Promise<OpenStore> {
    const store = await openStore(database, { shards: SHARDS, ...options });
    opened.push(store);
    return store;
  }

  /** Throws while anybody holds a head row. */
  const nothingLocked = async (): Promise<void> => {
    await watch.query('SELECT FROM kernel.shard_head FOR UPDATE NOWAIT');
  };

  it('needs no other connection, whoever wrote the head', async () => {
    const verifier = new LearningVerifier(nothingLocked);
    const other = await open({ signer: first });
    const only = await open({ signer: first, writing: 'locked', poolSize: 1, verifier });
    for (let n = 0; n < 3; n++) {
      await other.store.append(append(write('upgrade/1')));
      await only.store.append(append(write('upgrade/1')));
      await other.store.append(append(write('upgrade/1')));
      await only.store.append(append(KEY_CHANGE));
    }
    expect(only.refusals).toEqual([]);
    expect(verifier.lookedUp).toBe(1);
    expect((await only.store.heads())[0]).toMatchObject({ seq: 12 });
    expect(await only.store.keyFence()).toBe(12);
  });

  it.each([
    ['a group', append(write('upgrade/1'))],
    ['a change of the keys', append(KEY_CHANGE)],
  ])('looks nothing up meanwhile, for %s', async (_, request) => {
    const asked: (string | null)[] = [];
    const other = await open({ signer: first });
    const verifier = new LearningVerifier(nothingLocked);
    const held = await open({
      writing: 'locked',
      verifier,
      signer: {
        // Only the key of the head says that it is the turn of the second one.
        activeKid: async (after) => {
          await nothingLocked();
          asked.push(after);
          return second.kid;
        },
        lookUpKeys: nothingLocked,
        sign: (kid, inputs) => second.sign(kid, inputs),
      },
    });
    await other.store.append(append(write('upgrade/1')));
    await held.store.append(request);
    // The fence, the head by a key that was not known, and which key comes after it: each once.
    expect(held.retries).toEqual(['keys_changed', 'head_moved', 'keys_changed']);
    expect(asked).toEqual([null, null, null, first.kid]);
    expect(verifier.lookedUp).toBe(1);
    await held.store.append(request);
    expect(asked.slice(4)).toEqual(
      request.writes[0] === KEY_CHANGE ? [second.kid, second.kid] : [second.kid],
    );
    expect(held.refusals).toEqual([]);
  });

  it('builds on no head that does not verify', async () => {
    const verifier = new LearningVerifier(async () => {
      throw new Error('the registry is away');
    });
    const other = await open({ signer: first });
    const held = await open({ signer: first, writing: 'locked', verifier });
    await other.store.append(append(write('upgrade/1')));
    await expect(held.store.append(append(write('upgrade/1')))).rejects.toMatchObject({
      message: expect.stringContaining('the registry is away'),
    });
    expect((await other.store.heads())[0]).toMatchObject({ seq: 1 });
  });

  it('does not ask a signer in a busy loop that goes on saying that others are ahead', async () => {
    const asked: number[] = [];
    const held = await open({
      signer: {
        activeKid: () => first.kid,
        sign: async (kid, inputs) => {
          asked.push(performance.now());
          if (asked.length <= 20) throw new EventStoreError('store_behind', 'others are ahead', { mark: 0 });
          return first.sign(kid, inputs);
        },
      },
    });
    await held.store.append(append(write('upgrade/1')));
    expect(held.retries).toEqual(Array.from({ length: 20 }, () => 'head_moved'));
    // From some refusals in a row on, each has its pause.
    const pauses = asked.slice(1).map((at, n) => at - asked[n]!);
    expect(Math.min(...pauses.slice(10))).toBeGreaterThan(15);
  });
});
