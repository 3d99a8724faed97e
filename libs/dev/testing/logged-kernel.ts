import { createHash } from 'node:crypto';
import {
  buildEnvelope,
  dssePae,
  KeyRing,
  MANIFEST_PAYLOAD_TYPE,
  manifestDigest,
  manifestStatement,
  spannedSigners,
  type Envelope,
  type JsonObject,
  type ManifestStatement,
  type SignerPurpose,
  type TrustRoot,
} from '#evidence';
import { ChainLog, TestWitness } from './chain-log';
import { EvidenceChain, TestSigner } from './evidence-chain';

/** The key of a name, from a seed that is public: vectors are made of this kernel too. */
function key(kid: string, purpose: SignerPurpose): TestSigner {
  const seed = createHash('sha256').update(`illuvrse-kernel test vector key ${kid}`).digest();
  return new TestSigner(kid, { seed, purposes: [purpose] });
}

const ORIGIN = 'kernel.example.com/logged';
const SIGNED_AT = '2026-01-31T10:00:00.000Z';

/**
 * A kernel of two shards whose log is published and cosigned, and in whose life every kind of key has ended: a
 * checkpoint key that was retired and one that was compromised, a retired manifest key, an audit key that was stolen.
 */
export class LoggedKernel {
  /** Audit keys: the first was stolen, and the second took its place. */
  readonly k1 = key('k1', 'audit');
  readonly k2 = key('k2', 'audit');
  /** Checkpoint keys: retired, active, compromised. */
  readonly c1 = key('c1', 'checkpoint');
  readonly c2 = key('c2', 'checkpoint');
  readonly cx = key('cx', 'checkpoint');
  /** Manifest keys: retired, active. */
  readonly m1 = key('m1', 'manifest');
  readonly m2 = key('m2', 'manifest');
  readonly witnesses = ['w1', 'w2', 'w3'].map(
    (name) => new TestWitness(`${name}.example.org`, key(name, 'checkpoint')),
  );
  readonly chain: EvidenceChain;
  readonly other: EvidenceChain;
  readonly log: ChainLog;
  readonly otherLog: ChainLog;
  readonly manifest: JsonObject = { id: 'agent-7', version: '1.2.0', kind: 'agent', tools: ['search'] };
  /** By m1, at 0:9. */
  readonly envelope: Envelope;
  /** By m2, at 0:17. */
  readonly later: Envelope;

  /**
   * Shard 0: 1 to 5 the founding; 6 to 8 by k1; 9 a manifest by m1; 10; 11 c2 for c1, 12 c1 retired, 13 cx compromised, 14
   * m2 for m1, 15 m1 retired; 16; 17 a manifest by m2; 18 the emergency, k2 for k1; 19 the statement, in doubt from 0:16 and
   * 1:3 on; 20 to 22 by k2. Shard 1: 1 to 4 by k1, 5 to 7 by k2.
   */
  constructor() {
    const { k1, k2, c1, c2, cx, m1, m2 } = this;
    const chain = new EvidenceChain(k1, ORIGIN, 0, { shards: 2 }).found([k1, c1, m1, cx]);
    this.chain = chain;
    this.other = chain.beside(1);
    chain.appendMany(3);
    this.envelope = this.sign(m1, this.manifest, 8);
    this.record(this.envelope, this.manifest);
    chain.append();
    for (let n = 1; n <= 4; n++) this.other.append({ stream: `thing/other-${n}` });
    chain.rotateSigner(c1, c2, k1);
    chain.retireSigner(c1, k1);
    chain.compromiseSigner(cx, k1);
    chain.rotateSigner(m1, m2, k1);
    chain.retireSigner(m1, k1);
    chain.append();
    this.later = this.sign(m2, this.manifest, 16);
    this.record(this.later, this.manifest);
    chain.emergencySigner(k1, k2);
    chain.compromiseSigner(k1, k2, {
      since: [
        { shard: 0, seq: 16 },
        { shard: 1, seq: 3 },
      ],
      reattested: [],
    });
    for (let n = 20; n <= 22; n++) chain.append({ signer: k2 });
    for (let n = 5; n <= 7; n++) this.other.append({ signer: k2, stream: `thing/other-${n}` });
    this.log = new ChainLog(chain, c2, this.witnesses.slice(0, 2));
    this.otherLog = new ChainLog(this.other, c2, this.witnesses.slice(0, 2));
  }

  /** The signers.json of the kernel: spans, and two of three witnesses. */
  trust(): TrustRoot {
    const { origin, shards } = this.chain;
    const signers = [this.k1, this.k2, this.c1, this.c2, this.cx, this.m1, this.m2].map(({ entry }) => entry);
    const ring = new KeyRing({ origin, shards, firstPool: null, signers });
    for (const event of this.chain.events) ring.apply(event);
    return {
      origin,
      shards,
      firstPool: null,
      signers: spannedSigners(ring.registry),
      log: { witnesses: this.witnesses.map(({ vkey }) => vkey), quorum: 2 },
    };
  }

  /** Bytes of the event at a position. */
  at(seq: number, shard = 0): Uint8Array {
    return this.chain.beside(shard).bytes[seq - 1] as Uint8Array;
  }

  /** A manifest's envelope by a key. @param after position of the head when it was signed */
  sign(
    signer: TestSigner,
    manifest: JsonObject,
    after: number,
    given: Partial<ManifestStatement> = {},
  ): Envelope {
    const payload = manifestStatement({
      manifestId: manifest['id'] as string,
      version: manifest['version'] as string,
      kind: manifest['kind'] as string,
      division: null,
      origin: ORIGIN,
      signedAt: SIGNED_AT,
      requestedBy: 'CN=operator',
      auditSeqAfter: `0:${after}`,
      sha256: manifestDigest(manifest),
      ...given,
    });
    return buildEnvelope(payload, signer.kid, signer.sign(dssePae(MANIFEST_PAYLOAD_TYPE, payload)));
  }

  /**
   * Records an envelope, as the kernel does.
   * @param payload members that it says otherwise
   */
  record(
    envelope: Envelope,
    manifest: JsonObject,
    { chain = this.chain, signer = this.k1, payload = {} }: RecordOptions = {},
  ): void {
    chain.append({
      type: 'manifest.signed',
      stream: `manifest/${manifest['id'] as string}`,
      signer,
      payload: {
        manifestId: manifest['id'] ?? null,
        version: manifest['version'] ?? null,
        kind: manifest['kind'] ?? null,
        division: null,
        sha256: manifestDigest(manifest),
        signatureId: '01900000-0000-7000-8000-000000000001',
        keyVersion: '1',
        envelope: { ...envelope },
        ...payload,
      },
    });
  }
}

interface RecordOptions {
  chain?: EvidenceChain;
  signer?: TestSigner;
  payload?: JsonObject;
}
