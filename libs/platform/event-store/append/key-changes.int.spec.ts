import { Client } from 'pg';
import {
  type AuditEvent,
  canonicalEventBytes,
  ChainVerifier,
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  genesisHash,
  type JsonObject,
} from '#evidence';
import { TestSigner, withPostgres } from '#dev/testing';
import { lockAllHeads, raiseFences } from './lock-head.sql';
import {
  append,
  event,
  migrated,
  openStore,
  type OpenStore,
  ORIGIN,
  type StoreDatabase,
  until,
  write,
} from '../fixtures/store.fixture';
import { type EventStore } from '../event-store';
import { type EventSigner } from '../event-store.types';

const SHARDS = 4;
const ROTATIONS = 20;
const TYPES = ['signer.added', 'signer.rotated', 'signer.emergency', 'signer.retired'];

interface Heads {
  shard: number;
  seq: number;
  hash: string;
}

/** Signs with the key in force, as the events of the store say it: knows it from the last look, and hears of nothing. */
class StoredKeys implements EventSigner {
  store: EventStore | undefined;
  looks = 0;
  /** Called between the look and its end. */
  looked: () => void = () => undefined;
  private kid: string;

  constructor(
    private readonly keys: ReadonlyMap<string, TestSigner>,
    first: string,
  ) {
    this.kid = first;
  }

  activeKid(): string {
    return this.kid;
  }

  async lookUpKeys(): Promise<void> {
    this.looks++;
    const events = await this.store!.readTypes(0, { afterSeq: 0, types: TYPES, limit: 1_000 });
    for (const { event: one } of events) this.kid = added(one) ?? this.kid;
    this.looked();
  }

  async sign(kid: string, inputs: Uint8Array[]): Promise<string[]> {
    return inputs.map((input) => this.keys.get(kid)!.sign(input));
  }
}

function added({ payload }: AuditEvent): string | null {
  const entry = (payload['signer'] ?? payload['to']) as { signer_kid?: string } | undefined;
  return entry?.signer_kid ?? null;
}

function ended({ type, payload }: AuditEvent): string | null {
  if (type === 'signer.retired') return payload['signer_kid'] as string;
  return type === 'signer.emergency' ? (payload['from'] as string) : null;
}

const headsOf = ({ payload }: AuditEvent): Heads[] => payload['heads'] as unknown as Heads[];

