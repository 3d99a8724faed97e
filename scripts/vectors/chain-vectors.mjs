// The vectors of whole chains (docs/spec/verification.md).
import { Chain, withoutHash } from './event-vectors.mjs';
import {
  AUDIT_1,
  AUDIT_2,
  FOREIGN,
  MANIFEST_ONLY,
  ORIGIN,
  SHARDS,
  evidence,
  malleate,
  possession,
  possessionInput,
  spanOf,
} from './vector-kernel.mjs';

/** Inputs that a signer must not sign as a proof of possession. */
export function possessionRefused() {
  const right = Buffer.from(possessionInput(AUDIT_1, AUDIT_2)).toString();
  return [
    ['nothing', ''],
    ['an event', `illuvrse-kernel/audit-event/v1\n${ORIGIN}\n0\n1\n${'ab'.repeat(32)}\n`],
    ['a line too many', `${right}\n`],
    ['no line feed at the end', right.slice(0, -1)],
    ['no kid', right.replace(`\n${AUDIT_2.kid}\n`, '\n\n')],
    ['a kid with a space', right.replace(`\n${AUDIT_2.kid}\n`, '\nkernel audit\n')],
    ['the digest in capitals', right.replace(/[0-9a-f]{64}\n$/, (digest) => digest.toUpperCase())],
    ['no origin', right.replace(ORIGIN, '')],
  ].map(([name, input]) => ({ name, input }));
}

/**
 * A chain whose key is stolen after 4: an emergency key takes over, and re-attests 5 to 7, or does not. Shard 1 has
 * three events by the lost key.
 */
function stolen({
  reattested = true,
  hash,
  counterSignature = possession(AUDIT_1, AUDIT_2),
  late = false,
  since = [
    { shard: 0, seq: 5 },
    { shard: 1, seq: 4 },
  ],
} = {}) {
  const chain = new Chain().found(); // 1, 2
  const other = chain.beside(1);
  for (let n = 0; n < 3; n++) other.append({ stream: 'upgrade/upg-43' });
  for (let seq = 3; seq <= 6; seq++) chain.append(); // 3 to 6
  const at = chain.events[3].ts;
  const reason = 'a copy of the key was found';
  const emergency = { from: AUDIT_1.kid, to: AUDIT_2.entry, counterSignature, reason, compromisedAt: at };
  chain.registry('signer.emergency', AUDIT_1.kid, emergency); // 7
  if (late) chain.append(); // 8, by the old key
  const point = (seq) => ({ seq, hash: chain.events[seq - 1].hash });
  const statement = {
    signer_kid: AUDIT_1.kid,
    compromisedAt: at,
    ...(since === null ? {} : { since }),
    reattested: reattested
      ? [{ shard: 0, from: point(5), to: hash === undefined ? point(7) : { seq: 7, hash }, count: 3 }]
      : [],
  };
  chain.registry('signer.compromised', AUDIT_1.kid, statement, AUDIT_2); // 8
  chain.append({ signer: AUDIT_2 }); // 9
  return { chain, other };
}

/** Eleven events: the founding, one key rotated away, the work of two streams in between. */
export function story() {
  const chain = new Chain().found(); // 1, 2
  chain.append(); // 3
  chain.append(); // 4
  chain.append({ stream: 'division/product', type: 'division.registered' }); // 5
  chain.append(); // 6
  chain.rotateSigner(AUDIT_1, AUDIT_2); // 7
  chain.append({ signer: AUDIT_2 }); // 8
  chain.endSigner(AUDIT_1, 'retired', AUDIT_2); // 9
  chain.append({ signer: AUDIT_2 }); // 10
  chain.append({ signer: AUDIT_2, stream: 'division/product', type: 'division.renamed' }); // 11
  return chain;
}

/** The same with three events in shard 1 before the rotation, one between it and the end of the old key, and more. */
function storyOfTwo(more = (chain, other) => other.append({ signer: AUDIT_2 })) {
  const chain = new Chain().found(); // 0:1, 0:2
  const other = chain.beside(1);
  for (let n = 0; n < 3; n++) other.append({ stream: 'upgrade/upg-43' }); // 1:1 to 1:3
  chain.rotateSigner(AUDIT_1, AUDIT_2); // 0:3
  other.append({ stream: 'upgrade/upg-43' }); // 1:4, still by the old key
  chain.endSigner(AUDIT_1, 'retired', AUDIT_2); // 0:4
  more(chain, other);
  return { chain, other };
}

