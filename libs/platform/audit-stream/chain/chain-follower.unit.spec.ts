import { canonicalEventBytes, genesisHash } from '#evidence';
import { EvidenceChain, TestSigner } from '#dev/testing';
import { type StreamRecord } from '../audit-stream';
import { ChainFollower, type ChainFollowerOptions } from './chain-follower';
import { TrustedKeys } from './trusted-keys';

const ORIGIN = 'kernel.example.com/test';
const k1 = new TestSigner('k1');
const k2 = new TestSigner('k2');

function records(bytes: readonly Uint8Array[]): StreamRecord[] {
  return bytes.map((one, i) => ({ bytes: one, nextCursor: String(i + 1) }));
}

interface Setup extends Partial<Omit<ChainFollowerOptions, 'keys'>> {
  registry?: readonly Uint8Array[];
  now?: () => number;
  pause?: (ms: number) => Promise<unknown>;
}

function follower(
  chain: EvidenceChain,
  { registry = chain.bytes.slice(0, 2), now, pause = async () => undefined, ...options }: Setup = {},
) {
  let readings = 0;
  const keys = new TrustedKeys({
    origin: ORIGIN,
    roots: [k1.entry],
    registryEvents: async () => {
      readings++;
      return registry;
    },
    pause,
    ...(now === undefined ? {} : { now }),
  });
  const { shard } = chain;
  const follows = new ChainFollower({
    shard,
    origin: ORIGIN,
    keys,
    position: { seq: 0, hash: genesisHash(ORIGIN, shard) },
    ...options,
  });
  return { follows, keys, readings: () => readings };
}

function chainOf(count: number, shard = 0): EvidenceChain {
  const chain = new EvidenceChain(k1, ORIGIN, shard, { shards: 2 });
  return shard === 0 ? chain.found().appendMany(count - 2) : chain.appendMany(count);
}

