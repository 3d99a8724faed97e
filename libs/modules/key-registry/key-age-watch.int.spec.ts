import { FOUNDING_STREAM, FOUNDING_TYPE, foundingPayload } from '#evidence';
import { ChainEventVerifier } from '#platform/audit-stream';
import { EventStore, migrate, openEventStoreDataSource } from '#platform/event-store';
import { TestSigner, withPostgres } from '#dev/testing';
import { type SigningProxyClient } from '#platform/signer';
import { BackendKeys } from './backend-keys';
import { KeyAgeWatch, REMINDER_MS } from './key-age-watch';
import { RegisteredSigners } from './registered-signers';

const ORIGIN = 'kernel.example.com/ages';
const DAY_MS = 86_400_000;
const postgres = withPostgres();

describe('KeyAgeWatch', () => {
  it('records a key that is due once, by whichever process, and again a month later', async () => {
    const database = await postgres().createDatabase();
    const { runtimeRole } = postgres();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole });
    const dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    const key = new TestSigner('a1', { purposes: ['audit'] });
    let now = Date.parse('2026-01-01T00:00:00.000Z');
    const store = new EventStore({
      dataSource,
      origin: ORIGIN,
      shards: 1,
      now: () => now,
      signer: {
        activeKid: () => key.kid,
        sign: async (_kid, inputs) => inputs.map((input) => key.sign(input)),
      },
    });
    const options = {
      origin: ORIGIN,
      shards: 1,
      roots: null,
      approverPool: null,
      directRotation: [],
      adminUiSha256: null,
      overlapMs: 1,
      maxKeyAgeMs: 365 * DAY_MS,
      now: () => new Date(now),
    };
    const backend = new BackendKeys(
      { keys: () => Promise.reject(new Error('no key is in doubt')) } as unknown as SigningProxyClient,
      { whyNot: () => null },
      ORIGIN,
    );
    const verifier = new ChainEventVerifier({
      dataSource,
      origin: ORIGIN,
      roots: null,
      divisionOf: () => null,
    });
    const registered = () => new RegisteredSigners(store, options, backend, verifier);
    const watch = () => new KeyAgeWatch(store, registered(), options);
    const reminders = async () => (await store.query({ type: 'signer_age.exceeded' })).events;
    try {
      await store.append({
        actor: { id: 'kernel', kind: 'system', roles: [] },
        writes: [
          {
            stream: FOUNDING_STREAM,
            expectedVersion: 0,
            events: [{ type: FOUNDING_TYPE, payload: foundingPayload(options) }],
          },
          {
            stream: `signer/${key.kid}`,
            expectedVersion: 0,
            events: [{ type: 'signer.added', payload: { signer: { ...key.entry } } }],
          },
        ],
      });
      now += 364 * DAY_MS;
      const first = watch();
      await first.look();
      expect(first.ages).toMatchObject([{ kid: 'a1', ageMs: 364 * DAY_MS, due: false }]);
      expect(await reminders()).toEqual([]);
      now += DAY_MS;
      await Promise.all([watch().look(), watch().look(), watch().look()]);
      expect((await reminders()).map(({ event }) => event.payload)).toEqual([
        {
          signer_kid: 'a1',
          purposes: ['audit'],
          since: '2026-01-01T00:00:00.000Z',
          ageDays: 365,
          maxAgeDays: 365,
        },
      ]);
      now += REMINDER_MS - 1;
      await watch().look();
      expect(await reminders()).toHaveLength(1);
      now += 1;
      await watch().look();
      expect(await reminders()).toHaveLength(2);
    } finally {
      await store.close();
      await dataSource.destroy();
      await database.drop();
    }
  });
});
