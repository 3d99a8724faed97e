import {
  canonicalize,
  noteKeyText,
  type Envelope,
  type JsonObject,
  type JsonValue,
  type NoteSignature,
  type TrustedSigner,
  type TrustRoot,
} from '#evidence';
import { ChainLog, signedLine, type CheckpointParts, TestWitness } from './chain-log';
import { type EvidenceChain, type TestEvent, TestSigner } from './evidence-chain';
import { type LoggedKernel } from './logged-kernel';

/** A receipt that no verifier may accept, with the word that its refusal starts with. */
export interface FakeReceipt {
  name: string;
  thief: FakeMaker;
  event: Uint8Array;
  receipt: string;
  trust: TrustRoot;
  /** Text of a policy that counts in place of what the trust root asks for. */
  policy?: string;
  /** Code of one of the faults. */
  cause: string;
}

/** A manifest signature that no verifier may accept. */
export interface FakeManifest {
  name: string;
  thief: FakeMaker;
  manifest: string;
  envelope: string;
  record: { event: Uint8Array; receipt: string } | null;
  trust: TrustRoot;
  cause: string;
}

/** What its maker has got hold of: keys by their purpose, whether they have ended or not. */
export type FakeMaker =
  'what-is-public' | 'audit-key' | 'manifest-key' | 'checkpoint-key' | 'audit-and-checkpoint-key';

const NOTHING = 'what-is-public';
const AUDIT = 'audit-key';
const MANIFEST = 'manifest-key';
const CHECKPOINT = 'checkpoint-key';
const BOTH = 'audit-and-checkpoint-key';

const stranger = new TestSigner('stranger', { seed: Buffer.alloc(32, 99), purposes: ['checkpoint'] });
const EXAMPLE = { seq: 20, size: 22 };

