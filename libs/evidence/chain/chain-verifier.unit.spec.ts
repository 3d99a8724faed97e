import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { EvidenceChain, TestSigner, verifyEvidence } from '#dev/testing';
import { browserBuild } from '../browser-build.fixture';
import * as door from '../index';
import {
  ChainVerifier,
  genesisHash,
  parseEvent,
  parseSignersFile,
  trustRootOf,
  type ChainFault,
  type TrustRoot,
} from '../index';
import { type ExpectedHead } from './chain-verifier';

const FOLDER = join(__dirname, '../../../docs/spec/vectors');

interface ChainCase {
  name: string;
  file: string;
  /** Default: that of all. */
  signers?: string;
  from?: number;
  shard?: number;
  origin?: string;
  expectHead?: ExpectedHead;
  verified: boolean;
  faults: Pick<ChainFault, 'code' | 'shard' | 'seq'>[];
}

const vectors = JSON.parse(readFileSync(join(FOLDER, 'chains.json'), 'utf8')) as {
  origin: string;
  signers: string;
  cases: ChainCase[];
};

/** One expected head, as the vectors have it. */
function verify(
  lines: readonly string[],
  trust: TrustRoot,
  { expectHead, ...options }: { from?: number; shard?: number; expectHead?: ExpectedHead } = {},
  evidence: typeof door = door,
): ChainFault[] {
  const expectHeads = expectHead === undefined ? [] : [expectHead];
  return verifyEvidence(lines, trust, { ...options, expectHeads }, evidence);
}

const brief = (faults: readonly Pick<ChainFault, 'code' | 'shard' | 'seq'>[]): string[] =>
  faults.map(({ code, shard, seq }) => `${code} ${shard}:${seq}`).sort();

/** The registry of a chain, as a verifier reads it first. */
function ringOf(chain: EvidenceChain, ...signers: TestSigner[]): door.KeyRing {
  const ring = new door.KeyRing(chain.trust(...signers));
  for (const event of chain.events) ring.apply(event);
  return ring;
}