describe('ChainFollower', () => {
  it('lets a sound chain through, in order, with bytes and cursors', async () => {
    const chain = chainOf(300);
    const { follows } = follower(chain);
    const first = await follows.follow(records(chain.bytes.slice(0, 200)));
    expect(first.fault).toBeNull();
    expect(first.events.map(({ event }) => event)).toEqual(chain.events.slice(0, 200));
    expect(first.events[199]).toMatchObject({ bytes: chain.bytes[199], nextCursor: '200' });
    const second = await follows.follow(records(chain.bytes.slice(200)));
    expect(second).toMatchObject({ fault: null, repeated: 0 });
    expect(follows.position).toEqual({ seq: 300, hash: chain.events[299]?.hash });
  });

  it('goes on from a position', async () => {
    const chain = chainOf(5);
    const { follows } = follower(chain, { position: { seq: 3, hash: chain.events[2]?.hash ?? '' } });
    const { events, fault } = await follows.follow(records(chain.bytes.slice(3)));
    expect(fault).toBeNull();
    expect(events.map(({ event }) => event.seq)).toEqual([4, 5]);
  });

  it('skips what was applied: before the position, at it, and within a batch', async () => {
    const chain = chainOf(6);
    const asked: number[] = [];
    const { follows } = follower(chain, {
      position: { seq: 3, hash: chain.events[2]?.hash ?? '' },
      storedHashes: async (_, seqs) => {
        asked.push(...seqs);
        return new Map(seqs.map((seq) => [seq, chain.events[seq - 1]?.hash ?? '']));
      },
    });
    const [b1, b2, b3, b4, b5, b6] = chain.bytes as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
    const { events, repeated, fault } = await follows.follow(records([b1, b2, b3, b4, b5, b4, b5, b6]));
    expect(fault).toBeNull();
    expect(events.map(({ event }) => event.seq)).toEqual([4, 5, 6]);
    expect(repeated).toBe(5);
    expect(asked).toEqual([1, 2]);
  });

  describe('stops, and says why', () => {
    /** Result for a sound chain with one record replaced. */
    async function refused(
      chain: EvidenceChain,
      tamper: (bytes: Uint8Array[]) => void,
      setup?: Setup,
    ): Promise<{
      applied: number;
      kind: string | undefined;
      seq: number | null | undefined;
      message: string;
    }> {
      const { follows } = follower(chain, setup);
      const bytes = [...chain.bytes];
      tamper(bytes);
      const { events, fault } = await follows.follow(records(bytes));
      return {
        applied: events.length,
        kind: fault?.kind,
        seq: fault?.seq,
        message: fault?.message ?? '',
      };
    }

    const altered = (chain: EvidenceChain, at: number, change: object): Uint8Array =>
      canonicalEventBytes({ ...(chain.events[at] as EvidenceChain['events'][number]), ...change });

    it('bytes that are no event', async () => {
      expect(await refused(chainOf(5), (bytes) => (bytes[2] = Buffer.from('nonsense')))).toMatchObject({
        applied: 2,
        kind: 'format',
        seq: null,
        message: expect.stringContaining('what comes after position'),
      });
    });

    it('an event that is not in canonical form', async () => {
      const chain = chainOf(5);
      const spaced = Buffer.from(JSON.stringify(chain.events[2], null, 1));
      expect(await refused(chain, (bytes) => (bytes[2] = spaced))).toMatchObject({
        applied: 2,
        kind: 'format',
        seq: 3,
      });
    });

    it('altered content', async () => {
      const chain = chainOf(5);
      const other = altered(chain, 2, { payload: { n: 4 } });
      expect(await refused(chain, (bytes) => (bytes[2] = other))).toMatchObject({
        applied: 2,
        kind: 'hash',
        seq: 3,
        message: expect.stringContaining('its content has'),
      });
    });

    it('a record that was taken out', async () => {
      expect(await refused(chainOf(5), (bytes) => bytes.splice(2, 1))).toMatchObject({
        applied: 2,
        kind: 'gap',
        seq: 4,
        message: expect.stringContaining('position 3 is missing'),
      });
      expect(await refused(chainOf(6), (bytes) => bytes.splice(2, 2))).toMatchObject({
        kind: 'gap',
        message: expect.stringContaining('positions 3 to 4 are missing'),
      });
    });

    it('a chain that goes on from another past', async () => {
      const chain = chainOf(2);
      const other = chainOf(2);
      other.append({ payload: { other: true } });
      other.append();
      chain.append();
      const next = other.bytes[3] as Uint8Array;
      expect(await refused(chain, (bytes) => bytes.push(next))).toMatchObject({
        applied: 3,
        kind: 'link',
        seq: 4,
      });
    });

    it('the chain of another origin', async () => {
      const chain = new EvidenceChain(k1, 'kernel.example.com/other').found();
      expect(await refused(chain, () => undefined)).toMatchObject({
        applied: 0,
        kind: 'link',
        message: expect.stringContaining('genesis value'),
      });
    });

    it('another event in the place of one that was applied: last, before, and in the batch', async () => {
      const chain = chainOf(5);
      const twin = chainOf(3);
      twin.append({ payload: { other: true } });
      const forked = twin.bytes[3] as Uint8Array;
      expect(await refused(chain, (bytes) => bytes.push(forked))).toMatchObject({
        applied: 5,
        kind: 'fork',
        seq: 4,
      });
      const position = { seq: 4, hash: chain.events[3]?.hash ?? '' };
      expect(await refused(chain, (bytes) => bytes.splice(0, 5, forked), { position })).toMatchObject({
        applied: 0,
        kind: 'fork',
      });
      const later = { seq: 5, hash: chain.events[4]?.hash ?? '' };
      const storedHashes = async () => new Map([[4, chain.events[3]?.hash ?? '']]);
      expect(
        await refused(chain, (bytes) => bytes.splice(0, 5, forked), { position: later, storedHashes }),
      ).toMatchObject({ applied: 0, kind: 'fork', message: expect.stringContaining('another event') });
    });

    it("another's signature", async () => {
      const chain = chainOf(5);
      const { signature } = chain.events[3] as { signature: string };
      const other = altered(chain, 2, { signature });
      expect(await refused(chain, (bytes) => (bytes[2] = other))).toMatchObject({
        applied: 2,
        kind: 'signature',
        seq: 3,
      });
    });

    it('a key that nobody vouches for', async () => {
      const chain = chainOf(3);
      chain.append({ signer: k2 });
      expect(await refused(chain, () => undefined)).toMatchObject({
        applied: 3,
        kind: 'key',
        seq: 4,
        message: expect.stringContaining('neither in the trust root'),
      });
    });

    it('an event of another shard', async () => {
      const other = chainOf(2, 1);
      expect(await refused(chainOf(2), (bytes) => bytes.push(other.bytes[1] as Uint8Array))).toMatchObject({
        applied: 2,
        kind: 'wrong_shard',
      });
    });

    it('and the first fault counts, whichever check finds it', async () => {
      const chain = chainOf(5);
      const { signature } = chain.events[3] as { signature: string };
      const other = altered(chain, 1, { signature });
      expect(
        await refused(chain, (bytes) =>
          bytes.splice(1, 4, other, bytes[2] as Uint8Array, bytes[4] as Uint8Array),
        ),
      ).toMatchObject({ applied: 1, kind: 'signature', seq: 2 });
    });
  });

  describe('keys', () => {
    it('takes a rotation from the stream itself, within one batch', async () => {
      const chain = chainOf(2);
      chain.rotateSigner(k1, k2);
      chain.append({ signer: k2 });
      const { follows } = follower(chain);
      expect(await follows.follow(records(chain.bytes))).toMatchObject({ fault: null, repeated: 0 });
    });

    it('knows keys that the registry has, once the store has them', async () => {
      const registrar = chainOf(2);
      registrar.rotateSigner(k1, k2);
      const chain = registrar.beside(1);
      for (let n = 0; n < 3; n++) chain.append({ signer: k2 });
      const { follows, readings } = follower(chain, { registry: registrar.bytes });
      expect(await follows.follow(records(chain.bytes))).toMatchObject({ fault: null });
      expect(readings()).toBe(1);
    });

    it('knows a key that was registered while an event by it was about to be judged', async () => {
      const registrar = chainOf(2);
      const registry = [...registrar.bytes];
      registrar.rotateSigner(k1, k2);
      const chain = registrar.beside(1);
      for (let n = 0; n < 3; n++) chain.append({ signer: k2 });
      const { follows, readings } = follower(chain, {
        registry,
        now: () => 0,
        // Events committed between the first reading and the second.
        pause: async () => registry.push(...registrar.bytes.slice(2)),
      });
      expect(await follows.follow(records(chain.bytes))).toMatchObject({ fault: null });
      expect(readings()).toBe(2);
    });

    it('reads the registry again after a second, and for keys that are not valid, a second apart', async () => {
      let now = 0;
      const pauses: number[] = [];
      const { keys, readings } = follower(chainOf(2), {
        now: () => now,
        pause: async (ms) => pauses.push(ms),
      });
      await keys.prepare();
      now += 999;
      await keys.prepare();
      expect(readings()).toBe(1);
      now += 1;
      await keys.prepare();
      expect(readings()).toBe(2);
      now += 400;
      await keys.reconsider();
      expect(readings()).toBe(3);
      now += 1_000;
      await keys.reconsider();
      expect(readings()).toBe(4);
      expect(pauses).toEqual([600]);
    });

    it('refuses what a key signed after the position at which it ended, whatever time it says', async () => {
      const registrar = chainOf(2);
      const chain = registrar.beside(1).appendMany(3);
      registrar.rotateSigner(k1, k2);
      chain.append();
      registrar.retireSigner(k1, k2);
      chain.append({ ts: chain.events.at(-1)?.ts ?? '' });
      const { follows } = follower(chain, { registry: registrar.bytes });
      const { events, fault } = await follows.follow(records(chain.bytes));
      expect(events).toHaveLength(4);
      expect(fault).toMatchObject({
        kind: 'key',
        seq: 5,
        message: expect.stringContaining('signs nothing after 1:4'),
      });
    });
  });
});
