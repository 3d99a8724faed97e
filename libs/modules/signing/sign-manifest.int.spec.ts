import { generateKeyPairSync, sign } from 'node:crypto';
import {
  type EventSigner,
  EventStore,
  migrate,
  openEventStoreDataSource,
  type StoredEvent,
} from '#platform/event-store';
import { type Scope } from '#platform/edge';
import { type DataSource } from '#platform/postgres';
import { type Actor, CodedError, manifestDigest, parseEnvelope, parseManifestStatement } from '#evidence';
import { migratedBy, type TestDatabase, withPostgres } from '#dev/testing';
import { SignManifest, SignManifestHandler, type SignRequest } from './sign-manifest.handler';

const ORIGIN = 'kernel.example.com/signing';
const CALLER: Actor = { id: 'caller', kind: 'service', roles: [] };
const LEAD: Scope = { division: 'product' };

describe('a manifest is signed', () => {
  const postgres = withPostgres();
  const { privateKey } = generateKeyPairSync('ed25519');
  const signer: EventSigner = {
    activeKid: () => 'audit-1',
    sign: async (_, inputs) => inputs.map((input) => sign(null, input, privateKey).toString('base64')),
  };
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: EventStore;
  let handler: SignManifestHandler;

  beforeAll(async () => {
    const chain = { origin: ORIGIN, shards: 1 };
    database = await postgres().createDatabase(
      migratedBy(migrate, { ...chain, runtimeRole: postgres().runtimeRole }),
    );
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    store = new EventStore({ ...chain, dataSource, signer });
    const manifestSigner = {
      sign: async (input: Uint8Array) => ({
        kid: 'manifest-1',
        keyVersion: '1',
        signature: sign(null, input, privateKey).toString('base64'),
      }),
    };
    handler = new SignManifestHandler(store, manifestSigner, { origin: ORIGIN, now: () => new Date() });
  });
  afterAll(async () => {
    await store.close();
    await dataSource.destroy();
    await database.drop();
  });

  const asked = (request: SignRequest, scope: Scope) =>
    handler.execute(
      new SignManifest(request, scope, { actor: CALLER, correlationId: null, idempotency: null }),
    );

  async function refusal(request: SignRequest, scope: Scope): Promise<string | null> {
    const before = await store.heads();
    try {
      await asked(request, scope);
      return null;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      expect(await store.heads()).toEqual(before);
      return (error as CodedError<string>).code;
    }
  }

  /** The divisions that the signed statement, the event's payload and the event's column name. */
  async function divisions(request: SignRequest, scope: Scope): Promise<(string | null)[]> {
    const { eventIds } = await asked(request, scope);
    const { event } = (await store.getById(eventIds[0] ?? '')) as StoredEvent;
    const { envelope, division } = event.payload;
    const { division: named } = parseManifestStatement(parseEnvelope(envelope!).payload);
    const { shard, seq } = event;
    const scoped = await store.read(shard, { afterSeq: seq - 1, limit: 1, division: 'product' });
    return [named, division as string | null, scoped.length === 1 ? 'product' : null];
  }

  const theirs = { id: 'worker', version: '1', kind: 'agent', division: 'finance' };
  const reference = {
    manifestId: 'worker',
    version: '1',
    kind: 'agent',
    sha256: manifestDigest(theirs),
    division: 'product',
  };

  it('for a caller who is bound to a division only from the manifest itself', async () => {
    // The digest of another division's manifest, with the caller's own division beside it.
    expect(await refusal(reference, LEAD)).toBe('manifest_required');
    const { division: _, ...unnamed } = reference;
    expect(await refusal(unnamed, LEAD)).toBe('manifest_required');
    expect(await refusal({ manifest: theirs }, LEAD)).toBe('forbidden');
    expect(await refusal({ manifest: { id: 'worker' } }, LEAD)).toBe('forbidden');
    expect(await refusal({ manifest: { ...theirs, division: 7, divisionId: 'finance' } }, LEAD)).toBe(
      'forbidden',
    );
  });

  it('with the division that it names inside the signed statement', async () => {
    for (const manifest of [
      { ...theirs, division: 'product' },
      { id: 'worker', divisionId: 'product' },
    ]) {
      expect(await divisions({ manifest }, LEAD)).toEqual(['product', 'product', 'product']);
    }
    expect(await divisions({ manifest: { id: 'shared' } }, 'all')).toEqual([null, null, null]);
    expect(await divisions(reference, 'all')).toEqual(['product', 'product', 'product']);
  });
});