/** Receipts with which someone could try to pass off an event, or another position of it. */
export function fakesOfReceipt(kernel: LoggedKernel): FakeReceipt[] {
  const { log, otherLog, chain, k1, k2, c1, c2, cx, m2, witnesses } = kernel;
  const [w1, w2, w3] = witnesses as [TestWitness, TestWitness, TestWitness];
  const { seq, size } = EXAMPLE;
  const trust = kernel.trust();
  const genuine = { event: kernel.at(seq), receipt: log.receipt(seq), trust };
  const fakes: FakeReceipt[] = [];
  const add = (name: string, thief: FakeMaker, cause: string, given: Partial<FakeReceipt>): void => {
    fakes.push({ ...genuine, name, thief, cause, ...given });
  };
  const receipt = (name: string, cause: string, text: string, thief: FakeMaker = NOTHING): void =>
    add(name, thief, cause, { receipt: text });
  const checkpoint = (name: string, thief: FakeMaker, cause: string, parts: CheckpointParts): void =>
    receipt(name, cause, log.receipt(seq, parts), thief);
  const event = (name: string, thief: FakeMaker, cause: string, bytes: Uint8Array): void =>
    add(name, thief, cause, { event: bytes });
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  const lines = genuine.receipt.split('\n');
  const without = (from: number, count: number, ...more: string[]): string =>
    lines.toSpliced(from, count, ...more).join('\n');
  const note = log.checkpoint();
  const under = (other: string): string => log.receipt(seq, {}, other);

  receipt('that of the event before', 'proof', log.receipt(seq - 1));
  receipt('with the index of the event before', 'proof', without(1, 1, `index ${seq - 2}`));
  receipt('with an index beyond the tree', 'proof', without(1, 1, `index ${size}`));
  receipt('with an index that is no number', 'invalid_log_proof', without(1, 1, 'index 0x13'));
  receipt('with an index of leading zeros', 'invalid_log_proof', without(1, 1, 'index 019'));
  receipt('with one hash of its path left out', 'proof', without(3, 1));
  receipt('with one hash more in its path', 'proof', without(3, 0, lines[3] as string));
  receipt(
    'with two hashes of its path exchanged',
    'proof',
    without(2, 2, lines[3] as string, lines[2] as string),
  );
  receipt('with a hash of 31 bytes', 'invalid_log_proof', without(2, 1, Buffer.alloc(31).toString('base64')));
  receipt('cut in its last line', 'invalid_checkpoint', genuine.receipt.slice(0, -9));
  receipt('without its last line feed', 'invalid_checkpoint', genuine.receipt.slice(0, -1));
  receipt(
    'without a checkpoint',
    'invalid_checkpoint',
    lines.slice(0, lines.indexOf('') + 1).join('\n') + '\n',
  );
  receipt('which is empty', 'invalid_log_proof', '');
  receipt('which is the checkpoint alone', 'invalid_log_proof', note);
  receipt('with line ends of another system', 'invalid_log_proof', genuine.receipt.replaceAll('\n', '\r\n'));
  receipt('with a text behind it', 'invalid_checkpoint', `${genuine.receipt}and more\n`);
  receipt('that of another shard', 'proof', otherLog.receipt(5));
  add('for an event of another shard at the same index', NOTHING, 'proof', {
    event: kernel.at(5, 1),
    receipt: log.receipt(5),
  });

  checkpoint('by another kernel of the same name but one letter', CHECKPOINT, 'origin', {
    origin: 'kernel.example.com/logger',
  });
  receipt(
    'with the name of another kernel put in',
    'origin',
    genuine.receipt.replaceAll(chain.origin, 'kernel.example.com/other'),
  );
  checkpoint('of a shard that does not exist', CHECKPOINT, 'unknown_shard', { shard: 5 });
  checkpoint('of the other shard, with the tree of this one', CHECKPOINT, 'proof', { shard: 1 });
  checkpoint('whose checkpoint an audit key has signed', AUDIT, 'key_not_valid', { signers: [k2] });
  checkpoint('whose checkpoint the stolen audit key has signed', AUDIT, 'key_not_valid', { signers: [k1] });
  checkpoint('whose checkpoint a manifest key has signed', MANIFEST, 'key_not_valid', { signers: [m2] });
  checkpoint('whose checkpoint a stranger has signed', NOTHING, 'unknown_key', { signers: [stranger] });
  checkpoint('whose checkpoint nobody has signed but witnesses', NOTHING, 'unknown_key', { signers: [] });
  checkpoint('whose checkpoint a compromised key has signed', CHECKPOINT, 'key_not_valid', {
    signers: [cx],
  });
  checkpoint('whose checkpoint a retired key has signed beyond its end', CHECKPOINT, 'key_not_valid', {
    signers: [c1],
  });
  const forged = signedLine(log.name, stranger, log.text());
  checkpoint("whose checkpoint a stranger has signed under the key's hash", NOTHING, 'signature', {
    signers: [],
    lines: [{ ...forged, keyHash: signedLine(log.name, c2, log.text()).keyHash }],
  });
  checkpoint('whose checkpoint has a wrong signature beside the right one', NOTHING, 'signature', {
    lines: [{ ...forged, keyHash: signedLine(log.name, c2, log.text()).keyHash }],
  });
  checkpoint('whose checkpoint has the signature of an earlier one', NOTHING, 'signature', {
    signers: [],
    lines: [signedLine(log.name, c2, log.text({ size: 17 }))],
  });
  receipt(
    'whose checkpoint names a smaller size',
    'signature',
    genuine.receipt.replace(`\n${size}\n`, `\n${size - 1}\n`),
  );
  receipt(
    'whose checkpoint names a larger size',
    'signature',
    genuine.receipt.replace(`\n${size}\n`, `\n${size + 1}\n`),
  );
  const [name, shown, root, ...rest] = note.split('\n');
  receipt(
    'whose checkpoint has a line more',
    'signature',
    under([name, shown, root, 'more', ...rest].join('\n')),
  );

  checkpoint('without cosignatures', CHECKPOINT, 'quorum', { witnesses: [] });
  checkpoint('with one cosignature of two', CHECKPOINT, 'quorum', { witnesses: [w3] });
  checkpoint('with one witness counted twice', CHECKPOINT, 'quorum', {
    witnesses: [w1],
    lines: [w1.cosign(log.text(), 1_769_853_700)],
  });
  checkpoint('with one witness under the name of another', CHECKPOINT, 'quorum', {
    witnesses: [w1, new TestWitness(w2.name, w1.signer)],
  });
  checkpoint('with strangers as witnesses', CHECKPOINT, 'quorum', {
    witnesses: ['a', 'b'].map((of) => new TestWitness(`${of}.example.org`, stranger)),
  });
  checkpoint('with a wrong cosignature beside two right ones', CHECKPOINT, 'signature', {
    lines: [{ ...w3.cosign(log.text()), signature: w3.cosign(log.text({ size: 17 })).signature }],
  });
  checkpoint('with the cosignatures of an earlier checkpoint', CHECKPOINT, 'signature', {
    witnesses: [],
    lines: [w1.cosign(log.text({ size: 17 })), w2.cosign(log.text({ size: 17 }))],
  });
  checkpoint('with witnesses that have signed as logs do', CHECKPOINT, 'quorum', {
    witnesses: [],
    lines: [w1, w2].map((one) => signedLine(one.name, one.signer, log.text())),
  });
  checkpoint('with a cosignature whose time was changed', CHECKPOINT, 'signature', {
    witnesses: [w1],
    lines: [aged(w2.cosign(log.text()))],
  });

  const example = text(genuine.event);
  event('for the event before', NOTHING, 'proof', kernel.at(seq - 1));
  event(
    'for an event with another payload',
    NOTHING,
    'hash',
    Buffer.from(example.replace('event 20', 'event 21')),
  );
  event(
    'for an event with another signature',
    NOTHING,
    'signature',
    sealed(chain, seq, stranger, { signerKid: 'k2', payload: chain.events[seq - 1]?.payload ?? {} }),
  );
  event(
    'for an event with another payload and its hash',
    NOTHING,
    'signature',
    sealed(chain, seq, stranger, { signerKid: 'k2' }),
  );
  event('for an event that is another in its place', AUDIT, 'proof', sealed(chain, seq, k2));
  event('for an event by the stolen key in its place', AUDIT, 'key_not_valid', sealed(chain, seq, k1));
  event('for an event by an unknown key', NOTHING, 'unknown_key', sealed(chain, seq, stranger));
  event('for an event by a checkpoint key', CHECKPOINT, 'key_not_valid', sealed(chain, seq, c2));
  event('for an event that is not canonical', NOTHING, 'format', Buffer.from(example.replace('{', '{ ')));
  event('for an event with a line feed in front', NOTHING, 'format', Buffer.from(`\n${example}`));
  event('for two events at once', NOTHING, 'format', Buffer.from(`${example}\n${text(kernel.at(21))}`));
  event('for no event', NOTHING, 'format', Buffer.from(''));
  event('for its own checkpoint', NOTHING, 'format', Buffer.from(note));

  add('for an event in doubt, in the log when its key was known to be lost', AUDIT, 'key_not_valid', {
    event: kernel.at(16),
    receipt: log.receipt(16),
  });
  add('for an event in doubt, under an earlier checkpoint of a compromised key', AUDIT, 'key_not_valid', {
    event: kernel.at(16),
    receipt: log.receipt(16, { size: 17, signers: [cx] }),
  });
  add('for an event in doubt, under an earlier checkpoint without cosignatures', AUDIT, 'quorum', {
    event: kernel.at(16),
    receipt: log.receipt(16, { size: 17, witnesses: [] }),
  });

  for (const fake of ofOwnTree(kernel)) add(fake.name, fake.thief, fake.cause, fake);
  for (const [what, cause, root_] of poorRoots(kernel)) add(what, NOTHING, cause, { trust: root_ });
  const policy = (what: string, cause: string, given: string): void =>
    add(what, CHECKPOINT, cause, { policy: given });
  policy('by a policy with another log', 'unknown_key', `log ${logVkey(log.name, stranger)}\nquorum none\n`);
  policy(
    'by a policy with the log of another shard',
    'unknown_key',
    `log ${logVkey(otherLog.name, c2)}\nquorum none\n`,
  );
  policy('by a policy that asks for the third witness', 'quorum', `witness w3 ${w3.vkey}\nquorum w3\n`);
  policy(
    'by a policy that asks for all three',
    'quorum',
    `witness w1 ${w1.vkey}\nwitness w2 ${w2.vkey}\nwitness w3 ${w3.vkey}\ngroup all-of-them all w1 w2 w3\nquorum all-of-them\n`,
  );
  return fakes;
}

