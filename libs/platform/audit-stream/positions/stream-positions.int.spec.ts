import { genesisHash } from '#evidence';
import { migrate, openEventStoreDataSource } from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { EvidenceChain, type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { Client } from 'pg';
import { PositionMoved, type VerifiedEvent } from '../shard-handler';
import { StreamPositions } from './stream-positions';

const ORIGIN = 'kernel.example.com/test';

describe('StreamPositions', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let dataSource: DataSource;
  let positions: StreamPositions;
  const chain = new EvidenceChain(new TestSigner('k1'), ORIGIN).appendMany(6);
  const events: VerifiedEvent[] = chain.events.map((event, i) => ({
    event,
    bytes: chain.bytes[i] as Uint8Array,
    nextCursor: `c${i + 1}`,
  }));

  beforeEach(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, workerRole: postgres().workerRole });
    dataSource = await openEventStoreDataSource({ url: database.workerUrl, poolSize: 2 });
    positions = new StreamPositions(dataSource, 'archiver', ORIGIN);
  });
  afterEach(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('begins at the genesis value and moves with events', async () => {
    expect(await positions.read(0)).toEqual({ seq: 0, hash: genesisHash(ORIGIN, 0), cursor: null });
    await positions.move(events.slice(0, 2));
    expect(await positions.read(0)).toEqual({ seq: 2, hash: chain.events[1]?.hash, cursor: 'c2' });
    await positions.move(events.slice(2, 3));
    expect(await positions.read(0)).toEqual({ seq: 3, hash: chain.events[2]?.hash, cursor: 'c3' });
  });

  it('does not move from anywhere else, by number or by hash', async () => {
    await expect(positions.move(events.slice(1, 2))).rejects.toThrow(PositionMoved);
    await positions.move(events.slice(0, 2));
    for (const part of [events.slice(0, 2), events.slice(1, 3), events.slice(3)]) {
      await expect(positions.move(part)).rejects.toThrow(PositionMoved);
    }
    const other = new EvidenceChain(new TestSigner('k1'), ORIGIN).append({ payload: {} });
    const next = events[2] as VerifiedEvent;
    const elsewhere = { ...next, event: { ...next.event, prevHash: other.hash } };
    await expect(positions.move([elsewhere])).rejects.toThrow(PositionMoved);
    expect(await positions.read(0)).toMatchObject({ seq: 2 });
  });

  it('moves once when several processes try, also the first time', async () => {
    for (const part of [events.slice(0, 3), events.slice(3)]) {
      const tries = await Promise.allSettled(Array.from({ length: 8 }, () => positions.move(part)));
      expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });

  it('keeps consumers apart', async () => {
    await positions.move(events);
    expect(await new StreamPositions(dataSource, 'indexer', ORIGIN).read(0)).toMatchObject({ seq: 0 });
  });

  it('wakes those who wait for it', async () => {
    const listener = new Client({ connectionString: database.workerUrl });
    await listener.connect();
    try {
      await listener.query('LISTEN kernel_positions');
      const heard = new Promise((resolve) =>
        listener.once('notification', ({ payload }) => resolve(payload)),
      );
      await positions.move(events);
      expect(await heard).toBe('archiver:0');
    } finally {
      await listener.end();
    }
  });
});
