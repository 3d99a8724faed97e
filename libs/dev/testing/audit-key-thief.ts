import {
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  headsPayload,
  type ExpectedHead,
  type JsonObject,
  type TrustRoot,
} from '#evidence';
import { EvidenceChain, TestSigner, type TestEvent } from './evidence-chain';

/** Evidence that a thief presents. */
export interface Fake {
  name: string;
  /** Canonical events, in the order in which they are presented. */
  lines: Uint8Array[];
}

/** A trust root as an auditor may have it after the compromise. */
export interface NamedTrust {
  name: string;
  trust: TrustRoot;
}

/**
 * A kernel whose audit key K1 was stolen, and the compromise handled: an emergency key K2 came in, and the statement puts
 * K1 in doubt from a position on and confirms what the kernel stands by. The thief has K1 and everything that is
 * public.
 */
export class RobbedKernel {
  readonly k1 = signerOf('k1', 1);
  readonly k2 = signerOf('k2', 2);
  readonly k3 = signerOf('k3', 3);
  readonly chain: EvidenceChain;

  /**
   * Shard 0: 1 and 2 the founding, 3 to 8 events by K1, 9 the emergency, 10 the statement, 11 to 14 events by K2.
   * Another shard: 1 to 4 by K1, 5 to 7 by K2.
   */
  constructor(
    readonly shards: number,
    statement: (chain: EvidenceChain) => JsonObject = (chain) => this.statement(chain),
  ) {
    const { k1, k2 } = this;
    this.chain = new EvidenceChain(k1, 'kernel.example.com/robbed', 0, { shards }).found();
    this.chain.appendMany(6);
    for (let shard = 1; shard < shards; shard++) this.write(this.chain.beside(shard), 4, k1);
    this.chain.emergencySigner(k1, k2);
    this.chain.compromiseSigner(k1, k2, statement(this.chain));
    this.write(this.chain, 4, k2);
    for (let shard = 1; shard < shards; shard++) this.write(this.chain.beside(shard), 3, k2);
  }

  /** What the kernel says: in doubt from 0:6 and s:3 on, and it stands by what there is. */
  statement(chain: EvidenceChain): JsonObject {
    const shards = Array.from({ length: this.shards }, (_, shard) => shard);
    return {
      since: shards.map((shard) => ({ shard, seq: shard === 0 ? 6 : 3 })),
      reattested: shards.map((shard) => (shard === 0 ? chain.range(6, 9) : chain.beside(shard).range(3, 4))),
    };
  }

  write(chain: EvidenceChain, count: number, signer: TestSigner): void {
    for (let i = 0; i < count; i++) {
      const stream = `thing/${chain.shard}-${chain.events.length % 3}`;
      chain.append({ stream, signer });
    }
  }

  /** The genuine evidence, shard by shard. */
  lines(): Uint8Array[][] {
    return Array.from({ length: this.shards }, (_, shard) => [...this.chain.beside(shard).bytes]);
  }

  /** The heads that someone noted before the thief came with a fake. */
  heads(): ExpectedHead[] {
    return this.chain.heads();
  }

  /** The trust roots under which no fake may pass. */
  trusts(): NamedTrust[] {
    const { origin, shards } = this.chain;
    const at = '2026-01-31T10:00:08.000Z';
    const lost = { ...this.k1.entry, status: 'compromised' as const, compromisedAt: at };
    const all = Array.from({ length: shards }, (_, shard) => shard);
    const span = (after: number[], until: number[] | null, since: number[] | null) => ({
      after: all.map((shard) => ({ shard, seq: after[Math.min(shard, 1)] ?? 0 })),
      until: until?.length ? all.map((shard) => ({ shard, seq: until[Math.min(shard, 1)] ?? 0 })) : null,
      since: since?.length ? all.map((shard) => ({ shard, seq: since[Math.min(shard, 1)] ?? 1 })) : null,
    });
    const known = { origin, shards, firstPool: null };
    return [
      {
        name: 'the signers.json of the kernel',
        trust: {
          ...known,
          signers: [
            { ...lost, span: span([0, 0], [9, 4], [6, 3]) },
            { ...this.k2.entry, span: span([8, 4], null, null) },
          ],
        },
      },
      { name: 'a signers.json without spans', trust: { ...known, signers: [lost, this.k2.entry] } },
      {
        name: 'a signers.json with the members of the deployment guide alone',
        trust: { origin, signers: [lost, this.k2.entry] },
      },
    ];
  }
}