/** What someone shows who grows a tree of their own, with the keys that they have. */
function ofOwnTree(kernel: LoggedKernel): Omit<FakeReceipt, 'trust'>[] {
  const { k1, k2, c1, c2, cx, witnesses } = kernel;
  const grown = (length: number, signer: TestSigner): EvidenceChain => {
    const fork = kernel.chain.fork()[0]?.cut(length) as EvidenceChain;
    for (let n = 0; n < 3; n++) fork.append({ signer });
    return fork;
  };
  const shown = (
    name: string,
    thief: FakeMaker,
    cause: string,
    chain: EvidenceChain,
    signer: TestSigner,
    by: readonly TestWitness[],
  ): Omit<FakeReceipt, 'trust'> => ({
    name,
    thief,
    cause,
    event: chain.bytes.at(-1) as Uint8Array,
    receipt: new ChainLog(chain, signer, by).receipt(chain.bytes.length),
  });
  const two = witnesses.slice(0, 2);
  return [
    shown(
      'for an event of a tree that an audit key has signed',
      AUDIT,
      'key_not_valid',
      grown(22, k2),
      k2,
      two,
    ),
    shown('for an event of a tree of their own, which no witness saw', BOTH, 'quorum', grown(22, k2), c2, []),
    shown(
      'for an event of a tree of their own, which one witness saw',
      BOTH,
      'quorum',
      grown(22, k2),
      c2,
      two.slice(1),
    ),
    shown('for an event of the stolen key behind its end', AUDIT, 'key_not_valid', grown(22, k1), c2, two),
    shown(
      'for an event of the stolen key in doubt, in a tree cut before the emergency',
      BOTH,
      'quorum',
      grown(13, k1),
      c2,
      [],
    ),
    shown(
      'for an event in a tree cut before the emergency, by a compromised key',
      BOTH,
      'key_not_valid',
      grown(8, k1),
      cx,
      two,
    ),
    shown(
      'for an event in a tree by a retired checkpoint key, beyond its end',
      BOTH,
      'key_not_valid',
      grown(15, k1),
      c1,
      two,
    ),
    shown('for an event of a key before it was added', AUDIT, 'key_not_valid', grown(9, k2), c2, two),
  ];
}

