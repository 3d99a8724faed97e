import { generateKeyPairSync, sign } from 'node:crypto';
import {
  type EventSigner,
  EventStore,
  migrate,
  newEventId,
  openEventStoreDataSource,
} from '#platform/event-store';
import { type DataSource } from '#platform/postgres';
import { signManifest } from '#platform/signer';
import { type Actor, type Envelope, type JsonObject, manifestDigest, type SignerEntry } from '#evidence';
import { migratedBy, type TestDatabase, withPostgres } from '#dev/testing';
import { DivisionError } from './domain/division.error';
import { SignedTemplates, type TemplateSource } from './signed-templates';

const ORIGIN = 'kernel.example.com/templates';
const CALLER: Actor = { id: 'caller', kind: 'service', roles: [] };
const WORKER: JsonObject = { id: 'worker', version: '1', kind: 'agent', division: 'product' };

describe('a template from the chain', () => {
  const postgres = withPostgres();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const signer: EventSigner = {
    activeKid: () => 'audit-1',
    sign: async (_, inputs) => inputs.map((input) => sign(null, input, privateKey).toString('base64')),
  };
  const entry: SignerEntry = {
    signer_kid: 'manifest-1',
    algorithm: 'ed25519',
    public_key_pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    deployedAt: '2026-01-01T00:00:00.000Z',
    description: '',
    purposes: ['manifest'],
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
  };
  let database: TestDatabase;
  let dataSource: DataSource;
  let store: EventStore;
  let templates: SignedTemplates;

  beforeAll(async () => {
    const chain = { origin: ORIGIN, shards: 1 };
    database = await postgres().createDatabase(
      migratedBy(migrate, { ...chain, runtimeRole: postgres().runtimeRole }),
    );
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    store = new EventStore({ ...chain, dataSource, signer });
    templates = new SignedTemplates(
      store,
      { signers: async () => [entry] },
      { origin: ORIGIN, now: () => new Date() },
    );
  });
  afterAll(async () => {
    await store.close();
    await dataSource.destroy();
    await database.drop();
  });

  /** A signature over a manifest whose statement names one division and whose event names another. */
  async function recorded(
    manifest: JsonObject,
    stated: string | null,
    division = stated,
  ): Promise<{ envelope: Envelope; auditId: string }> {
    const manifestSigner = {
      sign: async (input: Uint8Array) => ({
        kid: 'manifest-1',
        keyVersion: '1',
        signature: sign(null, input, privateKey).toString('base64'),
      }),
    };
    const sha256 = manifestDigest(manifest);
    const { envelope } = await signManifest(manifestSigner, {
      manifestId: 'worker',
      version: '1',
      kind: 'agent',
      division: stated,
      sha256,
      origin: ORIGIN,
      signedAt: new Date().toISOString(),
      requestedBy: 'caller',
      head: { shard: 0, seq: 0 },
    });
    const auditId = newEventId();
    const payload = { sha256, division, envelope: { ...envelope } as unknown as JsonObject };
    await store.append({
      actor: CALLER,
      writes: [
        {
          stream: 'manifest/worker',
          expectedVersion: 'any',
          events: [{ id: auditId, type: 'manifest.signed', division, payload }],
        },
      ],
    });
    return { envelope, auditId };
  }

  /** Refusals of all three ways to name the template, with the one in which it has no manifest last. */
  async function outcomes(manifest: JsonObject, signed: Awaited<ReturnType<typeof recorded>>) {
    const envelope = signed.envelope as unknown as JsonObject;
    const { auditId } = signed;
    const sources: TemplateSource[] = [{ manifest, envelope }, { manifest, auditId }, { auditId }];
    return Promise.all(
      sources.map((source) =>
        templates.verified(source, 'product').then(
          ({ signedBy }) => (signedBy === auditId ? 'taken' : signedBy),
          (error: unknown) => {
            if (error instanceof DivisionError) return error.code;
            throw error;
          },
        ),
      ),
    );
  }

  it('is taken for the division that its signed statement names, or for any', async () => {
    expect(await outcomes(WORKER, await recorded(WORKER, 'product'))).toEqual(['taken', 'taken', 'taken']);
    const shared = { id: 'worker', version: '1', kind: 'agent' };
    expect(await outcomes(shared, await recorded(shared, null))).toEqual(['taken', 'taken', 'taken']);
  });

  it('is refused for another one, however the division got beside it', async () => {
    const theirs = { ...WORKER, division: 'finance' };
    const refused = ['invalid_template', 'invalid_template', 'invalid_template'];
    expect(await outcomes(theirs, await recorded(theirs, 'finance'))).toEqual(refused);
    // The event says what the statement does not.
    expect(await outcomes(theirs, await recorded(theirs, 'finance', 'product'))).toEqual(refused);
    expect(await outcomes(theirs, await recorded(theirs, null, 'product'))).toEqual(refused);
    // A digest that was signed for a division that the manifest is not of.
    expect((await outcomes(theirs, await recorded(theirs, 'product'))).slice(0, 2)).toEqual(
      refused.slice(0, 2),
    );
  });
});
