import { type DataSource, migrate, openEventStoreDataSource } from '#platform/event-store';
import { withOwnPostgres } from '#dev/testing';
import { ChainEventVerifier } from './chain-event-verifier';

const ORIGIN = 'kernel.example.com/test';

describe('keys that cannot be looked up', () => {
  const postgres = withOwnPostgres({ restart: false });
  let dataSource: DataSource;
  beforeAll(async () => {
    const { ownerUrl, runtimeUrl, runtimeRole, workerRole } = postgres();
    await migrate(ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole, workerRole });
    dataSource = await openEventStoreDataSource({ url: runtimeUrl, poolSize: 3 });
  });
  afterAll(() => dataSource.destroy());

  it('are a failure of the database, which a reader is told to wait for, and are looked up when it is back', async () => {
    const verifier = new ChainEventVerifier({
      dataSource,
      origin: ORIGIN,
      roots: null,
      divisionOf: () => null,
    });
    await postgres().kill();
    // Not an error of ours, but what the store answers with store_unavailable (503).
    const unavailable = { name: 'PostgresError', code: expect.stringMatching(/^(lost|unreachable)$/) };
    await expect(verifier.prepare()).rejects.toMatchObject(unavailable);
    await expect(verifier.prepare()).rejects.toMatchObject({ ...unavailable, code: 'unreachable' });
    await postgres().start();
    await expect(verifier.prepare()).resolves.toBeUndefined();
  });
});