/** Trust roots that lack what the claim rests on. */
function poorRoots(kernel: LoggedKernel): [what: string, cause: string, trust: TrustRoot][] {
  const trust = kernel.trust();
  const { shards: _, ...unknown } = trust;
  const changed = (kid: string, change: (signer: TrustedSigner) => TrustedSigner): TrustRoot => ({
    ...trust,
    signers: trust.signers.map((one) => (one.signer_kid === kid ? change(one) : one)),
  });
  const unspanned = ({ span: __, ...signer }: TrustedSigner): TrustedSigner => signer;
  const [w1, w2] = kernel.witnesses as [TestWitness, TestWitness];
  return [
    ['by a trust root that does not say how many shards there are', 'unknown_shard', unknown],
    ['by a trust root without the span of its key', 'key_not_valid', changed('k2', unspanned)],
    [
      'by a trust root that says the key is retired, and not where',
      'key_not_valid',
      changed('k2', (one) => ({ ...unspanned(one), status: 'retired' })),
    ],
    [
      'by a trust root that says the key is compromised, and not where',
      'key_not_valid',
      changed('k2', (one) => ({ ...unspanned(one), status: 'compromised' })),
    ],
    [
      'by a trust root that says the checkpoint key is retired, and not where',
      'key_not_valid',
      changed('c2', (one) => ({ ...unspanned(one), status: 'retired' })),
    ],
    [
      'by a trust root that says the checkpoint key is compromised',
      'key_not_valid',
      changed('c2', (one) => ({ ...one, status: 'compromised' })),
    ],
    [
      'by a trust root without the checkpoint key',
      'unknown_key',
      { ...trust, signers: trust.signers.filter(({ signer_kid }) => signer_kid !== 'c2') },
    ],
    ['by a trust root of another kernel', 'origin', { ...trust, origin: 'kernel.example.com/other' }],
    [
      'by a trust root that asks for three witnesses',
      'quorum',
      { ...trust, log: { witnesses: kernel.witnesses.map(({ vkey }) => vkey), quorum: 3 } },
    ],
    [
      'by a trust root that names one witness twice',
      'invalid_log_policy',
      { ...trust, log: { witnesses: [w1.vkey, new TestWitness(w2.name, w1.signer).vkey], quorum: 2 } },
    ],
  ];
}

