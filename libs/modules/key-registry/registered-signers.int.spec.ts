import { Logger } from '@nestjs/common';
import { Client } from 'pg';
import { type AuditEvent, EvidenceError, type JsonObject, sealEvent, type SignerEntry } from '#evidence';
import { ChainEventVerifier } from '#platform/audit-stream';
import {
  type DataSource,
  EventStore,
  type EventSigner,
  KERNEL_ACTOR,
  migrate,
  openEventStoreDataSource,
} from '#platform/event-store';
import { SignerError, type SigningProxyClient } from '#platform/signer';
import { type TestDatabase, TestSigner, withPostgres } from '#dev/testing';
import { BackendKeys } from './backend-keys';
import { type BackendKey } from './domain/registration';
import { assertFoundedAs } from './founding';
import { RegisteredSigners } from './registered-signers';
import { RegisterSigners, RegisterSignersHandler } from './register-signers.handler';

const ORIGIN = 'kernel.example.com/registered';
const SHARDS = 2;
const [A1, A2, A3] = ['a1', 'a2', 'a3'].map((kid) => new TestSigner(kid, { purposes: ['audit'] })) as [
  TestSigner,
  TestSigner,
  TestSigner,
];
const M1 = new TestSigner('m1', { purposes: ['manifest'] });
const THIEF = new TestSigner('thief', { purposes: ['audit'] });

const signing = (key: TestSigner): EventSigner => ({
  activeKid: () => key.kid,
  sign: async (_kid, inputs) => inputs.map((input) => key.sign(input)),
});
const held = ({ kid, entry }: TestSigner): BackendKey => ({
  kid,
  keyVersion: '1',
  publicKeyPem: entry.public_key_pem,
  purposes: [...entry.purposes],
  backend: 'test',
});