const signerOf = (kid: string, n: number): TestSigner =>
  new TestSigner(kid, { seed: Buffer.alloc(32, n), purposes: ['audit', 'manifest'] });

/** A chain as far as the thief leaves it, to go on from there. */
function cut(kernel: RobbedKernel, shard: number, length: number): EvidenceChain {
  return kernel.chain.fork()[shard]?.cut(length) as EvidenceChain;
}

/** Evidence of the kernel in which one or more shards are replaced. */
function presented(
  kernel: RobbedKernel,
  ...replaced: (readonly [number, readonly Uint8Array[]])[]
): Uint8Array[] {
  const lines = kernel.lines();
  for (const [shard, own] of replaced) lines[shard] = [...own];
  return lines.flat();
}

/**
 * What someone who has one audit key can present after its compromise was handled. None of it is evidence: a verifier
 * that accepts one of them is wrong.
 */
export function fakesOfAuditKeyThief(): { kernel: RobbedKernel; fakes: Fake[] }[] {
  return [ofOneShard(), ofTwoShards(), ofStatement(), ofSilence()];
}

function ofOneShard(): { kernel: RobbedKernel; fakes: Fake[] } {
  const kernel = new RobbedKernel(1);
  const { chain, k1, k2, k3 } = kernel;
  const { origin } = chain;
  const last = chain.events.at(-1)?.ts ?? '';
  const compromised = Date.parse(chain.events[9]?.ts ?? '');
  const genuine = kernel.lines().flat();
  const fakes: Fake[] = [];
  const add = (name: string, lines: readonly Uint8Array[]): void => {
    fakes.push({ name, lines: [...lines] });
  };
  const stranger = (shard: number, count: number, given: TestEvent = {}): Uint8Array[] => {
    const other = new EvidenceChain(k1, origin, shard);
    for (let i = 0; i < count; i++) other.append({ stream: `thing/${shard}`, ...given });
    return other.bytes;
  };
  /** The genuine chain up to a position, then what the thief tells. */
  const told = (name: string, length: number, tell: (c: EvidenceChain) => void): void => {
    const fork = cut(kernel, 0, length);
    tell(fork);
    add(name, fork.bytes);
  };
  /** The genuine chain, and one event more. */
  const more = (name: string, given: TestEvent): void =>
    told(name, genuine.length, (c) => c.append({ signer: k1, ...given }));
  const registry = (name: string, type: string, kid: string, payload: JsonObject): void =>
    told(name, genuine.length, (c) => c.registry(type, kid, payload, k1));
  const statement = { signer_kid: 'k1', compromisedAt: last, since: [{ shard: 0, seq: 9_999 }] };
  const replacement = { from: 'k1', to: { ...k2.entry }, counterSignature: k2.provePossession(origin, 'k1') };
  const emergency = { ...replacement, reason: 'x', compromisedAt: last };
  const founding = (shards: number): TestEvent => ({
    type: FOUNDING_TYPE,
    stream: FOUNDING_STREAM,
    payload: foundingPayload({ origin, shards, approverPool: null }),
  });

  add('a shard that does not exist, dated 2020', [
    ...genuine,
    ...stranger(5, 1, { ts: '2020-01-01T00:00:00.000Z' }),
  ]);
  add('a shard that does not exist, dated 20 s after the compromise', [
    ...genuine,
    ...stranger(5, 1, { ts: new Date(compromised + 20_000).toISOString() }),
  ]);
  add('the first shard behind the last, 40 events', [...genuine, ...stranger(1, 40)]);
  add('a shard that does not exist, before everything else', [...stranger(5, 3), ...genuine]);
  add('a shard of the highest number', [...genuine, ...stranger(0xfff, 1)]);
  const sixth = new EvidenceChain(k1, origin, 5);
  sixth.append(founding(6));
  add('a shard that founds itself, with six shards', [...genuine, ...sixth.bytes]);
  add('nothing but a shard that does not exist', stranger(5, 3));

  more('the old key goes on behind the head', {});
  more('the old key goes on behind the head, dated like the event before', { ts: last });
  more('the old key goes on behind the head, dated 2020', { ts: '2020-01-01T00:00:00.000Z' });
  told('the old key in the place of the last event', 13, (c) => c.append({ signer: k1 }));
  told('the old key directly behind its end', 9, (c) => c.append({ signer: k1 }));
  told('the old key behind its end, in the name of the new one', genuine.length, (c) => {
    c.append({ signer: renamed(k1, 'k2') });
  });
  told('the chain cut before the emergency, and gone on with the old key', 8, (c) => c.appendMany(20));
  told('the chain cut after the founding, and gone on with the old key', 2, (c) => c.appendMany(20));
  told('the chain cut before the statement: nothing says what is in doubt', 9, () => undefined);
  told('the chain cut before the emergency, and nothing more', 8, () => undefined);
  told('cut, and the old key retires itself at the end', 8, (c) => {
    c.appendMany(20);
    c.registry('signer.retired', 'k1', { signer_kid: 'k1', retiredAt: last }, k1);
  });
  told('cut, and the old key declares itself compromised from a later position on', 8, (c) => {
    c.appendMany(20);
    c.registry('signer.compromised', 'k1', statement, k1);
  });
  told('cut, and the emergency repeated later with the public counter-signature', 8, (c) => {
    c.appendMany(20);
    c.registry('signer.emergency', 'k1', emergency, k1);
  });
  told('cut, the emergency repeated later, and the statement signed by the old key', 8, (c) => {
    c.appendMany(20);
    c.registry('signer.emergency', 'k1', emergency, k1);
    c.registry('signer.compromised', 'k1', statement, k1);
  });
  told('cut, the emergency repeated later, and the statement in the name of the new key', 8, (c) => {
    c.appendMany(20);
    c.registry('signer.emergency', 'k1', emergency, k1);
    c.registry('signer.compromised', 'k1', statement, renamed(k1, 'k2'));
  });
  told(
    'cut, and the rotation to the new key with the public counter-signature, which does not end the old one',
    8,
    (c) => {
      c.registry('signer.rotated', 'k1', replacement, k1);
      c.appendMany(20);
    },
  );
  told('cut, and the new key added by the old one', 8, (c) => {
    c.registry('signer.added', 'k2', { signer: { ...k2.entry } }, k1);
    c.appendMany(20);
  });
  add('emergency and statement left out of the middle', [...genuine.slice(0, 8), ...genuine.slice(10)]);
  add('the statement left out of the middle', [...genuine.slice(0, 9), ...genuine.slice(10)]);
  const later = Buffer.from(genuine[9] as Uint8Array)
    .toString()
    .replace('"seq":6,"shard":0', '"seq":9,"shard":0')
    .replace(/"since":\[\{"seq":6/, '"since":[{"seq":9');
  add('the statement with a later position, its signature left', [
    ...genuine.slice(0, 9),
    Buffer.from(later),
    ...genuine.slice(10),
  ]);

  registry('the old key adds a key of the thief', 'signer.added', 'k3', { signer: { ...k3.entry } });
  registry('the old key retires the new one', 'signer.retired', 'k2', { signer_kid: 'k2', retiredAt: last });
  registry('the old key declares the new one compromised', 'signer.compromised', 'k2', {
    ...statement,
    signer_kid: 'k2',
  });
  registry('the old key takes its statement back', 'signer.compromised', 'k1', statement);
  registry('the old key replaces the new one by one of the thief', 'signer.emergency', 'k2', {
    from: 'k2',
    to: { ...k3.entry },
    counterSignature: k3.provePossession(origin, 'k2'),
    reason: 'x',
    compromisedAt: last,
  });
  registry('the old key comes back under another name', 'signer.added', 'k9', {
    signer: { ...k1.entry, signer_kid: 'k9' },
  });

  const whole = (name: string, shards: number, tell: (c: EvidenceChain) => void): void => {
    const forged = new EvidenceChain(k1, origin, 0, { shards });
    tell(forged);
    add(name, forged.bytes);
  };
  whole('a whole chain of its own', 1, (c) => c.found().appendMany(20));
  whole('a whole chain of its own, with six shards', 6, (c) => c.found().appendMany(20));
  whole('a whole chain without a founding', 1, (c) => {
    c.addSigner();
    c.appendMany(20);
  });
  whole('a whole chain without a registry', 1, (c) => c.appendMany(20));
  whole('a whole chain that founds both keys', 1, (c) => c.found([k1, k2]).appendMany(20));
  whole('a whole chain that founds both keys, and the old one declares itself compromised', 1, (c) => {
    c.found([k1, k2]).appendMany(20);
    c.registry('signer.compromised', 'k1', statement, k1);
  });
  whole('a whole chain that founds another key under the name of the new one', 1, (c) => {
    c.found([k1, renamed(k3, 'k2')]).appendMany(5);
    c.registry('signer.compromised', 'k1', statement, renamed(k3, 'k2'));
  });
  whole('a whole chain, founded in the name of the new key', 1, (c) => {
    c.found([k1], { signer: renamed(k1, 'k2') }).appendMany(5);
  });
  return { kernel, fakes };
}

function ofTwoShards(): { kernel: RobbedKernel; fakes: Fake[] } {
  const kernel = new RobbedKernel(2);
  const { chain, k1, k2 } = kernel;
  const other = chain.beside(1);
  const fakes: Fake[] = [];
  /** Shard 1 up to a position, then what the thief tells there. */
  const told = (name: string, length: number, tell: (c: EvidenceChain) => void): void => {
    const fork = cut(kernel, 1, length);
    tell(fork);
    fakes.push({ name, lines: presented(kernel, [1, fork.bytes]) });
  };
  const end = other.events.length;
  const last = other.events.at(-1)?.ts ?? '';
  const byOld = (c: EvidenceChain, count: number, given: TestEvent = {}): void => {
    for (let i = 0; i < count; i++) c.append({ signer: k1, stream: `thing/old-${i}`, ...given });
  };
  told('in another shard behind its end', end, (c) => byOld(c, 1));
  told('in another shard behind its end, dated like the event before', end, (c) => byOld(c, 1, { ts: last }));
  told('in another shard in the place of the last event', end - 1, (c) => byOld(c, 1));
  told('in another shard directly behind its end there', 4, (c) => byOld(c, 3));
  told('another shard cut where the statement says it was, and gone on', 3, (c) => byOld(c, 4));
  told('another shard written again from its beginning, as long as it was', 0, (c) => byOld(c, end));
  told('another shard written again up to its end there', 0, (c) => byOld(c, 4));
  told('another shard cut before what the signer events say', 3, () => undefined);
  told('another shard left out', 0, () => undefined);
  told('a registry event in another shard', end, (c) => {
    const heads = headsPayload(chain.heads());
    c.append({
      signer: k1,
      type: 'signer.added',
      stream: 'signer/k3',
      payload: { heads, signer: { ...kernel.k3.entry } },
    });
  });
  told('a founding in another shard', end, (c) => {
    const payload = foundingPayload({ origin: chain.origin, shards: 9, approverPool: null });
    c.append({ signer: k1, type: FOUNDING_TYPE, stream: FOUNDING_STREAM, payload });
  });

  // Both shards are the thief's from the emergency on, which says that shard 1 was far ahead.
  const first = cut(kernel, 0, 8);
  const second = first.beside(1).cut(4);
  byOld(second, 30);
  first.registry(
    'signer.emergency',
    'k1',
    {
      from: 'k1',
      to: { ...k2.entry },
      counterSignature: k2.provePossession(chain.origin, 'k1'),
      reason: 'x',
      compromisedAt: last,
    },
    k1,
  );
  fakes.push({
    name: 'an emergency of its own, which states heads that are far ahead',
    lines: presented(kernel, [0, first.bytes], [1, second.bytes]),
  });
  return { kernel, fakes };
}

/** Genuine statements that leave a shard out, and what the thief had written there before. */
function ofStatement(): { kernel: RobbedKernel; fakes: Fake[] } {
  const kernel = new RobbedKernel(2, (chain) => ({
    since: [{ shard: 0, seq: 6 }],
    reattested: [chain.range(6, 9)],
  }));
  return {
    kernel,
    fakes: [{ name: 'events in a shard that the statement does not list', lines: presented(kernel) }],
  };
}

function ofSilence(): { kernel: RobbedKernel; fakes: Fake[] } {
  const kernel = new RobbedKernel(1, () => ({ since: [{ shard: 0, seq: 6 }], reattested: [] }));
  const swapped = new RobbedKernel(1, (chain) => {
    const range = chain.range(6, 9);
    return {
      since: [{ shard: 0, seq: 6 }],
      reattested: [{ ...range, to: { seq: 9, hash: 'ab'.repeat(32) } }],
    };
  });
  return {
    kernel,
    fakes: [
      { name: 'events in doubt that nobody stands by', lines: presented(kernel) },
      { name: 'other events than those that the kernel stands by', lines: presented(swapped) },
    ],
  };
}

/** The same private key under another name. */
function renamed(signer: TestSigner, kid: string): TestSigner {
  return new TestSigner(kid, { seed: signer.seed, purposes: signer.entry.purposes });
}