/** Manifest signatures with which someone could try to pass off a manifest. */
export function fakesOfManifest(kernel: LoggedKernel): FakeManifest[] {
  const { k2, m1, m2, log, manifest, envelope, later } = kernel;
  const trust = kernel.trust();
  const recordAt = (seq: number, of: ChainLog = log): { event: Uint8Array; receipt: string } => ({
    event: of.chain.bytes[seq - 1] as Uint8Array,
    // The events by k1 from 16 on are in doubt: what was in the log before is shown by a checkpoint of then.
    receipt: of.receipt(seq, seq <= 17 ? { size: 17 } : {}),
  });
  const fakes: FakeManifest[] = [];
  const add = (
    name: string,
    thief: FakeMaker,
    cause: string,
    given: Partial<Omit<FakeManifest, 'manifest' | 'envelope'>> & {
      manifest?: JsonValue;
      envelope?: Envelope;
    },
  ): void => {
    const { manifest: document = manifest, envelope: dsse = envelope, ...more } = given;
    fakes.push({
      name,
      thief,
      cause,
      manifest: canonicalize(document),
      envelope: JSON.stringify(dsse),
      record: recordAt(9),
      trust,
      ...more,
    });
  };
  const other: JsonObject = { ...manifest, tools: ['search', 'shell'] };
  /** What the thief has recorded behind the head, with an audit key that is valid there, in a cosigned tree. */
  const recorded = (
    own: Envelope,
    document: JsonObject,
    payload: JsonObject = {},
  ): { event: Uint8Array; receipt: string } => {
    const fork = kernel.chain.fork()[0] as EvidenceChain;
    kernel.record(own, document, { chain: fork, signer: k2, payload });
    return recordAt(23, new ChainLog(fork, kernel.c2, kernel.witnesses.slice(0, 2)));
  };
  const evil = kernel.sign(m1, other, 8);
  const fresh = kernel.sign(m1, manifest, 22);
  const strange = new TestSigner('m2', { seed: Buffer.alloc(32, 98), purposes: ['manifest'] });

  add('another manifest', NOTHING, 'digest', { manifest: other });
  add('another manifest, without a receipt', NOTHING, 'digest', {
    manifest: other,
    envelope: later,
    record: null,
  });
  add('a signature by a retired key, without a receipt', MANIFEST, 'receipt_needed', { record: null });
  add('a new signature by a retired key, dated back, without a receipt', MANIFEST, 'receipt_needed', {
    manifest: other,
    envelope: evil,
    record: null,
  });
  add('a new signature by a retired key, with the receipt of an old one', MANIFEST, 'record', {
    manifest: other,
    envelope: evil,
  });
  add('a new signature by a retired key, with the receipt of one by its successor', MANIFEST, 'record', {
    manifest: other,
    envelope: evil,
    record: recordAt(17),
  });
  add('a new signature by a retired key, recorded behind its end', MANIFEST, 'key_not_valid', {
    envelope: fresh,
    record: recorded(fresh, manifest),
  });
  add('an old signature by a retired key, recorded again behind its end', AUDIT, 'key_not_valid', {
    record: recorded(envelope, manifest),
  });
  add('a signature by a stranger under a known name', NOTHING, 'signature', {
    envelope: kernel.sign(strange, manifest, 16),
    record: null,
  });
  add('a signature by an unknown key', NOTHING, 'unknown_key', {
    envelope: kernel.sign(stranger, manifest, 16),
    record: null,
  });
  add('a signature by an audit key', AUDIT, 'key_not_valid', {
    envelope: kernel.sign(k2, manifest, 16),
    record: null,
  });
  add('a signature for another kernel', MANIFEST, 'origin', {
    envelope: kernel.sign(m2, manifest, 16, { origin: 'kernel.example.com/other' }),
    record: null,
  });
  add('the receipt of another event', NOTHING, 'record', { record: recordAt(10) });
  add('the receipt of another signature', NOTHING, 'record', { record: recordAt(17) });
  add('an envelope without the recorded signature', MANIFEST, 'record', {
    envelope: { ...envelope, signatures: later.signatures },
  });
  add('a receipt without cosignatures', CHECKPOINT, 'quorum', {
    record: { event: kernel.at(9), receipt: log.receipt(9, { witnesses: [] }) },
  });
  add('a receipt under a checkpoint of an audit key', AUDIT, 'key_not_valid', {
    record: { event: kernel.at(9), receipt: log.receipt(9, { signers: [k2] }) },
  });
  add('a receipt of another index', NOTHING, 'proof', {
    record: { event: kernel.at(9), receipt: log.receipt(8) },
  });
  add('an event that records another digest than its envelope', AUDIT, 'record', {
    envelope: later,
    record: recorded(later, manifest, { sha256: 'ab'.repeat(32) }),
  });
  add('an event that records another id than its envelope', AUDIT, 'record', {
    envelope: later,
    record: recorded(later, manifest, { manifestId: 'agent-8' }),
  });
  add('an event of another stream', AUDIT, 'record', {
    envelope: later,
    record: recorded(
      later,
      { ...manifest, id: 'agent-8' },
      { manifestId: 'agent-7', sha256: kernel.chain.events[16]?.payload['sha256'] ?? '' },
    ),
  });
  add('an event that was recorded before the head that the statement names', AUDIT, 'record', {
    envelope: kernel.sign(m2, manifest, 99),
    record: recorded(kernel.sign(m2, manifest, 99), manifest),
  });
  add('a statement of another shard than its record', AUDIT, 'record', {
    envelope: kernel.sign(m2, manifest, 16, { auditSeqAfter: '1:2' }),
    record: recorded(kernel.sign(m2, manifest, 16, { auditSeqAfter: '1:2' }), manifest),
  });
  add('an event without an envelope', AUDIT, 'invalid_envelope', {
    envelope: later,
    record: recorded(later, manifest, { envelope: null }),
  });
  add('a retired key whose end the trust root does not tell', NOTHING, 'key_not_valid', {
    trust: {
      ...trust,
      signers: trust.signers.map(({ span, ...one }) =>
        one.signer_kid === 'm1' || span === undefined ? one : { ...one, span },
      ),
    },
  });
  return fakes;
}

/** The text of a log's key. */
function logVkey(name: string, { rawPublicKey: raw }: TestSigner): string {
  return noteKeyText({ name, type: 'ed25519', raw });
}

/** Another event in the place of one, by a key that signs under its own name or another's. */
function sealed(chain: EvidenceChain, seq: number, signer: TestSigner, given: TestEvent = {}): Uint8Array {
  const fork = chain.fork()[chain.shard]?.cut(seq - 1) as EvidenceChain;
  fork.append({ payload: { n: -seq }, ...given, signer });
  return fork.bytes.at(-1) as Uint8Array;
}

/** A cosignature whose time says one second more. */
function aged({ signature, ...line }: NoteSignature): NoteSignature {
  const later = Uint8Array.from(signature);
  later[7] = (later[7] ?? 0) ^ 1;
  return { ...line, signature: later };
}