describe('a change of keys', () => {
  const postgres = withPostgres();
  const kids = Array.from({ length: ROTATIONS + 1 }, (_, n) => `audit-${n}`);
  const keys = new Map(kids.map((kid) => [kid, new TestSigner(kid)]));
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore[];

  beforeEach(async () => {
    database = await migrated(postgres(), { shards: SHARDS });
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await database.drop();
  });

  async function open(
    writing: 'optimistic' | 'locked' = 'optimistic',
  ): Promise<OpenStore & { keys: StoredKeys }> {
    const signer = new StoredKeys(keys, kids[0]!);
    const store = await openStore(database, { signer, shards: SHARDS, poolSize: 10, writing });
    signer.store = store.store;
    opened.push(store);
    return { ...store, keys: signer };
  }

  const entry = (kid: string): JsonObject => ({ ...keys.get(kid)!.entry });
  const founding = foundingPayload({ origin: ORIGIN, shards: SHARDS, approverPool: null });
  const found = (store: EventStore, kid: string) =>
    store.append(
      append(
        write(FOUNDING_STREAM, { events: [event(founding, FOUNDING_TYPE)] }),
        write(`signer/${kid}`, { events: [event({ signer: entry(kid) }, 'signer.added')] }),
      ),
    );

  /** Ends a key where the next begins, or after it has begun. */
  async function replace(
    store: EventStore,
    from: string,
    to: string,
    how: 'at once' | 'in two',
  ): Promise<void> {
    const at = new Date().toISOString();
    const counterSignature = keys.get(to)!.provePossession(ORIGIN, from);
    const payload = { from, to: entry(to), counterSignature };
    if (how === 'at once') {
      const emergency = event({ ...payload, reason: 'lost', compromisedAt: at }, 'signer.emergency');
      await store.append(append(write(`signer/${from}`, { events: [emergency] })));
      return;
    }
    await store.append(append(write(`signer/${to}`, { events: [event(payload, 'signer.rotated')] })));
    const retired = event({ signer_kid: from, retiredAt: at }, 'signer.retired');
    await store.append(append(write(`signer/${from}`, { events: [retired] })));
  }

  async function exported(store: EventStore): Promise<AuditEvent[][]> {
    const shards: AuditEvent[][] = [];
    for (let shard = 0; shard < SHARDS; shard++) {
      const events: AuditEvent[] = [];
      for (let more = true; more;) {
        const page = await store.read(shard, { afterSeq: events.length, limit: 1_000 });
        events.push(...page.map(({ event: one }) => one));
        more = page.length > 0;
      }
      shards.push(events);
    }
    return shards;
  }

  /** Every event whose key was not in force at its position, by the heads alone. */
  function outOfForce(shards: readonly AuditEvent[][]): string[] {
    const spans = new Map<string, { from: AuditEvent; until?: AuditEvent }>();
    for (const one of shards[0] ?? []) {
      const [begins, ends] = [added(one), ended(one)];
      if (begins !== null) spans.set(begins, { from: one });
      if (ends !== null) spans.get(ends)!.until = one;
    }
    const at = (one: AuditEvent, shard: number): number =>
      shard === 0 ? one.seq : headsOf(one).find((head) => head.shard === shard)!.seq;
    return shards.flat().flatMap(({ shard, seq, signerKid }) => {
      const span = spans.get(signerKid);
      // The founding comes before the first key, and is signed by it.
      const begun = span && (shard === 0 ? seq >= span.from.seq || seq === 1 : seq > at(span.from, shard));
      const over = span?.until && seq > at(span.until, shard);
      return begun && !over ? [] : [`${shard}:${seq} by ${signerKid}`];
    });
  }

  it(`takes effect at one position of each shard, ${ROTATIONS} times in a row under writes by two processes`, async () => {
    const [one, two, idle] = [await open(), await open('locked'), await open()];
    await found(one.store, kids[0]!);
    let running = true;
    let written = 0;
    const writers = [one, two].flatMap(({ store }, n) =>
      Array.from({ length: 8 }, async (_, w) => {
        for (let i = 0; running; i++) {
          await store.append(append(write(`thing/${n}-${w}-${i % 7}`)));
          written++;
        }
      }),
    );
    for (let n = 0; n < ROTATIONS; n++) {
      const before = written;
      await replace([one, two][n % 2]!.store, kids[n]!, kids[n + 1]!, n % 3 === 0 ? 'at once' : 'in two');
      await until(() => written > before + 40, `writes after change ${n}`);
      // A process that writes seldom, and heard of none of them.
      if (n % 5 === 4) for (let s = 0; s < 8; s++) await idle.store.append(append(write()));
    }
    running = false;
    await Promise.all(writers);

    const shards = await exported(one.store);
    expect(outOfForce(shards)).toEqual([]);
    const changes = shards[0]!.filter(({ type }) => TYPES.includes(type));
    for (const change of changes) {
      expect(headsOf(change).map(({ shard }) => shard)).toEqual([0, 1, 2, 3]);
      for (const { shard, seq, hash } of headsOf(change)) {
        expect(hash).toBe(seq === 0 ? genesisHash(ORIGIN, shard) : shards[shard]?.[seq - 1]?.hash);
      }
      expect(headsOf(change)[0]).toMatchObject({ seq: change.seq - 1, hash: change.prevHash });
    }
    // Each key signed in every shard, so each change was seen by all of them.
    for (const events of shards.slice(1)) {
      expect(new Set(events.map(({ signerKid }) => signerKid)).size).toBeGreaterThan(ROTATIONS / 2);
    }
    const signers = [...keys.values()].map((key) => key.entry);
    const verifier = new ChainVerifier({ origin: ORIGIN, shards: SHARDS, signers });
    const faults = shards.flat().flatMap((each) => verifier.accept(canonicalEventBytes(each)));
    expect([...faults, ...verifier.finish()]).toEqual([]);
    expect(opened.flatMap(({ refusals }) => refusals)).toEqual([]);
  }, 120_000);

  it('lets no group through that was signed before and waited for the locks', async () => {
    const { store, keys: signer, retries } = await open();
    await found(store, kids[0]!);
    const thing = `thing/${[...Array(50).keys()].find((n) => store.shardOf(`thing/${n}`) === 2)}`;
    await store.append(append(write(thing)));
    await store.append(append(write('upgrade/1')));
    const [looks, before] = [signer.looks, retries.length];

    const [other, watch] = [1, 2].map(() => new Client({ connectionString: database.runtimeUrl })) as [
      Client,
      Client,
    ];
    await Promise.all([other.connect(), watch.connect()]);
    try {
      await other.query(lockAllHeads(30_000));
      const appended = store.append(append(write(thing)));
      // Signed, and waiting in the server.
      await until(async () => {
        const { rows } = await watch.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
        );
        return rows.length === 1;
      }, 'the group waits for the head');
      await other.query(raiseFences(3));
      await other.query('COMMIT');
      await appended;
    } finally {
      await Promise.all([other.end(), watch.end()]);
    }
    expect(retries.slice(before)).toEqual(['head_moved', 'keys_changed']);
    expect(signer.looks).toBe(looks + 1);
  });

  it('signs nothing while the keys cannot be looked up', async () => {
    const { store, keys: signer } = await open();
    await found(store, kids[0]!);
    signer.looked = () => {
      throw new Error('the registry is away');
    };
    await expect(store.append(append(write()))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('the registry is away'),
    });
    signer.looked = () => undefined;
    await expect(store.append(append(write()))).resolves.toMatchObject({ replayed: false });
  });

  it('states the heads itself, whoever asks', async () => {
    const { store } = await open();
    const events = [event({ signer: entry(kids[0]!), heads: [] }, 'signer.added')];
    await expect(store.append(append(write(`signer/${kids[0]}`, { events })))).rejects.toMatchObject({
      code: 'invalid_request',
      details: { eventIndex: 0, pointer: '/payload/heads' },
    });
  });

  it('has fences that only rise, also where the shard is empty', async () => {
    const { store } = await open();
    await found(store, kids[0]!);
    await store.append(append(write('upgrade/1')));
    const client = new Client({ connectionString: database.runtimeUrl });
    await client.connect();
    try {
      await client.query(raiseFences(3));
      await expect(client.query(raiseFences(2))).rejects.toThrow(
        'the fence of shard 0 only rises (from 3 to 2)',
      );
      await expect(client.query('UPDATE kernel.shard_head SET seq = seq, fence = fence')).rejects.toThrow(
        'only moves forward',
      );
    } finally {
      await client.end();
    }
  });
});
