import { Client } from 'pg';
import { withPostgres } from '#dev/testing';
import { raiseFences } from './lock-head.sql';
import { EventVerifier } from '../integrity/checked-reads';
import { InProcessSigner } from '../fixtures/in-process-signer.fixture';
import {
  append,
  migrated,
  openStore,
  type OpenStore,
  type StoreDatabase,
  write,
} from '../fixtures/store.fixture';

const SHARDS = 4;

/** Takes what has the form of an event for one. */
class Genuine extends EventVerifier {
  prepare = async (): Promise<void> => undefined;
  divisionOf = (): null => null;
  verify: EventVerifier['verify'] = async (events) =>
    events.some(({ event }) => event.signature === undefined) ? 'it is no event' : null;
}

describe('a row that nobody signed', () => {
  const postgres = withPostgres();
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore;
  let thief: Client;

  beforeEach(async () => {
    database = await migrated(postgres(), { shards: SHARDS });
    opened = await openStore(database, { shards: SHARDS });
    thief = new Client({ connectionString: database.runtimeUrl });
    await thief.connect();
  });
  afterEach(async () => {
    await thief.end();
    await opened.close();
    await database.drop();
  });

  async function insert(shard: number, stream: string, version: number, kid = 'mine'): Promise<void> {
    await thief.query('BEGIN');
    await thief.query(
      `UPDATE kernel.shard_head SET seq = seq + 1, hash = sha256('garbage'), ts = now() WHERE shard = $1`,
      [shard],
    );
    await thief.query(
      `INSERT INTO kernel.events
       SELECT shard, seq, gen_random_uuid(), ts, 'thing.changed', $2, $3, 'thief', NULL, $4, hash, '{}'
       FROM kernel.shard_head WHERE shard = $1`,
      [shard, stream, version, kid],
    );
    await thief.query('COMMIT');
  }

  it('decides no version of a stream in another shard', async () => {
    const { store } = opened;
    await store.append(append(write('upgrade/1', { expectedVersion: 0 })));
    await insert(2, 'upgrade/1', 7);
    const result = await store.append(append(write('upgrade/1', { expectedVersion: 1 })));
    expect(result).toMatchObject({ events: [{ event: { shard: 0, seq: 2, streamVersion: 2 } }] });
    // Nor is a stream taken for one that exists.
    await insert(2, 'upgrade/2', 3);
    await expect(
      store.append({ ...append(write('upgrade/1')), requires: [{ stream: 'upgrade/2', version: 0 }] }),
    ).resolves.toMatchObject({ events: [{ event: { streamVersion: 3 } }] });
  });

  it('puts the fence of the keys nowhere that no event is', async () => {
    const { store } = opened;
    await expect(thief.query(raiseFences(1))).rejects.toThrow('there is none at 0:1');
    await store.append(append(write('upgrade/1')));
    await expect(thief.query(raiseFences(10 ** 15))).rejects.toThrow(`there is none at 0:${10 ** 15}`);
    await thief.query(raiseFences(1));
    // The next change of the keys comes after every event that is there, so it can always raise the fence.
    await store.append(append(write('signer/next', { events: [{ type: 'signer.added', payload: {} }] })));
    expect(await store.keyFence()).toBe(2);
  });

  it('is in no range that a key is said to have signed', async () => {
    const signer = new InProcessSigner();
    const verified = await openStore(database, { shards: SHARDS, signer, verifier: new Genuine() });
    try {
      const { store } = verified;
      await store.append(append(write('upgrade/1'), write('upgrade/2')));
      const [first, last] = await store.read(0, { afterSeq: 0, limit: 2 });
      const range = {
        shard: 0,
        from: { seq: 1, hash: first?.event.hash },
        to: { seq: 2, hash: last?.event.hash },
        count: 2,
      };
      expect(await store.signedBy(signer.kid, 0, 1)).toEqual(range);
      await insert(0, 'upgrade/3', 1);
      expect(await store.signedBy(signer.kid, 0, 1)).toEqual(range);
      await insert(0, 'upgrade/4', 1, signer.kid);
      await expect(store.signedBy(signer.kid, 0, 1)).rejects.toMatchObject({ code: 'integrity' });
      expect(await store.signedBy('another', 0, 1)).toBeNull();
    } finally {
      await verified.close();
    }
  });
});