describe('the registry of a kernel', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let dataSource: DataSource;
  let offered: BackendKey[] | Error;
  const opened: EventStore[] = [];

  // Each refused row is an error in the log.
  beforeAll(() => Logger.overrideLogger(false));
  afterAll(() => Logger.overrideLogger(['log', 'error', 'warn', 'debug', 'verbose', 'fatal']));
  beforeEach(async () => {
    database = await postgres().createDatabase();
    const { runtimeRole } = postgres();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: SHARDS, runtimeRole });
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 6 });
    offered = [A1, M1].map(held);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await dataSource.destroy();
    await database.drop();
  });

  function storeOf(key: TestSigner): EventStore {
    const store = new EventStore({ dataSource, origin: ORIGIN, shards: SHARDS, signer: signing(key) });
    opened.push(store);
    return store;
  }
  const options = {
    origin: ORIGIN,
    shards: SHARDS,
    roots: null,
    approverPool: { version: 1 as const, sha256: 'ab'.repeat(32) },
    directRotation: [],
    adminUiSha256: null,
    overlapMs: 1,
    maxKeyAgeMs: 1,
    now: () => new Date(),
  };
  function process(roots: readonly SignerEntry[] | null = null) {
    const proxy = {
      keys: async () => {
        if (offered instanceof Error) throw offered;
        return offered;
      },
    };
    const backend = new BackendKeys(proxy as unknown as SigningProxyClient, { whyNot: () => null }, ORIGIN);
    const verifier = new ChainEventVerifier({
      dataSource,
      origin: ORIGIN,
      roots,
      divisionOf: () => null,
    });
    const registered = new RegisteredSigners(storeOf(A1), { ...options, roots }, backend, verifier);
    const stores = { signedBy: () => storeOf(A1) };
    return { registered, handler: new RegisterSignersHandler(stores as never, registered, options) };
  }
  const found = ({ handler }: ReturnType<typeof process>) =>
    handler.execute(new RegisterSigners([A1.entry, M1.entry], held(A1)));

  const change = (key: TestSigner, stream: string, type: string, payload: JsonObject) =>
    storeOf(key).append({
      actor: KERNEL_ACTOR,
      writes: [{ stream, expectedVersion: 'any', events: [{ type, payload }] }],
    });
  const replacement = (from: TestSigner, to: TestSigner): JsonObject => ({
    from: from.kid,
    to: { ...to.entry },
    counterSignature: to.provePossession(ORIGIN, from.kid),
  });
  const lost = { reason: 'the token broke', compromisedAt: '2026-01-01T00:00:00.000Z' };
  const statuses = async ({ registered }: ReturnType<typeof process>): Promise<string[]> =>
    (await registered.signers({ fresh: true })).map(({ signer_kid, status }) => `${signer_kid} ${status}`);

  async function first(): Promise<AuditEvent[]> {
    return (await storeOf(A1).read(0, { afterSeq: 0, limit: 100 })).map(({ event }) => event);
  }

  /** What the runtime role can do: a row of its own at the head, with the head moved to it. */
  async function slipIn(event: AuditEvent, canonical: Uint8Array): Promise<void> {
    const client = new Client({ connectionString: database.runtimeUrl });
    await client.connect();
    try {
      await client.query('BEGIN');
      await client.query('UPDATE kernel.shard_head SET seq = $1, hash = $2, ts = $3 WHERE shard = 0', [
        event.seq,
        Buffer.from(event.hash, 'hex'),
        event.ts,
      ]);
      await client.query(
        `INSERT INTO kernel.events (shard, seq, id, ts, type, stream, stream_version, actor_id, signer_kid, hash, canonical)
         VALUES (0, $1, $2, $3, $4, $5, $6, 'x', $7, $8, $9)`,
        [
          event.seq,
          event.id,
          event.ts,
          event.type,
          event.stream,
          event.streamVersion,
          event.signerKid,
          Buffer.from(event.hash, 'hex'),
          Buffer.from(canonical),
        ],
      );
      await client.query('COMMIT');
    } finally {
      await client.end();
    }
  }

  /** An event that continues shard 0, signed by any key under any name. */
  async function forged(
    by: TestSigner,
    over: Pick<AuditEvent, 'type' | 'stream' | 'payload' | 'signerKid' | 'streamVersion'>,
  ): Promise<{ event: AuditEvent; bytes: Uint8Array }> {
    const last = (await first()).at(-1)!;
    const heads = (await storeOf(A1).heads()).map(({ shard, seq, hash }) => ({ shard, seq, hash }));
    const sealed = sealEvent(
      {
        ...last,
        ...over,
        id: `01900000-0000-7000-8000-${String(last.seq + 1).padStart(12, '0')}`,
        seq: last.seq + 1,
        prevHash: last.hash,
        payload: { ...over.payload, heads },
      },
      ORIGIN,
    );
    return sealed.finish(by.sign(sealed.signingInput));
  }

  it('begins with one commit: who the kernel is, and its first keys', async () => {
    const processes = [process(), process(), process()];
    await Promise.all(processes.map(found));
    const events = await first();
    expect(events.map(({ seq, type, stream }) => [seq, type, stream])).toEqual([
      [1, 'kernel.founded', 'kernel/founding'],
      [2, 'signer.added', 'signer/a1'],
      [3, 'signer.added', 'signer/m1'],
    ]);
    expect(events[0]?.payload).toEqual({
      origin: ORIGIN,
      shards: SHARDS,
      formats: expect.arrayContaining(['illuvrse-kernel/audit-group/v1']),
      approverPool: options.approverPool,
    });
    const [own, other] = (events[2]?.payload['heads'] ?? []) as JsonObject[];
    expect(own).toEqual({ shard: 0, seq: 2, hash: events[1]?.hash });
    expect(other).toMatchObject({ shard: 1, seq: 0 });
    expect(await statuses(processes[0]!)).toEqual(['a1 active', 'm1 active']);
    await expect(assertFoundedAs(storeOf(A1), options)).resolves.toBeUndefined();
  });

  it('goes on only as it was founded', async () => {
    await found(process());
    const store = storeOf(A1);
    await expect(assertFoundedAs(store, { origin: ORIGIN, shards: 3 })).rejects.toMatchObject({
      code: 'chain_mismatch',
      message: expect.stringMatching(
        /founded .* with 2 shard\(s\).* with 3\. Set KERNEL_ORIGIN and KERNEL_SHARDS/,
      ),
    });
    await expect(assertFoundedAs(store, { origin: 'another', shards: SHARDS })).rejects.toMatchObject({
      code: 'chain_mismatch',
    });
  });

  it('founds nothing on what is there already', async () => {
    await change(A1, 'thing/1', 'thing.happened', {});
    const refusal = {
      code: 'chain_mismatch',
      message: expect.stringContaining('is not the founding of a kernel'),
    };
    await expect(found(process())).rejects.toMatchObject(refusal);
    await expect(assertFoundedAs(storeOf(A1), options)).rejects.toMatchObject(refusal);
  });

  it.each([
    [
      'a signature that nobody made',
      {
        type: 'signer.retired',
        stream: 'signer/a1',
        payload: { signer_kid: 'a1', retiredAt: lost.compromisedAt },
      },
      'm1',
    ],
    [
      'a key that adds itself',
      { type: 'signer.emergency', stream: 'signer/a1', payload: { ...replacement(A1, THIEF), ...lost } },
      'thief',
    ],
    [
      'a key that nobody added',
      { type: 'signer.added', stream: 'signer/x', payload: { signer: { ...THIEF.entry } } },
      'thief',
    ],
  ])('does not believe a row with %s', async (_what, over, signerKid) => {
    const one = process();
    await found(one);
    const before = await one.registered.registry({ fresh: true });
    const { event, bytes } = await forged(THIEF, { ...over, signerKid, streamVersion: 2 });
    await slipIn(event, bytes);
    expect(await statuses(one)).toEqual(['a1 active', 'm1 active']);
    expect(one.registered.refused).toBe(1);
    expect((await one.registered.registry({ fresh: true })).state).toEqual(before.state);
    // Nor does the row keep the kernel from changing its keys.
    offered = [A1, A2].map(held);
    await change(A1, 'signer/a1', 'signer.emergency', { ...replacement(A1, A2), ...lost });
    expect(await statuses(one)).toEqual(['a1 compromised', 'm1 active', 'a2 active']);
  });

  it('does not stumble over bytes that are no event', async () => {
    const one = process();
    await found(one);
    const { event } = await forged(A1, {
      type: 'signer.retired',
      stream: 'signer/a1',
      payload: {},
      signerKid: 'a1',
      streamVersion: 2,
    });
    await slipIn(event, Buffer.from('no event'));
    expect(await statuses(one)).toEqual(['a1 active', 'm1 active']);
    expect(one.registered.refused).toBe(1);
  });

  it('believes a key that signs its own coming when the backend holds it, or one that took its place', async () => {
    const one = process();
    await found(one);
    offered = [A2, M1].map(held);
    await change(A2, 'signer/a1', 'signer.emergency', { ...replacement(A1, A2), ...lost });
    expect(await statuses(one)).toEqual(['a1 compromised', 'm1 active', 'a2 active']);
    await change(A2, 'signer/a3', 'signer.rotated', replacement(A2, A3));
    // A process that never saw the key at the backend.
    offered = [A3, M1].map(held);
    expect(await statuses(process())).toEqual(['a1 compromised', 'm1 active', 'a2 active', 'a3 active']);
    offered = [M1].map(held);
    expect(await statuses(process())).toEqual(['a1 active', 'm1 active']);
    offered = new SignerError('signing_unavailable', 'The proxy is away.');
    await expect(statuses(process())).rejects.toThrow('The proxy is away.');
    expect(await statuses(one)).toEqual(['a1 compromised', 'm1 active', 'a2 active', 'a3 active']);
  });

  it('knows no keys of a founding that the trust root does not have', async () => {
    await found(process());
    expect(await statuses(process([A1.entry, M1.entry]))).toEqual(['a1 active', 'm1 active']);
    expect(await statuses(process([A2.entry]))).toEqual([]);
  });

  it('refuses a weak key before it is in the chain', async () => {
    const weak =
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n';
    const { handler } = process();
    const registering = handler.execute(
      new RegisterSigners([A1.entry, { ...M1.entry, public_key_pem: weak }], held(A1)),
    );
    await expect(registering).rejects.toThrow(EvidenceError);
    expect(await first()).toEqual([]);
  });
});