describe('ChainVerifier', () => {
  describe.each([
    ['Node.js', door],
    ['a browser', browserBuild()],
  ])('in %s', (_, evidence) => {
    it.each(vectors.cases)(
      'golden vector: $name',
      ({ file, signers = vectors.signers, origin = vectors.origin, faults, ...options }) => {
        const lines = readFileSync(join(FOLDER, file), 'utf8').split('\n').slice(0, -1);
        const trust = trustRootOf(parseSignersFile(readFileSync(join(FOLDER, signers))), origin);
        expect(brief(verify(lines, trust, options, evidence))).toEqual(brief(faults));
      },
    );
  });

  const signer = new TestSigner('k1');
  const whole = new EvidenceChain(signer).found().appendMany(12);
  const trust = whole.trust(signer);
  const lines = whole.bytes.map((bytes) => Buffer.from(bytes).toString());

  it('finds every single change of a character', () => {
    fc.assert(
      fc.property(
        fc.nat(lines.length - 1),
        fc.nat(),
        fc.constantFrom(...'aZ09"{}[],: .-_/é\u0000'),
        (which, at, to) => {
          const line = lines[which] as string;
          const i = at % line.length;
          fc.pre(line[i] !== to);
          const changed = line.slice(0, i) + to + line.slice(i + 1);
          const faults = verify(
            lines.map((old, n) => (n === which ? changed : old)),
            trust,
          );
          expect(faults.length).toBeGreaterThan(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('finds every deletion, repetition and exchange', () => {
    const position = fc.nat(lines.length - 1);
    fc.assert(
      fc.property(fc.constantFrom('delete', 'repeat', 'swap', 'move'), position, position, (how, a, b) => {
        const changed = [...lines];
        if (how === 'delete') changed.splice(a, 1);
        if (how === 'repeat') changed.splice(b, 0, lines[a] as string);
        if (how === 'swap') [changed[a], changed[b]] = [lines[b] as string, lines[a] as string];
        if (how === 'move') changed.splice(b, 0, ...changed.splice(a, 1));
        const faults = verify(changed, trust, {
          expectHead: { shard: 0, seq: lines.length, hash: null },
        });
        if (changed.join() === lines.join()) expect(faults).toEqual([]);
        else expect(faults.length).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });

  it('finds the head of an empty shard in every chain of its origin, and in no other', () => {
    const headOfShard2 = { shard: 2, seq: 0, hash: genesisHash(whole.origin, 2) };
    expect(verify(lines, trust, { expectHead: headOfShard2 })).toEqual([]);
    const foreign = { shard: 2, seq: 0, hash: genesisHash('kernel.example.com/other', 2) };
    expect(brief(verify(lines, trust, { expectHead: foreign }))).toEqual(['truncation 2:0']);
  });

  it('names event, position and what is wrong', () => {
    const changed = lines.map((line, i) => (i === 4 ? line.replace('event 5', 'event 6') : line));
    const [fault, ...more] = verify(changed, trust);
    expect(more).toEqual([]);
    expect(fault).toMatchObject({ code: 'hash', shard: 0, seq: 5, id: whole.events[4]?.id });
    expect(fault?.message).toContain(whole.events[4]?.hash);
  });

  it('does without a registry given beforehand when it reads one shard in order', () => {
    const next = new TestSigner('k2');
    const chain = new EvidenceChain(signer).found();
    chain.append({ signer: next });
    chain.rotateSigner(signer, next);
    chain.append({ signer: next });
    chain.retireSigner(signer, next);
    chain.append({ signer });
    const verifier = new ChainVerifier(chain.trust(signer, next));
    const faults = chain.bytes.flatMap((bytes) => verifier.accept(bytes));
    expect(brief([...faults, ...verifier.finish()])).toEqual(['key_not_valid 0:3', 'key_not_valid 0:7']);
    expect(verifier.heads()).toMatchObject([{ shard: 0, seq: 7 }]);
    expect([...verifier.registry.keys.values()].map(({ entry }) => entry.status)).toEqual([
      'retired',
      'active',
    ]);
  });

  it('does not accept a key that has ended by signers.json, and nothing says where', () => {
    const next = new TestSigner('k2');
    const chain = new EvidenceChain(signer).found().appendMany(2);
    const roots = (status: 'retired' | 'compromised'): TrustRoot => {
      const at = '2026-01-31T10:00:01.000Z';
      const entry = { ...signer.entry, status, retiredAt: at, compromisedAt: at };
      return { ...chain.trust(next), signers: [entry, next.entry] };
    };
    const faultsWith = (status: 'retired' | 'compromised'): string[] => {
      const verifier = new ChainVerifier(roots(status));
      return brief([...chain.bytes.flatMap((bytes) => verifier.accept(bytes)), ...verifier.finish()]);
    };
    // One fault for each shard and key that only the rest of the chain could justify.
    expect(faultsWith('retired')).toEqual(['key_not_valid 0:1']);
    expect(faultsWith('compromised')).toEqual(['key_not_valid 0:1']);
    chain.rotateSigner(signer, next);
    chain.retireSigner(signer, next);
    expect(faultsWith('retired')).toEqual([]);
    expect(faultsWith('compromised')).toEqual(['key_not_valid 0:1']);
  });

  it('accepts what is in doubt when a checkpoint from before the statement includes it', () => {
    const next = new TestSigner('k2');
    const log = new TestSigner('log', { purposes: ['checkpoint'] });
    const chain = new EvidenceChain(signer).found([signer, log]).appendMany(4);
    chain.emergencySigner(signer, next);
    chain.compromiseSigner(signer, next, { since: [{ shard: 0, seq: 6 }] });
    const faultsWith = (...sizes: number[]): string[] => {
      const checkpoints = sizes.map((size) => ({ shard: 0, size, kid: 'log' }));
      const { registry } = ringOf(chain, signer, next, log);
      const verifier = new ChainVerifier({ ...chain.trust(signer, next, log), registry, checkpoints });
      return brief([...chain.bytes.flatMap((bytes) => verifier.accept(bytes)), ...verifier.finish()]);
    };
    expect(faultsWith()).toEqual(['key_not_valid 0:6', 'key_not_valid 0:7', 'key_not_valid 0:8']);
    expect(faultsWith(7)).toEqual(['key_not_valid 0:8']);
    expect(faultsWith(8)).toEqual([]);
    expect(faultsWith(9)).toHaveLength(3);
  });

  it('checks from a later position, linked to what came before when that is known', () => {
    const tail = whole.bytes.slice(5);
    const span = { after: [{ shard: 0, seq: 0 }], until: null, since: null };
    const options = { ...trust, signers: [{ ...signer.entry, span }], from: 6, partial: true };
    const verifier = new ChainVerifier(options);
    expect(tail.flatMap((bytes) => verifier.accept(bytes))).toEqual([]);
    expect(verifier.finish()).toEqual([]);
    const linked = new ChainVerifier(options);
    linked.setPredecessor(0, 'f'.repeat(64));
    expect(brief(tail.flatMap((bytes) => linked.accept(bytes)))).toEqual(['link 0:6']);
    const reading = new ChainVerifier(options);
    const changed = [...whole.bytes];
    changed[4] = Buffer.from(
      Buffer.from(whole.bytes[4] as Uint8Array)
        .toString()
        .replace('event 5', 'event 6'),
    );
    expect(changed.flatMap((bytes) => reading.accept(bytes))).toEqual([]);
    expect(reading.count).toBe(9);
  });

  it('speaks of a key of the trust root as registered before, when it reads only a part', () => {
    const next = new TestSigner('k2');
    const chain = new EvidenceChain(signer).found();
    chain.append();
    chain.rotateSigner(signer, next);
    chain.append({ signer: next });
    chain.append();
    chain.retireSigner(signer, next);
    chain.append();
    const part = chain.bytes.slice(2);
    const span = { after: [{ shard: 0, seq: 0 }], until: null, since: null };
    const roots = { ...chain.trust(), signers: [{ ...signer.entry, span }, next.entry] };
    const verifier = new ChainVerifier({ ...roots, from: 3, partial: true });
    const faults = [...part.flatMap((bytes) => verifier.accept(bytes)), ...verifier.finish()];
    expect(brief(faults)).toEqual(['key_not_valid 0:8']);
  });

  it('leaves signatures and keys out when told', () => {
    const stranger = new EvidenceChain(new TestSigner('stranger'));
    stranger.appendMany(3);
    const verifier = new ChainVerifier({ origin: stranger.origin, signers: [], signatures: false });
    expect(stranger.bytes.flatMap((bytes) => verifier.accept(bytes))).toEqual([]);
  });

  it('reports a gap at once when nothing can come late', () => {
    const verifier = new ChainVerifier(trust);
    verifier.accept(whole.bytes[0] as Uint8Array);
    verifier.accept(whole.bytes[1] as Uint8Array);
    expect(brief(verifier.accept(whole.bytes[3] as Uint8Array))).toEqual(['gap 0:3']);
    expect(brief(verifier.accept(whole.bytes[2] as Uint8Array))).toEqual(['order 0:3']);
    expect(verifier.finish()).toEqual([]);
  });

  it('keeps its temper when there are very many gaps', () => {
    const many = new EvidenceChain(signer);
    for (let i = 1; i <= 2_100; i++) many.append({ seq: i * 2 - 1 });
    const verifier = new ChainVerifier({
      origin: many.origin,
      signers: [],
      signatures: false,
      lateArrivals: true,
    });
    const faults = many.bytes.flatMap((bytes) => verifier.accept(bytes));
    const gaps = [...faults, ...verifier.finish()].filter(({ code }) => code === 'gap');
    expect(gaps).toHaveLength(2_099);
  });

  it('reads what it makes', () => {
    expect(parseEvent(whole.bytes[0] as Uint8Array)).toEqual(whole.events[0]);
  });
});
