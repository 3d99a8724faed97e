import { Client } from 'pg';
import { withPostgres } from '#dev/testing';
import { raiseFences } from '../append/lock-head.sql';
import { EventStoreError } from '../event-store.error';
import {
  append,
  migrated,
  openStore,
  type OpenStore,
  ORIGIN,
  type StoreDatabase,
  write,
} from '../fixtures/store.fixture';
import { EventVerifier } from '../integrity/checked-reads';
import { repairStore, type StoreRepairReport } from './store-repair';

const SHARDS = 3;
const KEY = { type: 'signer.added', payload: {} };

/** Takes what has the form of an event for one. */
class Genuine extends EventVerifier {
  prepare = async (): Promise<void> => undefined;
  divisionOf = (): null => null;
  verify: EventVerifier['verify'] = async (events) =>
    events.some(({ event }) => event.signature === undefined) ? 'it is no event' : null;
}

describe('repairStore', () => {
  const postgres = withPostgres();
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore;
  let thief: Client;
  let owner: Client;

  beforeEach(async () => {
    database = await migrated(postgres(), { shards: SHARDS });
    opened = await openStore(database, { shards: SHARDS });
    thief = new Client({ connectionString: database.runtimeUrl });
    owner = new Client({ connectionString: database.ownerUrl });
    await Promise.all([thief.connect(), owner.connect()]);
  });
  afterEach(async () => {
    await Promise.all([thief.end(), owner.end()]);
    await opened.close();
    await database.drop();
  });

  /** A row at the end of shard 0 that nobody signed. */
  async function forge(): Promise<void> {
    await thief.query('BEGIN');
    await thief.query(
      `UPDATE kernel.shard_head SET seq = seq + 1, hash = sha256(seq::text::bytea), ts = now() WHERE shard = 0`,
    );
    await thief.query(
      `INSERT INTO kernel.events
       SELECT shard, seq, gen_random_uuid(), ts, 'signer.added', 'signer/thief', seq, 'thief', NULL, 'mine', hash, '{}'
       FROM kernel.shard_head WHERE shard = 0`,
    );
    await thief.query('COMMIT');
  }

  const safeMode = () => owner.query(`UPDATE kernel.mode SET mode = 'safe-mode'`);
  const repair = (
    fromSeq: number,
    keep: (lines: string) => Promise<void> = async () => undefined,
  ): Promise<StoreRepairReport> =>
    repairStore({
      ownerUrl: database.ownerUrl,
      origin: ORIGIN,
      shard: 0,
      fromSeq,
      reason: 'a test',
      statedBy: 'ada',
      verifier: new Genuine(),
      keep,
    });

  async function fences(): Promise<number[]> {
    const { rows } = await owner.query<{ fence: string }>(
      'SELECT fence FROM kernel.shard_head ORDER BY shard',
    );
    return rows.map(({ fence }) => Number(fence));
  }

  it('puts the fences back to the last change of the keys that is left, so that keys can change again', async () => {
    const { store } = opened;
    await store.append(append(write('signer/first', { events: [KEY] })));
    await store.append(append(write('upgrade/1')));
    for (let n = 0; n < 5; n++) await forge();
    await thief.query(raiseFences(7));
    await safeMode();
    await expect(repair(3)).resolves.toMatchObject({ fromSeq: 3, toSeq: 7, head: { seq: 2 } });
    expect(await fences()).toEqual([1, 1, 1]);
    await store.append(append(write('signer/second', { events: [KEY] })));
    expect(await fences()).toEqual([3, 3, 3]);
  });

  it('locks nothing while it verifies and keeps, and removes nothing that came meanwhile', async () => {
    await opened.store.append(append(write('upgrade/1')));
    await forge();
    await safeMode();
    const refused = repair(2, async () => {
      await thief.query(`SET lock_timeout = '5s'`);
      await forge();
    });
    await expect(refused).rejects.toThrow(EventStoreError);
    await expect(refused).rejects.toThrow('has changed meanwhile');
    expect((await opened.store.heads())[0]).toMatchObject({ seq: 3 });
    await expect(repair(2)).resolves.toMatchObject({ toSeq: 3, head: { seq: 1 } });
  });

  it('keeps nothing when it refuses', async () => {
    await opened.store.append(append(write('upgrade/1')));
    await forge();
    await forge();
    const kept: string[] = [];
    const keep = async (lines: string): Promise<void> => void kept.push(lines);
    await expect(repair(2, keep)).rejects.toThrow('not in safe-mode');
    await safeMode();
    await expect(repair(1, keep)).rejects.toThrow('0:1 is an event of this kernel');
    await expect(repair(3, keep)).rejects.toThrow('is no event of this kernel either');
    await expect(repair(4, keep)).rejects.toThrow('there is nothing at 0:4');
    expect(kept).toEqual([]);
    await repair(2, keep);
    expect(kept).toHaveLength(1);
  });
});