const replaced = (lines, seq, line) => lines.map((old, i) => (i === seq - 1 ? line : old));
export const without = (lines, ...seqs) => lines.filter((_, i) => !seqs.includes(i + 1));
const reordered = (lines, ...seqs) => seqs.map((seq) => lines[seq - 1]);
const fault = (code, seq, shard = 0) => ({ code, shard, seq });

/** The event at `seq` with other content, hash and signature. */
function forged(chain, seq, change, signer) {
  const event = withoutHash(structuredClone(chain.events[seq - 1]));
  change(event);
  const sealed = evidence.sealEvent(event, chain.origin);
  return Buffer.from(sealed.finish(signer.sign(sealed.signingInput)).bytes).toString();
}

/** The event at `seq` with members set; hash and signature stay as they are unless set too. */
function patched(chain, seq, members) {
  return evidence.canonicalize({ ...chain.events[seq - 1], ...members });
}

/** The chains, each with the faults that it has, written by hand. */
function chainCases() {
  const chain = story();
  const lines = chain.lines();
  const head = chain.events.at(-1);
  const founded = () => new Chain().found();
  const told = (tell, start = founded()) => {
    tell(start);
    return start;
  };
  const both = ({ chain: first, other }) => [...first.lines(), ...other.lines()];
  const early = told((c) => {
    c.append({ signer: AUDIT_2 });
    c.addSigner(AUDIT_2);
    c.append({ signer: AUDIT_2 });
  });
  const late = told((c) => {
    c.append({ signer: AUDIT_1 });
    c.append({ signer: AUDIT_2 });
  }, story());
  const back = told((c) => {
    c.append();
    c.append({ ts: '2026-01-31T10:00:01.000Z' });
  });
  const streams = told((c) => {
    c.append({ stream: 'upgrade/a' });
    c.append({ stream: 'upgrade/a', streamVersion: 3 });
    c.append({ stream: 'upgrade/b', streamVersion: 2 });
  });
  const sameId = told((c) => c.append({ id: c.events[0].id }));
  const foreign = told((c) => c.append({ signer: FOREIGN }), new Chain().found([FOREIGN]));
  const wrongPurpose = told((c) => {
    c.addSigner(MANIFEST_ONLY);
    c.append({ signer: MANIFEST_ONLY });
  });
  const lost = told((c) => {
    c.addSigner(AUDIT_2);
    c.append();
    c.endSigner(AUDIT_1, 'compromised', AUDIT_2, {
      since: [
        { shard: 0, seq: 99 },
        { shard: 1, seq: 99 },
      ],
    });
    c.append();
  });
  const recovered = told((c) => {
    c.addSigner(AUDIT_2, AUDIT_2);
    c.append({ signer: AUDIT_2 });
  });
  const impostor = told((c) => {
    c.addSigner({
      kid: AUDIT_2.kid,
      entry: { ...AUDIT_2.entry, public_key_pem: FOREIGN.entry.public_key_pem },
    });
    c.append({ signer: AUDIT_2 });
  });
  const contradictory = told((c) => c.endSigner(AUDIT_2, 'retired', AUDIT_1));
  const rotated = (counterSignature) =>
    told((c) => {
      c.rotateSigner(AUDIT_1, AUDIT_2, counterSignature);
      c.append({ signer: AUDIT_2 });
    });
  const reused = told((c) =>
    c.addSigner({ kid: 'the-same-again', entry: { ...AUDIT_1.entry, signer_kid: 'the-same-again' } }),
  );
  const withOther = told((c) => {
    const other = c.beside(1);
    other.append({ stream: 'upgrade/upg-43' });
    other.append({ stream: 'upgrade/upg-43' });
  });
  const other = withOther.all.get(1);
  const two = storyOfTwo();
  const flipped = lines[4].replace('"seq":5}', '"seq":6}');
  const rehashed = forged(chain, 5, (e) => (e.payload.seq = 6), FOREIGN);
  const everywhere = (code) => chain.events.map(({ seq }) => fault(code, seq));
  const reattested = (by) => ({
    reattested: [
      {
        kid: AUDIT_1.kid,
        shard: 0,
        from: 5,
        to: 7,
        count: 3,
        by: { shard: 0, seq: by, signerKid: AUDIT_2.kid },
      },
    ],
  });
  const stranger = (shard, given = {}) => {
    const lone = new Chain(ORIGIN, shard);
    lone.append({ stream: 'upgrade/upg-44', ...given });
    return lone.lines();
  };
  /** An addition of AUDIT_2 that states other heads than those of the chain. */
  const stating = (change) =>
    told((c) => {
      const heads = c.heads();
      change(heads);
      c.addSigner(AUDIT_2, AUDIT_1, { heads });
    }, withTwo());
  const badHeads = [fault('format', 3)];

  return [
    ['valid', lines, []],
    ['flip: a character of the payload of 5', replaced(lines, 5, flipped), [fault('hash', 5)]],
    [
      'flip: a character of prevHash of 5',
      replaced(lines, 5, patched(chain, 5, { prevHash: chain.events[0].hash })),
      [fault('hash', 5), fault('link', 5)],
    ],
    [
      'flip: a character of the signature of 5',
      replaced(lines, 5, patched(chain, 5, { signature: chain.events[5].signature })),
      [fault('signature', 5)],
    ],
    [
      'malleated signature (S + L) of 5',
      replaced(lines, 5, patched(chain, 5, { signature: malleate(chain.events[4].signature) })),
      [fault('signature', 5)],
    ],
    [
      'payload changed and hashed again, signature left',
      replaced(lines, 5, patched(chain, 5, { payload: { seq: 6 }, hash: JSON.parse(rehashed).hash })),
      [fault('signature', 5), fault('link', 6)],
    ],
    [
      'changed and signed again with a foreign key under the old name',
      replaced(lines, 5, rehashed),
      [fault('signature', 5), fault('link', 6)],
    ],
    [
      'changed and signed again with a foreign key under its own name',
      replaced(
        lines,
        5,
        forged(chain, 5, (e) => (e.signerKid = FOREIGN.kid), FOREIGN),
      ),
      [fault('unknown_key', 5), fault('link', 6)],
    ],
    [
      'a whole chain by a foreign key',
      foreign.lines(),
      [fault('unknown_key', 1), fault('unknown_key', 2), fault('unknown_key', 3)],
    ],
    ['6 deleted', without(lines, 6), [fault('gap', 6)]],
    [
      '6 to 8 deleted',
      without(lines, 6, 7, 8),
      [fault('gap', 6), fault('key_not_valid', 9), fault('key_not_valid', 10), fault('key_not_valid', 11)],
    ],
    [
      'the first two deleted',
      without(lines, 1, 2),
      [
        fault('gap', 1),
        fault('founding', 1),
        fault('format', 7),
        fault('format', 9),
        ...[3, 4, 5, 6, 7, 8, 9, 10, 11].map((seq) => fault('key_not_valid', seq)),
      ],
    ],
    ['from 4, the whole file', lines, [], { from: 4 }],
    ['6 and 7 swapped', reordered(lines, 1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11), [fault('order', 6)]],
    ['in reverse', reordered(lines, 3, 2, 1), [fault('order', 1), fault('order', 2)]],
    ['6 twice', reordered(lines, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11), [fault('duplicate', 6)]],
    ['2 again at the end', [...lines, lines[1]], [fault('duplicate', 2)]],
    [
      'a fork: two events at position 11',
      [...lines, forged(chain, 11, (e) => (e.payload = { other: true }), AUDIT_2)],
      [fault('duplicate', 11)],
    ],
    ['the same id at two positions', sameId.lines(), [fault('duplicate', 3)]],
    [
      'truncated: the last two are missing',
      lines.slice(0, 9),
      [fault('truncation', 11)],
      { expectHead: { shard: 0, seq: 11, hash: head.hash } },
    ],
    ['truncated, nobody knows the head', lines.slice(0, 9), []],
    [
      'the expected head is there, and more',
      lines,
      [],
      { expectHead: { shard: 0, seq: 6, hash: chain.events[5].hash } },
    ],
    [
      'another event where the expected head was',
      lines,
      [fault('truncation', 11)],
      { expectHead: { shard: 0, seq: 11, hash: chain.events[5].hash } },
    ],
    [
      'the last line broken off',
      [...lines.slice(0, 10), lines[10].slice(0, 100)],
      [{ code: 'format', shard: null, seq: null }],
    ],
    ['nothing at all', [], [{ code: 'truncation', shard: null, seq: null }]],
    [
      'another origin',
      lines,
      [fault('link', 1), ...everywhere('signature')],
      { origin: 'kernel.example.com/other' },
    ],
    [
      'not canonical: white space in 5',
      replaced(lines, 5, lines[4].replace('"seq":5', '"seq": 5')),
      [fault('format', 5)],
    ],
    [
      'not an event: 5 lacks its type',
      replaced(lines, 5, lines[4].replace(/"type":"[^"]*",/, '')),
      [fault('format', 5)],
    ],
    ['a key used before it was added', early.lines(), [fault('key_not_valid', 3)]],
    ['a key used after it was retired', late.lines(), [fault('key_not_valid', 12)]],
    ['a key used after it was declared compromised', lost.lines(), [fault('key_not_valid', 6)]],
    ['a key of the trust root that registers itself', recovered.lines(), []],
    ['a key without the purpose audit', wrongPurpose.lines(), [fault('key_not_valid', 4)]],
    [
      'the chain registers another public key than signers.json',
      impostor.lines(),
      [fault('key_not_valid', 4)],
    ],
    ['the registry retires a key that it does not have', contradictory.lines(), [fault('format', 3)]],
    [
      'a rotation without the counter-signature of the new key',
      rotated(null).lines(),
      [fault('signature', 3), fault('key_not_valid', 4)],
    ],
    [
      'a rotation counter-signed by another key than the new one',
      rotated(FOREIGN.sign(Buffer.from('other'))).lines(),
      [fault('signature', 3), fault('key_not_valid', 4)],
    ],
    [
      'a rotation counter-signed for another kernel',
      rotated(possession(AUDIT_1, AUDIT_2, 'kernel.example.com/other')).lines(),
      [fault('signature', 3), fault('key_not_valid', 4)],
    ],
    ['a public key that is registered under a second name', reused.lines(), [fault('format', 3)]],
    [
      'a stolen key: what it signed since is re-attested by the emergency key',
      both(stolen()),
      [],
      reattested(8),
    ],
    [
      'a stolen key: nobody stands by what it signed since',
      both(stolen({ reattested: false })),
      [fault('key_not_valid', 5), fault('key_not_valid', 6), fault('key_not_valid', 7)],
    ],
    [
      'a stolen key: another event was re-attested than the one that is there',
      both(stolen({ hash: '0'.repeat(64) })),
      [fault('key_not_valid', 7)],
      reattested(8),
    ],
    [
      'a stolen key: used after the emergency key came in',
      both(stolen({ late: true })),
      [fault('key_not_valid', 8)],
      reattested(9),
    ],
    [
      'a stolen key: a shard that the statement does not list is in doubt in all of it',
      both(stolen({ since: [{ shard: 0, seq: 5 }] })),
      [1, 2, 3].map((seq) => fault('key_not_valid', seq, 1)),
      reattested(8),
    ],
    [
      'a stolen key: a statement that says nothing puts all in doubt',
      both(stolen({ since: null })),
      [
        ...[1, 2, 3, 4].map((seq) => fault('key_not_valid', seq)),
        ...[1, 2, 3].map((seq) => fault('key_not_valid', seq, 1)),
      ],
      reattested(8),
    ],
    ['time goes back at 4', back.lines(), [fault('time', 4)]],
    ['stream versions with gaps', streams.lines(), [fault('stream', 4), fault('stream', 5)]],
    ['two shards, one after the other', [...withOther.lines(), ...other.lines()], []],
    [
      'two shards, interleaved',
      [...two.other.lines().slice(0, 4), ...two.chain.lines(), ...two.other.lines().slice(4)],
      [],
    ],
    ['two shards, each key used where it is valid', both(two), []],
    [
      'two shards, the old key used in the other one after its end, with an early ts',
      both(storyOfTwo((_, o) => o.append({ stream: 'upgrade/upg-43', signer: AUDIT_1 }))),
      [fault('key_not_valid', 5, 1)],
    ],
    [
      'two shards, the new key used in the other one before it came in',
      both({
        ...storyOfTwo((c, o) => {
          o.events.pop();
          o.versions.clear();
        }),
        other: told((o) => o.append({ signer: AUDIT_2, stream: 'upgrade/upg-43' }), new Chain(ORIGIN, 1)),
      }),
      [fault('key_not_valid', 1, 1), fault('truncation', 3, 1), fault('truncation', 4, 1)],
    ],
    [
      'a head that a signer event states is not there: shard 1 ends before it',
      both(storyOfTwo((_, o) => o.events.pop())),
      [fault('truncation', 4, 1)],
    ],
    [
      'another event where a signer event states the head of shard 1',
      [...storyOfTwo(() => undefined).chain.lines(), ...rewritten(storyOfTwo(() => undefined).other).lines()],
      [fault('truncation', 3, 1), fault('truncation', 4, 1)],
    ],
    ['a shard that the kernel does not have', [...lines, ...stranger(5)], [fault('unknown_shard', 1, 5)]],
    [
      'a shard that the kernel does not have, dated before everything',
      [...lines, ...stranger(2, { ts: '2020-01-01T00:00:00.000Z' })],
      [fault('unknown_shard', 1, 2)],
    ],
    [
      'not founded: it begins with the addition of a key',
      told((c) => {
        c.addSigner(AUDIT_1);
        c.append();
      }, new Chain()).lines(),
      [fault('founding', 1)],
    ],
    [
      'not founded: events of the trust root, none registered',
      told((c) => c.append(), new Chain()).lines(),
      [fault('founding', 1), fault('key_not_valid', 1)],
    ],
    [
      'an event before the first key is added',
      told((c) => {
        c.append({
          type: 'kernel.founded',
          stream: 'kernel/founding',
          payload: evidence.foundingPayload({ origin: ORIGIN, shards: SHARDS, approverPool: null }),
        });
        c.append();
        c.addSigner(AUDIT_1);
      }, new Chain()).lines(),
      [fault('key_not_valid', 1), fault('key_not_valid', 2)],
    ],
    [
      'founded by a key that comes in only later',
      told((c) => {
        c.append({
          signer: AUDIT_2,
          type: 'kernel.founded',
          stream: 'kernel/founding',
          payload: evidence.foundingPayload({ origin: ORIGIN, shards: SHARDS, approverPool: null }),
        });
        c.addSigner(AUDIT_1);
        c.append();
        c.addSigner(AUDIT_2);
      }, new Chain()).lines(),
      [fault('key_not_valid', 1)],
    ],
    [
      'founded with two audit keys, of which the second signs',
      new Chain().found([AUDIT_2, AUDIT_1]).lines(),
      [],
    ],
    [
      'founded with another number of shards than the trust root says',
      new Chain(ORIGIN, 0, 1).found().lines(),
      [fault('founding', 1)],
    ],
    [
      'founded with a pool, and the trust root says none',
      new Chain().found([AUDIT_1], { version: 1, sha256: 'a'.repeat(64) }).lines(),
      [fault('founding', 1)],
    ],
    [
      'founded for another kernel',
      new Chain().found([AUDIT_1], null, { origin: 'kernel.example.com/other' }).lines(),
      [fault('founding', 1), fault('format', 2), fault('key_not_valid', 1), fault('key_not_valid', 2)],
    ],
    [
      'founded twice',
      told((c) =>
        c.append({ stream: 'kernel/founding', type: 'kernel.founded', payload: c.events[0].payload }),
      ).lines(),
      [fault('format', 3)],
    ],
    [
      'a registry event in another shard than 0',
      both(
        storyOfTwo((c, o) =>
          o.registry(
            'signer.added',
            MANIFEST_ONLY.kid,
            { signer: MANIFEST_ONLY.entry, heads: c.heads() },
            AUDIT_2,
          ),
        ),
      ),
      [fault('format', 5, 1)],
    ],
    [
      'heads: without',
      told((c) =>
        c.append({
          type: 'signer.added',
          stream: `signer/${AUDIT_2.kid}`,
          payload: { signer: AUDIT_2.entry },
        }),
      ).lines(),
      badHeads,
    ],
    ['heads: a shard missing', stating((heads) => heads.pop()).lines(), badHeads],
    ['heads: a shard too many', stating((heads) => heads.push({ ...heads[1], shard: 2 })).lines(), badHeads],
    ['heads: in descending order', stating((heads) => heads.reverse()).lines(), badHeads],
    [
      'heads: an upper-case hash',
      stating((heads) => (heads[1].hash = heads[1].hash.toUpperCase())).lines(),
      badHeads,
    ],
    [
      'heads: of shard 0 another than its predecessor',
      stating((heads) => (heads[0].hash = heads[1].hash)).lines(),
      badHeads,
    ],
    [
      'heads: an empty shard with another hash',
      stating((heads) => (heads[1].hash = heads[0].hash)).lines(),
      badHeads,
    ],
    [
      'heads: of an event that is not there',
      stating((heads) => Object.assign(heads[1], { seq: 7, hash: heads[0].hash })).lines(),
      [fault('truncation', 7, 1)],
    ],
    [
      'a key that ends itself',
      told((c) => c.endSigner(AUDIT_1, 'compromised', AUDIT_1)).lines(),
      [fault('format', 3)],
    ],
    ['signers.json with the guide’s members alone', lines, [], { signers: 'guide' }],
    [
      'signers.json with the guide’s members alone: a shard that the founding does not name',
      [...lines, ...stranger(5)],
      [fault('unknown_shard', 1, 5)],
      { signers: 'guide' },
    ],
    [
      'signers.json with the guide’s members alone: a part of the evidence',
      lines.slice(3, 6),
      [{ code: 'founding', shard: null, seq: null }, ...[4, 5, 6].map((seq) => fault('key_not_valid', seq))],
      { signers: 'guide', from: 4 },
    ],
    ['spans: the whole chain', lines, [], { signers: 'spans' }],
    ['spans: a part of the evidence', lines.slice(7), [], { signers: 'spans', from: 8 }],
    [
      'spans: a part in which the old key signs after its end',
      late.lines().slice(10),
      [fault('key_not_valid', 12)],
      { signers: 'spans', from: 11 },
    ],
    [
      'spans: a part of shard 1, by a key that ended before it began there',
      stranger(1),
      [fault('key_not_valid', 1, 1)],
      { signers: 'spans', shard: 1 },
    ],
    [
      'spans: the chain adds the key elsewhere',
      told(
        (c) => c.rotateSigner(AUDIT_1, AUDIT_2),
        told((c) => c.append()),
      ).lines(),
      [fault('key_not_valid', 4)],
      { signers: 'spans' },
    ],
    [
      'a key that has ended, and nothing says where',
      lines.slice(0, 4),
      [1, 2, 3, 4].map((seq) => fault('key_not_valid', seq)),
      { signers: 'ended' },
    ],
    ['a key that has ended, and the chain says where', lines, [], { signers: 'ended' }],
  ];
}

/** A founded chain of two shards, the second of them empty. */
function withTwo() {
  const chain = new Chain().found();
  chain.beside(1);
  return chain;
}

/** A shard as a thief of its key writes it again: other content, right hashes and links, right signatures. */
function rewritten(other) {
  const copy = new Chain(other.origin, other.shard, other.shards);
  for (const { stream } of other.events) copy.append({ stream, payload: { rewritten: true } });
  return copy;
}

export function chainVectors() {
  const known = { shards: SHARDS, approverPool: null };
  const entries = [AUDIT_1.entry, AUDIT_2.entry, MANIFEST_ONLY.entry];
  const retired = { ...AUDIT_1.entry, status: 'retired', retiredAt: '2026-01-31T10:00:08.500Z' };
  const files = {
    'chains/signers.json': evidence.signersJson(entries, ORIGIN, known),
    'chains/signers-guide.json': evidence.signersJson(entries, ORIGIN),
    'chains/signers-spans.json': evidence.signersJson(
      [
        { ...retired, span: spanOf([0, 0], [9, 0]) },
        { ...AUDIT_2.entry, span: spanOf([6, 0]) },
      ],
      ORIGIN,
      known,
    ),
    'chains/signers-ended.json': evidence.signersJson([retired, AUDIT_2.entry], ORIGIN, known),
  };
  const cases = chainCases().map(([name, lines, faults, { signers, ...options } = {}], i) => {
    const file = `chains/${String(i + 1).padStart(2, '0')}.ndjson`;
    files[file] = lines.map((line) => `${line}\n`).join('');
    const trust = signers === undefined ? {} : { signers: `chains/signers-${signers}.json` };
    return { name, file, ...trust, ...options, verified: faults.length === 0, faults };
  });
  const keys = [AUDIT_1, AUDIT_2, MANIFEST_ONLY, FOREIGN].map(({ kid, seed, publicKey }) => ({
    kid,
    seed,
    publicKey,
  }));
  files['chains.json'] = { origin: ORIGIN, signers: 'chains/signers.json', keys, cases };
  return files;
}
