// Writes the golden vectors of docs/spec/vectors from the published seeds below, with libs/evidence.
// With --check it writes nothing and fails when a committed file differs: formats do not change by accident.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { p256 } from '@noble/curves/nist.js';
import { build } from 'esbuild';
import { logVectors } from './vectors/log-vectors.mjs';
import { receiptVectors } from './vectors/receipt-vectors.mjs';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs', 'spec', 'vectors');
const evidence = await loadEvidence();

/** Bundles libs/evidence, which is TypeScript, into a temporary module, so that no build has to run first. */
async function loadEvidence() {
  const dir = await mkdtemp(join(tmpdir(), 'vectors-'));
  const outfile = join(dir, 'evidence.cjs');
  try {
    await build({
      absWorkingDir: root,
      entryPoints: ['libs/evidence/index.ts'],
      bundle: true,
      alias: { '#evidence-crypto': './libs/evidence/crypto/node-crypto.ts' },
      platform: 'node',
      outfile,
    });
    return (await import(pathToFileURL(outfile).href)).default;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// --- keys ------------------------------------------------------------------------------------------------------------

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key whose seed is the SHA-256 of a published sentence: nothing about it is secret. */
function keyOf(kid, purposes = ['audit', 'manifest']) {
  const sentence = `illuvrse-kernel test vector key ${kid}`;
  const seed = createHash('sha256').update(sentence).digest();
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(12);
  return {
    kid,
    seed: seed.toString('hex'),
    publicKey: raw.toString('hex'),
    sign: (input) => sign(null, input, privateKey).toString('base64'),
    entry: {
      signer_kid: kid,
      algorithm: 'ed25519',
      public_key_pem: evidence.pemOfRawKey(raw),
      deployedAt: '2026-01-01T00:00:00.000Z',
      description: 'Test vector key, its seed is public',
      purposes,
      status: 'active',
      retiredAt: null,
      compromisedAt: null,
    },
  };
}

const AUDIT_1 = keyOf('vector-audit-1');
const AUDIT_2 = keyOf('vector-audit-2', ['audit']);
const MANIFEST_ONLY = keyOf('vector-manifest-1', ['manifest']);
const FOREIGN = keyOf('vector-foreign');
const CHECKPOINT = keyOf('vector-checkpoint-1', ['checkpoint']);
const CHECKPOINT_LOST = keyOf('vector-checkpoint-2', ['checkpoint']);
const CHECKPOINT_RETIRED = keyOf('vector-checkpoint-0', ['checkpoint']);
const ORIGIN = 'kernel.example.com/vectors';
/** Shards of the kernel of the vectors; most of them use only the first. */
const SHARDS = 2;

const hex = (data) => Buffer.from(data).toString('hex');
const refusal = (action) => {
  try {
    action();
  } catch (error) {
    if (error instanceof evidence.EvidenceError) return { code: error.code, pointer: error.pointer ?? null };
    throw error;
  }
  throw new Error('a case that must be refused was accepted');
};

// --- JSON ------------------------------------------------------------------------------------------------------------

const nested = (levels, open, close) => open.repeat(levels) + close.repeat(levels);
const nestedObjects = (levels) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;

const ACCEPTED = [
  ['white space between tokens', ' {\t"b" : 1 ,\r\n"a" : [ true , false , null ] } '],
  ['top-level string', '"text"'],
  ['top-level number', '17'],
  ['top-level null', 'null'],
  ['empty object', '{}'],
  ['empty array', '[]'],
  [
    'members sorted by UTF-16 code units (RFC 8785, 3.2.3)',
    String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
  ],
  ['digits as names are sorted as text', '{"10":1,"9":2,"1":3}'],
  [
    'names that mean something elsewhere',
    '{"constructor":1,"hasOwnProperty":2,"prototype":3,"toString":4,"valueOf":5,"":6}',
  ],
  ['names with / and ~', '{"a/b":1,"a~b":2,"~1":3}'],
  ['escapes are undone where RFC 8785 writes characters', String.raw`"\u0041\/\u00e9\u20ac\ud83d\ude00"`],
  ['escapes that stay', String.raw`"\"\\\b\f\n\r\t\u0000\u001f"`],
  ['upper-case hexadecimal digits', String.raw`"\u001F\u00E9"`],
  ['characters that are not escaped', '"\u007f\u0080\u2028\u2029\ufeff\uffff"'],
  ['supplementary characters', '"\u{1f600}\u{10ffff}"'],
  ['zero spelled in many ways', '[0,-0,0.0,-0.0,0e0,0E+5,0e-400,-0e400]'],
  ['one spelled in many ways', '[1,1.0,1e0,10e-1,0.1e1,1E+0,100.00e-2]'],
  ['integers at the limit', '[9007199254740991,-9007199254740991,9007199254740991.0,9.007199254740991e15]'],
  ['fractions', '[0.1,4.50,2e-3,0.000001,0.0000001,1.5e-7,123456789.125]'],
  [
    'large and small',
    '[1e21,1E30,1.7976931348623157e308,-1.7976931348623157E+308,5e-324,2.2250738585072014e-308]',
  ],
  ['17 significant digits that survive', '[0.30000000000000004,1.0000000000000002,5.000000000000001e-7]'],
  ['64 nested arrays', nested(64, '[', ']')],
  ['64 nested objects', nestedObjects(64)],
  ['duplicate names in different objects', '[{"a":1},{"a":2,"b":{"a":3}}]'],
];

const text = (name, input) => [name, Buffer.from(input)];
const bytes = (name, ...parts) => [name, Buffer.concat(parts.map((part) => Buffer.from(part)))];

const REFUSED = [
  text('duplicate name', '{"a":1,"a":2}'),
  text('duplicate name, spelled with an escape', String.raw`{"a":1,"\u0061":2}`),
  text('duplicate name, deep', '{"x":[{"y":1},{"z":{"k":1,"l":2,"k":3}}]}'),
  text('duplicate name with / and ~', '{"a/b~c":1,"a/b~c":2}'),
  text('the first offence counts: a duplicate before an inexact number', '{"a":1,"a":9007199254740993}'),
  text('the first offence counts: an inexact number before a duplicate', '{"b":1e400,"a":1,"a":2}'),
  text('lone high surrogate in a value', String.raw`{"a":["\ud800"]}`),
  text('lone low surrogate in a value', String.raw`{"a":"x\udc00y"}`),
  text('surrogates in the wrong order', String.raw`["\udc00\ud800"]`),
  text('high surrogate before another character', String.raw`["\ud83dx"]`),
  text('lone surrogate in a name', String.raw`{"a":{"k\ud800":1}}`),
  text('2^53', '9007199254740992'),
  text('2^53 + 1', '{"n":9007199254740993}'),
  text('-(2^53)', '[-9007199254740992]'),
  text('2^53 with a fraction of zero', '9007199254740992.0'),
  text('an integer that canonicalises beyond 2^53 - 1', '[1e20]'),
  text('an integer literal of 31 digits', '1000000000000000000000000000000'),
  text('overflow', '{"n":[0,1e400]}'),
  text('negative overflow', '-1e309'),
  text('underflow to zero', '[1e-400]'),
  text('more digits than a double holds', '{"pi":3.14159265358979323846}'),
  text('17 digits that do not survive', '[0.10000000000000001]'),
  text('smaller than the smallest double', '[3e-324]'),
  text('65 nested arrays', nested(65, '[', ']')),
  text('65 nested objects', nestedObjects(65)),
  text('member named toJSON', '{"a":{"toJSON":1}}'),
  text('member named toJSON, spelled with an escape', String.raw`{"\u0074oJSON":1}`),
  text('member named __proto__', '[{"__proto__":{}}]'),
  bytes('byte order mark', [0xef, 0xbb, 0xbf], '{}'),
  bytes('invalid UTF-8 in a value', '{"a":["', [0xff], '"]}'),
  bytes('invalid UTF-8 in a name', '{"a":{"', [0xc3, 0x28], '":1}}'),
  bytes('overlong UTF-8', '["', [0xc0, 0xaf], '"]'),
  bytes('a surrogate in UTF-8', '{"s":"', [0xed, 0xa0, 0x80], '"}'),
  bytes('beyond U+10FFFF', '{"s":"', [0xf4, 0x90, 0x80, 0x80], '"}'),
  bytes('UTF-8 that breaks off', '["', [0xe2, 0x82]),
  bytes('an earlier offence than the invalid UTF-8', '{"a":1,"a":"', [0xff], '"}'),
  text('empty', ''),
  text('white space only', ' \n'),
  text('breaks off', '{"a":[1,'),
  text('breaks off in a string', '{"a":"b'),
  text('trailing comma in an object', '{"a":1,}'),
  text('trailing comma in an array', '{"a":[1,]}'),
  text('two documents', '{} {}'),
  text('leading zero', '{"a":01}'),
  text('leading plus', '[+1]'),
  text('no digits after the point', '[1.]'),
  text('no digits before the point', '[.5]'),
  text('no digits in the exponent', '[1e]'),
  text('NaN', '[NaN]'),
  text('Infinity', '[-Infinity]'),
  text('comment', '{"a":1/**/}'),
  text('single quotes', "{'a':1}"),
  text('name without quotes', '{a:1}'),
  text('control character in a string', '["a\u0001b"]'),
  text('line feed in a string', '{"k":"a\nb"}'),
  text('unknown escape', String.raw`["\x41"]`),
  text('short escape', String.raw`["\u12"]`),
  text('no-break space between tokens', '[1,\u00a02]'),
  text('capital literal', '[True]'),
];

/** RFC 8785 appendix B: IEEE 754 bits and their text, except NaN and the infinities. */
const NUMBERS = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

function jsonVectors() {
  return {
    'json-accepted.json': ACCEPTED.map(([name, input]) => {
      const canonical = evidence.canonicalize(evidence.parseStrictJson(Buffer.from(input)));
      return { name, input: hex(input), canonical: hex(canonical), sha256: evidence.sha256Hex(canonical) };
    }),
    'json-refused.json': REFUSED.map(([name, input]) => ({
      name,
      input: hex(input),
      ...refusal(() => evidence.parseStrictJson(input)),
    })),
    'json-numbers.json': NUMBERS.map(([bits, shortest]) => {
      const value = Buffer.from(bits, 'hex').readDoubleBE();
      let accepted = true;
      try {
        evidence.assertStrictJson(value);
      } catch {
        accepted = false;
      }
      return { bits, text: shortest, accepted };
    }),
  };
}

// --- audit events ----------------------------------------------------------------------------------------------------

const ACTOR = { id: 'CN=build-service', kind: 'service', roles: ['Operator'] };

function withoutHash(event) {
  const rest = { ...event };
  delete rest.hash;
  delete rest.signature;
  return rest;
}

/** Makes chains in which every event follows from the one before; given members replace the computed ones. */
class Chain {
  events = [];
  cases = [];
  versions = new Map();

  constructor(origin = ORIGIN, shard = 0, shards = SHARDS) {
    this.origin = origin;
    this.shard = shard;
    this.shards = shards;
    this.all = new Map([[shard, this]]);
  }

  /** The chain of another shard of the same kernel. */
  beside(shard) {
    const other = new Chain(this.origin, shard, this.shards);
    this.all.set(shard, other);
    return other;
  }

  /** The head of every shard now, as a signer event states it. */
  heads() {
    return evidence.headsPayload(evidence.emptyHeads(this.origin, this.shards)).map((empty) => {
      const last = this.all.get(empty.shard)?.events.at(-1);
      return last === undefined ? empty : { shard: last.shard, seq: last.seq, hash: last.hash };
    });
  }

  /** The founding of the kernel with these keys, the first of which signs it. */
  found(keys = [AUDIT_1], approverPool = null, more = {}) {
    const { origin, shards } = this;
    const payload = { ...evidence.foundingPayload({ origin, shards, approverPool }), ...more };
    this.append({ signer: keys[0], type: 'kernel.founded', stream: 'kernel/founding', payload });
    for (const key of keys) this.addSigner(key, keys[0]);
    return this;
  }

  /** A registry event, with the heads of now unless its payload states others. */
  registry(type, kid, payload, signer = AUDIT_1) {
    return this.append({
      signer,
      type,
      stream: `signer/${kid}`,
      payload: { heads: this.heads(), ...payload },
    });
  }

  append({ signer = AUDIT_1, ...given } = {}) {
    const last = this.events.at(-1);
    const seq = (last?.seq ?? 0) + 1;
    const stream = given.stream ?? 'upgrade/upg-42';
    const streamVersion = (this.versions.get(stream) ?? 0) + 1;
    this.versions.set(stream, streamVersion);
    const at = Date.parse('2026-01-31T10:00:00.000Z') + seq * 1_000;
    const ms = at.toString(16).padStart(12, '0');
    const event = {
      v: 1,
      id: `${ms.slice(0, 8)}-${ms.slice(8)}-7${this.shard.toString(16).padStart(3, '0')}-8000-${seq.toString(16).padStart(12, '0')}`,
      shard: this.shard,
      seq,
      ts: new Date(at).toISOString(),
      type: 'upgrade.applied',
      stream,
      streamVersion,
      actor: ACTOR,
      payload: { seq },
      correlationId: null,
      causationId: null,
      signerKid: signer.kid,
      prevHash: last?.hash ?? evidence.genesisHash(this.origin, this.shard),
      ...given,
    };
    const sealed = evidence.sealEvent(event, this.origin);
    const signature = signer.sign(sealed.signingInput);
    const done = sealed.finish(signature);
    const unhashed = withoutHash(done.event);
    this.cases.push({
      event: unhashed,
      canonicalWithoutHashAndSignature: evidence.canonicalize(unhashed),
      hash: sealed.hash,
      signingInput: Buffer.from(sealed.signingInput).toString(),
      signerKid: signer.kid,
      signature,
      canonical: Buffer.from(done.bytes).toString(),
    });
    this.events.push(done.event);
    return done.event;
  }

  addSigner(key, signer = AUDIT_1, more = {}) {
    return this.registry('signer.added', key.kid, { signer: key.entry, ...more }, signer);
  }

  rotateSigner(from, to, counterSignature = possession(from, to)) {
    const payload = { from: from.kid, to: to.entry, counterSignature };
    return this.registry(
      'signer.rotated',
      from.kid,
      counterSignature === null ? lacking(payload, 'counterSignature') : payload,
      from,
    );
  }

  endSigner(key, status, signer, more = {}) {
    const at = new Date(Date.parse(this.events.at(-1).ts) + 500).toISOString();
    const payload = { signer_kid: key.kid, [`${status}At`]: at, ...more };
    return this.registry(`signer.${status}`, key.kid, payload, signer);
  }

  lines() {
    return this.events.map((event) => Buffer.from(evidence.canonicalEventBytes(event)).toString());
  }
}

function eventVectors() {
  const chain = new Chain();
  chain.addSigner(AUDIT_1);
  chain.append({
    type: 'manifest.signed',
    stream: 'manifest/agent-7',
    actor: { id: 'Zoë Müller', kind: 'human', roles: ['DivisionLead', 'Auditor'] },
    payload: {
      text: 'Grüße, \u{1f600} \u2028 "quoted" \\ \u0001',
      numbers: [0, -1.5, 1e21, 1e-7],
      nested: { b: [], a: {} },
    },
    correlationId: '018f4b6e-0000-4000-8000-00000000abcd',
    causationId: '018F4B6E-0000-4000-8000-00000000ABCD',
  });
  chain.append({ stream: 'upgrade/Ünïcode id', payload: {} });
  const other = new Chain('a', 17);
  other.append({ signer: AUDIT_2 });
  return {
    'audit-events.json': {
      genesis: [
        { origin: ORIGIN, shard: 0, prevHash: evidence.genesisHash(ORIGIN, 0) },
        { origin: ORIGIN, shard: 1, prevHash: evidence.genesisHash(ORIGIN, 1) },
        { origin: 'a', shard: 17, prevHash: evidence.genesisHash('a', 17) },
      ],
      keys: [AUDIT_1, AUDIT_2].map(({ kid, seed, publicKey }) => ({ kid, seed, publicKey })),
      events: [
        ...chain.cases.map((entry) => ({ origin: ORIGIN, ...entry })),
        ...other.cases.map((entry) => ({ origin: 'a', ...entry })),
      ],
    },
    'audit-events-refused.json': refusedEvents(chain.lines()[1]),
    'signing-inputs-refused.json': refusedSigningInputs(chain.cases[0].signingInput),
  };
}

/** Changes to a valid event that its format, not its hash, must refuse. */
function refusedEvents(line) {
  const changed = (change) => {
    const event = JSON.parse(line);
    change(event);
    return evidence.canonicalize(event);
  };
  const cases = [
    ['members not sorted', line.replace('"seq":2,"shard":0', '"shard":0,"seq":2')],
    ['white space', line.replace('"seq":2', '"seq": 2')],
    ['line feed at the end', `${line}\n`],
    ['a needless escape', line.replace('"manifest.signed"', String.raw`"manifest\u002esigned"`)],
    ['a number spelled differently', line.replace('-1.5', '-1.50')],
    ['duplicate member', line.replace('"seq":2', '"seq":2,"seq":2')],
    ['inexact number in the payload', line.replace('-1.5', '9007199254740993')],
    ['a member too many', changed((e) => (e.extra = true))],
    ['no type', changed((e) => delete e.type)],
    ['no signature', changed((e) => delete e.signature)],
    ['version 2', changed((e) => (e.v = 2))],
    ['seq 0', changed((e) => (e.seq = 0))],
    ['seq as text', changed((e) => (e.seq = '2'))],
    ['negative shard', changed((e) => (e.shard = -1))],
    ['streamVersion with a fraction', changed((e) => (e.streamVersion = 1.5))],
    ['UUIDv4 as id', changed((e) => (e.id = '018f4b6e-0000-4000-8000-00000000abcd'))],
    ['upper-case id', changed((e) => (e.id = e.id.replace('8000', 'ABCD')))],
    ['time without milliseconds', changed((e) => (e.ts = '2026-01-31T10:00:02Z'))],
    ['time with an offset', changed((e) => (e.ts = '2026-01-31T10:00:02.000+00:00'))],
    ['31 April', changed((e) => (e.ts = '2026-04-31T10:00:02.000Z'))],
    ['type without a dot', changed((e) => (e.type = 'signed'))],
    ['stream without a slash', changed((e) => (e.stream = 'manifest'))],
    ['actor without roles', changed((e) => delete e.actor.roles)],
    ['actor of an unknown kind', changed((e) => (e.actor.kind = 'robot'))],
    ['actor with a member too many', changed((e) => (e.actor.name = 'x'))],
    ['payload that is an array', changed((e) => (e.payload = []))],
    ['correlationId that is no UUID', changed((e) => (e.correlationId = 'abc'))],
    ['upper-case hash', changed((e) => (e.hash = e.hash.toUpperCase()))],
    ['short prevHash', changed((e) => (e.prevHash = e.prevHash.slice(1)))],
    ['signature without padding', changed((e) => (e.signature = e.signature.slice(0, -2)))],
    [
      'signature with stray bits',
      changed((e) => (e.signature = e.signature.replace(/.==$/, (end) => `${end[0] === 'B' ? 'C' : 'B'}==`))),
    ],
    ['signerKid with a space', changed((e) => (e.signerKid = 'a b'))],
    ['an array', '[]'],
    ['65,536 bytes', ofSize(changed, 65_536)],
  ];
  return cases.map(([name, input]) => ({
    name,
    ...compact(input),
    ...refusal(() => evidence.parseEvent(Buffer.from(input))),
  }));
}

function ofSize(changed, size) {
  const sized = (length) => changed((e) => (e.payload = { text: 'x'.repeat(length) }));
  return sized(size - Buffer.byteLength(sized(0)));
}

/** Replaces a long run of one letter with its length. */
function compact(input) {
  const run = /x{1000,}/.exec(input);
  if (run === null) return { input };
  const [prefix, suffix] = [input.slice(0, run.index), input.slice(run.index + run[0].length)];
  return { inputParts: { prefix, repeat: 'x', times: run[0].length, suffix } };
}

function refusedSigningInputs(right) {
  const [domain, origin, shard, seq, hash] = right.split('\n');
  const lines = (...parts) => `${parts.join('\n')}\n`;
  const cases = [
    ['other domain', lines('illuvrse-kernel/audit-event/v2', origin, shard, seq, hash)],
    ['approval', lines('illuvrse-kernel/approval/v1', origin, shard, seq, hash)],
    ['no line feed at the end', right.slice(0, -1)],
    ['a line too many', `${right}x\n`],
    ['a line too few', lines(domain, origin, shard, seq)],
    ['carriage returns', right.replaceAll('\n', '\r\n')],
    ['empty origin', lines(domain, '', shard, seq, hash)],
    ['origin with a space', lines(domain, 'a b', shard, seq, hash)],
    ['shard with a leading zero', lines(domain, origin, '00', seq, hash)],
    ['negative shard', lines(domain, origin, '-1', seq, hash)],
    ['position 0', lines(domain, origin, shard, '0', hash)],
    ['position beyond 2^53 - 1', lines(domain, origin, shard, '9007199254740992', hash)],
    ['position with an exponent', lines(domain, origin, shard, '1e0', hash)],
    ['upper-case hash', lines(domain, origin, shard, seq, hash.toUpperCase())],
    ['short hash', lines(domain, origin, shard, seq, hash.slice(2))],
    ['empty', ''],
  ];
  return cases.map(([name, input]) => ({
    name,
    input: hex(input),
    code: refusal(() => evidence.parseAuditSigningInput(Buffer.from(input))).code,
  }));
}

// --- manifests -------------------------------------------------------------------------------------------------------

function manifestVectors() {
  const statement = {
    manifestId: 'agent-7',
    version: '1.4.0',
    kind: 'agent',
    origin: ORIGIN,
    signedAt: '2026-01-31T10:00:00.000Z',
    requestedBy: 'CN=build-service',
    division: null,
    auditSeqAfter: '0:17',
  };
  const manifests = [
    ['as written', '{"id":"agent-7","version":"1.4.0","limits":{"cpu":1.5,"memory":1000},"tags":["a","b"]}'],
    [
      'other member order',
      '{"tags":["a","b"],"limits":{"memory":1000,"cpu":1.5},"version":"1.4.0","id":"agent-7"}',
    ],
    [
      'other spellings and white space',
      String.raw`{ "id" : "agent\u002d7", "version":"1.4.0", "limits":{"cpu":15e-1,"memory":1.0E3},"tags":["\u0061","b"] }`,
    ],
  ];
  const sha256 = evidence.manifestDigest(evidence.parseStrictJson(manifests[0][1]));
  const payload = evidence.manifestStatement({ ...statement, sha256 });
  const pae = evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, payload);
  const envelope = evidence.buildEnvelope(payload, AUDIT_1.kid, AUDIT_1.sign(pae));
  const signedBy = (key, keyid, input = pae, of = payload) => ({
    payloadType: evidence.MANIFEST_PAYLOAD_TYPE,
    payload: Buffer.from(of).toString('base64'),
    signatures: [{ keyid, sig: key.sign(input) }],
  });
  const keys = [AUDIT_1.entry, AUDIT_2.entry];
  const resigned = (change) => {
    const value = JSON.parse(Buffer.from(payload).toString());
    change(value);
    const changed = Buffer.from(evidence.canonicalize(value));
    return signedBy(AUDIT_1, AUDIT_1.kid, evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, changed), changed);
  };
  const pretty = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(payload).toString()), null, 1));
  const urlSafe = ({ payload: text, signatures, ...rest }) => ({
    ...rest,
    payload: Buffer.from(text, 'base64').toString('base64url'),
    signatures: signatures.map(({ keyid, sig }) => ({
      keyid,
      sig: Buffer.from(sig, 'base64').toString('base64url'),
    })),
  });
  const ended = (status, until, since = null) => ({
    ...AUDIT_1.entry,
    status,
    [`${status}At`]: '2026-02-01T00:00:00.000Z',
    span: spanOf([0, 0], until, since),
  });
  const envelopes = [
    ['valid', envelope, {}],
    ['another manifest', envelope, { manifest: '{"id":"agent-8"}' }],
    ['another origin', envelope, { origin: 'kernel.example.com/other' }],
    ['signed by a key that is not known', signedBy(FOREIGN, FOREIGN.kid), {}],
    ['signed by a foreign key under a known name', signedBy(FOREIGN, AUDIT_1.kid), {}],
    ['signed by a key that is not for manifests', signedBy(AUDIT_2, AUDIT_2.kid), {}],
    ['signature over the payload alone', signedBy(AUDIT_1, AUDIT_1.kid, payload), {}],
    [
      'malleated signature (S + L)',
      { ...envelope, signatures: [{ keyid: AUDIT_1.kid, sig: malleate(envelope.signatures[0].sig) }] },
      {},
    ],
    [
      'payload changed after signing',
      { ...envelope, payload: resigned((v) => (v.predicate.version = '9')).payload },
      {},
    ],
    [
      'payload not canonical',
      signedBy(AUDIT_1, AUDIT_1.kid, evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, pretty), pretty),
      {},
    ],
    ['subject and manifestId differ', resigned((v) => (v.subject[0].name = 'agent-8')), {}],
    ['two subjects', resigned((v) => v.subject.push(v.subject[0])), {}],
    ['a predicate member too many', resigned((v) => (v.predicate.extra = 1)), {}],
    ['another predicate type', resigned((v) => (v.predicateType = 'https://example.com/other')), {}],
    ['another payload type', { ...envelope, payloadType: 'application/json' }, {}],
    [
      'a signature of 64 other bytes, in URL-safe base64',
      { ...envelope, signatures: [{ keyid: AUDIT_1.kid, sig: `${'-_'.repeat(42)}-Q==` }] },
      {},
    ],
    ['no signature', { ...envelope, signatures: [] }, {}],
    ['a member that DSSE does not know', { ...envelope, note: 'unsigned' }, {}],
    ['without a keyid', { ...envelope, signatures: [{ sig: envelope.signatures[0].sig }] }, {}],
    [
      'without a keyid, signed by a foreign key',
      { ...envelope, signatures: [{ sig: FOREIGN.sign(pae) }] },
      {},
    ],
    ['in URL-safe base64', urlSafe(envelope), {}],
    [
      'beside a signature of somebody else, by a key of another kind',
      { ...envelope, signatures: [{ keyid: 'elsewhere', sig: 'MAYCAQECAQE=' }, ...envelope.signatures] },
      {},
    ],
    [
      'sixteen signatures, ours the last',
      {
        ...envelope,
        signatures: [...Array(15).fill({ keyid: 'elsewhere', sig: 'AAAA' }), ...envelope.signatures],
      },
      {},
    ],
    [
      'seventeen signatures',
      {
        ...envelope,
        signatures: [...Array(16).fill({ keyid: 'elsewhere', sig: 'AAAA' }), ...envelope.signatures],
      },
      {},
    ],
    ['not an envelope', null, {}],
    ['by a retired key, without a receipt', envelope, { signers: [ended('retired', [20, 4])] }],
    ['by a compromised key, without a receipt', envelope, { signers: [ended('compromised', [20, 4])] }],
    [
      'by a retired key, recorded where it was valid',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 1, seq: 4 } },
    ],
    [
      'by a retired key, recorded after its end',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 1, seq: 5 } },
    ],
    [
      'by a retired key, recorded in a shard that it does not know',
      envelope,
      { signers: [ended('retired', [20, 4])], recordedAt: { shard: 2, seq: 1 } },
    ],
    [
      'by a compromised key, recorded before the doubt',
      envelope,
      { signers: [ended('compromised', [20, 4], [10, 3])], recordedAt: { shard: 1, seq: 2 } },
    ],
    [
      'by a compromised key, recorded in doubt',
      envelope,
      { signers: [ended('compromised', [20, 4], [10, 3])], recordedAt: { shard: 1, seq: 3 } },
    ],
    [
      'by a retired key of which nobody says where it ended',
      envelope,
      { signers: [lacking(ended('retired', [20, 4]), 'span')], recordedAt: { shard: 1, seq: 2 } },
    ],
  ];
  return {
    'manifest-signatures.json': {
      key: { kid: AUDIT_1.kid, seed: AUDIT_1.seed, publicKey: AUDIT_1.publicKey },
      manifests: manifests.map(([name, manifest]) => ({
        name,
        manifest,
        sha256: evidence.manifestDigest(evidence.parseStrictJson(manifest)),
      })),
      statement: { ...statement, sha256 },
      payload: Buffer.from(payload).toString(),
      pae: Buffer.from(pae).toString(),
      envelope,
    },
    'manifest-envelopes.json': {
      signers: keys,
      manifest: manifests[0][1],
      origin: ORIGIN,
      envelopes: envelopes.map(([name, candidate, given]) => {
        const { manifest = manifests[0][1], origin = ORIGIN, signers = keys, ...more } = given;
        const verdict = evidence.verifyManifestEnvelope({
          manifest: evidence.parseStrictJson(manifest),
          envelope: candidate,
          keys: signers,
          origin,
          ...more,
        });
        return {
          name,
          ...given,
          envelope: candidate,
          valid: verdict.valid,
          reasons: verdict.reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
        };
      }),
    },
  };
}

/** The span of a key: positions of the shards 0, 1, ... */
function spanOf(after, until = null, since = null) {
  const list = (positions) => positions?.map((seq, shard) => ({ shard, seq })) ?? null;
  return { after: list(after), until: list(until), since: list(since) };
}

/** S + L instead of S: the same signature to a verifier that does not check the range (RFC 8032 section 5.1.7). */
function malleate(signature) {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const raw = Buffer.from(signature, 'base64');
  let s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + L;
  for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
  return raw.toString('base64');
}

// --- keys ------------------------------------------------------------------------------------------------------------

/** Day manifests of the archive and seals of audit reports: documents, signed bytes, envelopes to judge. */
function documentVectors() {
  const point = (seq) => ({ seq, hash: createHash('sha256').update(`event ${seq}`).digest('hex') });
  const day = {
    origin: ORIGIN,
    shard: 0,
    day: '2026-01-31',
    count: 3,
    first: point(18),
    last: point(20),
    previous: { day: '2026-01-29', sha256: createHash('sha256').update('manifest').digest('hex') },
    signedAt: '2026-02-01T00:05:00.000Z',
  };
  const firstDay = { ...day, day: '2026-01-29', count: 17, first: point(1), last: point(17), previous: null };
  const seal = {
    origin: ORIGIN,
    id: '0198f4c2-1b2a-7000-8000-000000000001',
    startedAt: '2026-02-01T02:00:00.000Z',
    verdict: 'clean',
    events: 20,
    findings: 0,
    report: { sha256: createHash('sha256').update('report').digest('hex'), size: 6 },
    signedAt: '2026-02-01T02:00:07.000Z',
  };
  const { ARCHIVE_DAY, AUDIT_REPORT } = evidence;
  const made = (kind, format, document, key) => {
    const payload = evidence.documentPayload(format, document);
    const input = evidence.documentSigningInput(format, payload);
    const envelope = evidence.documentEnvelope(format, payload, CHECKPOINT.kid, CHECKPOINT.sign(input));
    return {
      kind,
      document,
      payload: Buffer.from(payload).toString(),
      pae: Buffer.from(input).toString(),
      envelope: Buffer.from(envelope).toString(),
      key,
    };
  };
  const documents = [
    made('archive-day', ARCHIVE_DAY, firstDay, evidence.archiveDayKey(firstDay)),
    made('archive-day', ARCHIVE_DAY, day, evidence.archiveDayKey(day)),
    made('audit-report', AUDIT_REPORT, seal, evidence.auditReportKeys(seal).seal),
  ];
  const retired = {
    ...CHECKPOINT_RETIRED.entry,
    status: 'retired',
    retiredAt: '2026-02-01T00:04:59.000Z',
    span: spanOf([1, 0], [19, 7]),
  };
  const signers = [CHECKPOINT.entry, retired, AUDIT_1.entry];
  const signed = (value, key = CHECKPOINT, keyid = key.kid, payloadType = ARCHIVE_DAY.payloadType) => {
    const payload = Buffer.from(typeof value === 'string' ? value : evidence.canonicalize(value));
    return evidence.canonicalize({
      payloadType,
      payload: payload.toString('base64'),
      signatures: [{ keyid, sig: key.sign(evidence.dssePae(payloadType, payload)) }],
    });
  };
  const value = { type: ARCHIVE_DAY.type, ...day };
  const compromised = {
    ...CHECKPOINT.entry,
    status: 'compromised',
    compromisedAt: '2026-03-01T00:00:00.000Z',
  };
  const earlier = { ...value, count: 2, last: point(19) };
  const right = signed(value);
  const cases = [
    ['valid', right],
    ['another origin', signed({ ...value, origin: 'kernel.example.com/other' })],
    ['signed by a key that is not known', signed(value, FOREIGN)],
    ['signed by a foreign key under a known name', signed(value, FOREIGN, CHECKPOINT.kid)],
    ['signed by an audit key', signed(value, AUDIT_1)],
    ['signed by a retired key, about events after its end', signed(value, CHECKPOINT_RETIRED)],
    [
      'signed by a retired key, about events after its end, with an earlier time',
      signed({ ...value, signedAt: '2026-01-31T23:00:00.000Z' }, CHECKPOINT_RETIRED),
    ],
    ['signed by a retired key, about events before its end', signed(earlier, CHECKPOINT_RETIRED)],
    [
      'signed by a retired key of which nobody says where it ended',
      signed(earlier, CHECKPOINT_RETIRED),
      [lacking(retired, 'span')],
    ],
    ['signed by a compromised key', right, [compromised]],
    [
      'signed by a compromised key, about events before its end',
      signed(earlier, CHECKPOINT_RETIRED),
      [{ ...retired, status: 'compromised', compromisedAt: retired.retiredAt }],
    ],
    [
      'signed by a key that knows no such shard',
      signed({ ...value, shard: 2 }),
      [{ ...CHECKPOINT.entry, span: spanOf([1, 0]) }],
    ],
    [
      'the seal of a report in place of a day',
      signed({ type: AUDIT_REPORT.type, ...seal }, CHECKPOINT, CHECKPOINT.kid, AUDIT_REPORT.payloadType),
    ],
    ['the payload of a report under the type of a day', signed({ type: AUDIT_REPORT.type, ...seal })],
    ['white space in the envelope', right.replace(':', ': ')],
    ['payload not canonical', signed(JSON.stringify(value, null, 1))],
    ['a member too many', signed({ ...value, note: 'x' })],
    ['a member missing', signed(lacking(value, 'previous'))],
    ['a count that is not that of the positions', signed({ ...value, count: 4 })],
    ['a first day that does not begin with position 1', signed({ ...value, previous: null })],
    ['position 1 on a day that is not the first', signed({ ...value, first: point(1), count: 20 })],
    ['a previous day that is later', signed({ ...value, previous: { ...day.previous, day: '2026-02-01' } })],
    ['a day that does not exist', signed({ ...value, day: '2026-02-30' })],
    [
      'one event with two hashes',
      signed({ ...value, count: 1, first: point(20), last: { ...point(19), seq: 20 } }),
    ],
    ['an upper-case hash', signed({ ...value, last: { seq: 20, hash: day.last.hash.toUpperCase() } })],
  ];
  return {
    'kernel-documents.json': {
      key: { kid: CHECKPOINT.kid, seed: CHECKPOINT.seed, publicKey: CHECKPOINT.publicKey },
      documents,
      origin: ORIGIN,
      signers,
      envelopes: cases.map(([name, envelope, keys]) => {
        const verdict = evidence.verifyDocument(ARCHIVE_DAY, {
          envelope: Buffer.from(envelope),
          keys: keys ?? signers,
          origin: ORIGIN,
        });
        return {
          name,
          ...(keys === undefined ? {} : { signers: keys }),
          envelope,
          valid: verdict.reasons.length === 0,
          reasons: verdict.reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
        };
      }),
    },
  };
}

// --- approvals -------------------------------------------------------------------------------------------------------

/** A P-256 credential whose private key is the SHA-256 of a published sentence. */
function credentialOf(keyId, algorithm) {
  const cbor = (label) => Buffer.from([label < 0 ? 0x20 - 1 - label : label]);
  const bytes = (value) => Buffer.concat([Buffer.from([0x58, value.length]), value]);
  const seed = createHash('sha256').update(`illuvrse-kernel test vector key ${keyId}`).digest();
  const [head, point, signDer] =
    algorithm === 'ES256'
      ? [
          [cbor(1), cbor(2), cbor(3), cbor(-7), cbor(-1), cbor(1)],
          Buffer.from(p256.getPublicKey(seed, false)).subarray(1),
          // RFC 6979: the same signature each time.
          (input) => Buffer.from(p256.Signature.fromBytes(p256.sign(input, seed)).toBytes('der')),
        ]
      : [
          [cbor(1), cbor(1), cbor(3), cbor(-8), cbor(-1), cbor(6)],
          Buffer.from(keyOf(keyId).publicKey, 'hex'),
          (input) => Buffer.from(keyOf(keyId).sign(input), 'base64'),
        ];
  const coordinates =
    algorithm === 'ES256'
      ? [cbor(-2), bytes(point.subarray(0, 32)), cbor(-3), bytes(point.subarray(32))]
      : [cbor(-2), bytes(point)];
  const cose = Buffer.concat([Buffer.from([algorithm === 'ES256' ? 0xa5 : 0xa4]), ...head, ...coordinates]);
  const key = {
    keyId,
    algorithm: 'webauthn',
    credentialId: createHash('sha256')
      .update(`credential ${keyId}`)
      .digest()
      .subarray(0, 16)
      .toString('base64'),
    publicKey: cose.toString('base64'),
    rpId: 'kernel.example.com',
    origins: ['https://kernel.example.com'],
  };
  const assert = (record, change = {}) => {
    const challenge = createHash('sha256').update(evidence.approvalSigningInput(record)).digest();
    const clientData = Buffer.from(
      change.clientDataText ??
        JSON.stringify({
          type: 'webauthn.get',
          challenge: challenge.toString('base64url'),
          origin: 'https://kernel.example.com',
          crossOrigin: false,
          ...change.clientData,
        }),
    );
    const authenticatorData = Buffer.concat([
      createHash('sha256')
        .update(change.rpId ?? key.rpId)
        .digest(),
      Buffer.from([change.flags ?? 0x05, 0, 0, 0, 7]),
      change.more ?? Buffer.alloc(0),
    ]);
    const input = Buffer.concat([authenticatorData, createHash('sha256').update(clientData).digest()]);
    return {
      credentialId: key.credentialId,
      clientDataJSON: clientData.toString('base64'),
      authenticatorData: authenticatorData.toString('base64'),
      signature: signDer(input).toString('base64'),
    };
  };
  return { key, seed: seed.toString('hex'), assert };
}

function approvalVectors() {
  const ed25519 = (keyId) => ({
    keyId,
    algorithm: 'ed25519',
    publicKeyPem: keyOf(keyId).entry.public_key_pem,
  });
  const record = {
    origin: ORIGIN,
    upgradeId: 'upg-42',
    manifestSha256: createHash('sha256').update('{"upgradeId":"upg-42"}').digest('hex'),
    patchSha256: null,
    action: 'approve',
    approverId: 'approver-1',
    keyId: 'approver-1-key-1',
    poolVersion: 1,
    threshold: 3,
    approvedAt: '2026-01-31T10:00:00.000Z',
    expiresAt: '2026-02-14T10:00:00.000Z',
    notes: null,
  };
  const patch = createHash('sha256').update('patch').digest('hex');
  const records = [
    record,
    { ...record, patchSha256: patch, action: 'reject', notes: 'Zu früh – erst nach dem Test \u{1f600}\n' },
    { ...record, action: 'ratify', poolVersion: 7, threshold: 4 },
  ].map((one) => {
    const input = Buffer.from(evidence.approvalSigningInput(one));
    return {
      record: one,
      bytes: Buffer.from(evidence.approvalRecordBytes(one)).toString(),
      input: input.toString('hex'),
      challenge: createHash('sha256').update(input).digest('hex'),
      signature: keyOf(one.keyId).sign(input),
    };
  });
  const value = { type: evidence.APPROVAL_TYPE, ...record };
  const refused = [
    ['white space', JSON.stringify(value, null, 1)],
    ['members out of order', JSON.stringify(value)],
    ...[
      ['another type', { ...value, type: 'illuvrse-kernel/approval/v2' }],
      ['a member too many', { ...value, extra: true }],
      ['a member missing', lacking(value, 'notes')],
      ['an action of its own', { ...value, action: 'apply' }],
      ['an upper-case digest', { ...value, manifestSha256: record.manifestSha256.toUpperCase() }],
      ['a patch without digest', { ...value, patchSha256: '' }],
      ['a pool version of 0', { ...value, poolVersion: 0 }],
      ['a threshold of a half', { ...value, threshold: 1.5 }],
      ['a time without milliseconds', { ...value, approvedAt: '2026-01-31T10:00:00Z' }],
      ['a day that does not exist', { ...value, approvedAt: '2026-02-30T10:00:00.000Z' }],
      ['an end before the beginning', { ...value, expiresAt: '2026-01-31T10:00:00.000Z' }],
      ['a line feed in an id', { ...value, upgradeId: 'upg\n42' }],
      ['an empty key id', { ...value, keyId: '' }],
      ['an origin with a space', { ...value, origin: 'kernel example' }],
    ].map(([name, given]) => [name, evidence.canonicalize(given)]),
  ].map(([name, input]) => ({ name, input, ...refusal(() => evidence.parseApprovalRecord(input)) }));

  const es256 = credentialOf('approver-2-passkey', 'ES256');
  const eddsa = credentialOf('approver-3-passkey', 'EdDSA');
  const byEs256 = { ...record, approverId: 'approver-2', keyId: es256.key.keyId };
  const byEddsa = { ...record, approverId: 'approver-3', keyId: eddsa.key.keyId };
  const right = keyOf(record.keyId).sign(evidence.approvalSigningInput(record));
  const input = Buffer.from(evidence.approvalSigningInput(record));
  const asserted = es256.assert(byEs256);
  const cases = [
    ['Ed25519', record, ed25519(record.keyId), right],
    ...Object.entries({
      upgradeId: 'upg-43',
      origin: 'kernel.example.com/other',
      manifestSha256: patch,
      patchSha256: patch,
      action: 'ratify',
      approverId: 'approver-2',
      poolVersion: 2,
      threshold: 2,
      approvedAt: '2026-01-31T10:00:00.001Z',
      expiresAt: '2026-02-14T10:00:00.001Z',
      notes: '',
    }).map(([name, other]) => [
      `${name} changed`,
      { ...record, [name]: other },
      ed25519(record.keyId),
      right,
    ]),
    ['another key of the same name', record, { ...ed25519('vector-foreign'), keyId: record.keyId }, right],
    ['another key id', record, ed25519('approver-1-key-2'), right],
    ['S + L', record, ed25519(record.keyId), malleate(right)],
    ['without the first line', record, ed25519(record.keyId), keyOf(record.keyId).sign(input.subarray(28))],
    ['63 bytes', record, ed25519(record.keyId), Buffer.from(right, 'base64').subarray(1).toString('base64')],
    ['base64url', record, ed25519(record.keyId), Buffer.from(right, 'base64').toString('base64url')],
    ['an assertion in place of a signature', record, ed25519(record.keyId), asserted],
    ['WebAuthn ES256', byEs256, es256.key, asserted],
    ['WebAuthn EdDSA', byEddsa, eddsa.key, eddsa.assert(byEddsa)],
    ['a signature in place of an assertion', byEs256, es256.key, right],
    ['an assertion over another record', { ...byEs256, upgradeId: 'upg-43' }, es256.key, asserted],
    [
      'registration instead of assertion',
      byEs256,
      es256.key,
      es256.assert(byEs256, { clientData: { type: 'webauthn.create' } }),
    ],
    [
      'another web origin',
      byEs256,
      es256.key,
      es256.assert(byEs256, { clientData: { origin: 'https://kernel.example.org' } }),
    ],
    ['in a foreign frame', byEs256, es256.key, es256.assert(byEs256, { clientData: { crossOrigin: true } })],
    ['another relying party', byEs256, es256.key, es256.assert(byEs256, { rpId: 'example.com' })],
    ['user not present', byEs256, es256.key, es256.assert(byEs256, { flags: 0x04 })],
    ['user not verified', byEs256, es256.key, es256.assert(byEs256, { flags: 0x01 })],
    [
      'with extensions',
      byEs256,
      es256.key,
      es256.assert(byEs256, { flags: 0x85, more: Buffer.from([0xa0]) }),
    ],
    [
      'more than the flags announce',
      byEs256,
      es256.key,
      es256.assert(byEs256, { more: Buffer.from([0xa0]) }),
    ],
    ['another credential id', byEs256, es256.key, { ...asserted, credentialId: 'AAAA' }],
    [
      'by another credential',
      byEs256,
      {
        ...credentialOf('foreign-passkey', 'ES256').key,
        keyId: es256.key.keyId,
        credentialId: es256.key.credentialId,
      },
      asserted,
    ],
    ['client data that is no JSON', byEs256, es256.key, es256.assert(byEs256, { clientDataText: 'x' })],
    [
      'authenticator data cut off',
      byEs256,
      es256.key,
      {
        ...asserted,
        authenticatorData: Buffer.from(asserted.authenticatorData, 'base64')
          .subarray(0, 33)
          .toString('base64'),
      },
    ],
    ['no base64', byEs256, es256.key, { ...asserted, signature: '*' }],
  ].map(([name, given, key, signature]) => {
    const reasons = evidence.verifyApproval(given, signature, key);
    return {
      name,
      record: given,
      key,
      signature,
      valid: reasons.length === 0,
      reasons: reasons.map((reason) => reason.slice(0, reason.indexOf(':'))),
    };
  });
  return {
    'approvals.json': {
      keys: ['approver-1-key-1'].map((keyId) => ({ keyId, seed: keyOf(keyId).seed })),
      records,
      refused,
      signatures: cases,
    },
    ...poolVectors(ed25519, record, es256.key),
  };
}

function poolVectors(ed25519, record, passkey) {
  const approver = (n, keys = [ed25519(`approver-${n}-key-1`)]) => ({
    id: `approver-${n}`,
    name: `Approver ${n}`,
    contact: null,
    principals: [`spiffe://example.com/approver-${n}`],
    keys,
  });
  const pool = { threshold: 3, approvers: [1, 2, 3, 4, 5].map((n) => approver(n)) };
  const but = (n, change) => ({
    ...pool,
    approvers: pool.approvers.map((one, i) => (i === n ? { ...one, ...change } : one)),
  });
  const weak = { ...ed25519('x'), publicKeyPem: evidence.pemOfRawKey(Buffer.alloc(32)) };
  const pools = [
    ['3 of 5', pool],
    ['with a passkey beside a key', but(1, { keys: [...approver(2).keys, passkey] })],
    ['a threshold beyond the size', { ...pool, threshold: 6 }],
    ['a threshold of 0', { ...pool, threshold: 0 }],
    ['nobody', { threshold: 1, approvers: [] }],
    ['a person twice', but(1, { id: 'approver-1' })],
    ['a principal of two people', but(1, { principals: ['spiffe://example.com/approver-1'] })],
    ['a key of two people', but(1, { keys: [{ ...ed25519('approver-1-key-1'), keyId: 'other' }] })],
    [
      'a key twice with one person',
      but(1, { keys: [...approver(2).keys, { ...approver(2).keys[0], keyId: 'again' }] }),
    ],
    ['a key id twice', but(1, { keys: [{ ...approver(2).keys[0], keyId: 'approver-1-key-1' }] })],
    ['somebody without a key', but(2, { keys: [] })],
    ['a weak key', but(2, { keys: [weak] })],
    ['an unknown member', but(2, { admin: true })],
    ['an algorithm of its own', but(2, { keys: [{ ...ed25519('x'), algorithm: 'rsa' }] })],
    ['a passkey that is no COSE key', but(2, { keys: [{ ...passkey, publicKey: 'AAAA' }] })],
    [
      'a passkey twice, under another credential id',
      but(1, { keys: [passkey, { ...passkey, keyId: 'other', credentialId: 'AAAA' }] }),
    ],
    [
      'a key of two people, in PEM with other line breaks',
      but(1, {
        keys: [
          {
            ...ed25519('approver-1-key-1'),
            keyId: 'other',
            publicKeyPem: ed25519('approver-1-key-1').publicKeyPem.replace(
              /(?<=\n)(.{16})(.{16})/,
              '$1\r\n$2\r\n',
            ),
          },
        ],
      }),
    ],
    ...coseSpellings(passkey).map(([name, publicKey]) => [
      name,
      but(2, { keys: [{ ...passkey, publicKey }] }),
    ]),
  ].map(([name, given]) => {
    try {
      evidence.readApproverPool(given);
      return { name, pool: given, accepted: true };
    } catch (error) {
      return { name, pool: given, accepted: false, code: error.code, pointer: error.pointer };
    }
  });

  const event = (seq, type, payload) => ({
    type: `approver_pool.${type}`,
    stream: evidence.POOL_STREAM,
    shard: 0,
    seq,
    ts: '2026-01-01T00:00:00.000Z',
    payload,
  });
  const registered = event(1, 'registered', { version: 1, pool });
  const revoked = (n) =>
    event(3, 'key_revoked', {
      approverId: `approver-${n}`,
      keyId: `approver-${n}-key-1`,
      keyMaterial: evidence.keyMaterial(ed25519(`approver-${n}-key-1`)),
      reason: 'lost',
    });
  const changed = (approvers, threshold = 3, provisional = false) =>
    event(2, 'changed', { version: 2, pool: { threshold, approvers }, upgradeId: 'upg-1', provisional });
  const signed = (n, change = {}) => ({
    ...record,
    approverId: `approver-${n}`,
    keyId: `approver-${n}-key-1`,
    ...change,
  });
  const without1 = [2, 3, 4, 5, 6].map((n) => approver(n));
  const three = [1, 2, 3].map((n) => signed(n));
  const quorums = [
    ['three of five', [registered], three],
    ['two of five', [registered], three.slice(1)],
    ['one person three times', [registered], [signed(1), signed(1), signed(1)]],
    ['one of them rejected since', [registered], [...three, signed(2, { action: 'reject' })]],
    [
      'one has expired',
      [registered],
      [signed(1, { expiresAt: '2026-02-01T00:00:00.000Z' }), signed(2), signed(3)],
    ],
    ['a stranger', [registered], [signed(9), signed(2), signed(3)]],
    ['another key than the registered one', [registered], [signed(1, { keyId: 'x' }), signed(2), signed(3)]],
    [
      'an approver whose id is the principal of someone else',
      [registered],
      three,
      { involved: ['approver-1'] },
    ],
    ['the proposer', [registered], three, { involved: ['spiffe://example.com/approver-1'] }],
    ['a key revoked since', [registered, revoked(2)], three],
    [
      'a revoked passkey that comes back under other names',
      [
        registered,
        event(2, 'key_revoked', {
          approverId: 'approver-2',
          keyId: passkey.keyId,
          keyMaterial: evidence.keyMaterial(passkey),
          reason: 'lost',
        }),
        {
          ...changed([
            approver(1),
            approver(2, [{ ...passkey, keyId: 'approver-2-key-1', credentialId: 'AAAA' }]),
            approver(3),
          ]),
          seq: 3,
        },
      ],
      three,
    ],
    ['one left the pool', [registered, changed(without1)], three],
    ['one joined the pool', [registered, changed(without1)], [signed(2), signed(3), signed(6)]],
    [
      'the pool demands more now',
      [
        registered,
        changed(
          [1, 2, 3, 4, 5].map((n) => approver(n)),
          4,
        ),
      ],
      three,
    ],
    [
      'the pool demands less now',
      [
        registered,
        changed(
          [1, 2, 3, 4, 5].map((n) => approver(n)),
          2,
        ),
      ],
      three.slice(1),
    ],
    [
      'a pool that is provisional gives no power',
      [registered, changed(without1, 3, true)],
      [signed(2), signed(3), signed(6)],
    ],
    ['a pool that is provisional takes it', [registered, changed(without1, 3, true)], three],
    [
      'about the provisional pool itself',
      [registered, changed(without1, 3, true)],
      three.map((one) => ({ ...one, action: 'ratify' })),
      { action: 'ratify', aboutPool: true },
    ],
  ].map(([name, events, records, options = {}]) => {
    const question = { threshold: 3, involved: [], action: 'approve', aboutPool: false, ...options };
    const now = '2026-02-01T00:00:00.000Z';
    const { required, approvers, notCounted } = evidence.countQuorum({
      ...question,
      records,
      pool: events.reduce(evidence.evolvePool, null),
      involved: { principals: new Set(question.involved) },
      now: Date.parse(now),
    });
    const not = notCounted.map(({ approverId, reason }) => [approverId, reason]);
    return { name, events, records, now, ...question, required, approvers, notCounted: not };
  });
  return { 'approver-pools.json': pools, 'quorums.json': quorums };
}

/** The COSE key of an ES256 passkey in spellings that no authenticator writes; each could pass for another key. */
function coseSpellings(passkey) {
  const bytes = Buffer.from(passkey.publicKey, 'base64');
  const [kty, alg, crv, x, y] = [
    bytes.subarray(1, 3),
    bytes.subarray(3, 5),
    bytes.subarray(5, 7),
    bytes.subarray(7, 42),
    bytes.subarray(42),
  ];
  const map = (...parts) => Buffer.concat([Buffer.from([0xa5]), ...parts]).toString('base64');
  const off = Buffer.from(y);
  off[34] ^= 1;
  return [
    ['a passkey whose map begins with alg', map(alg, kty, crv, x, y)],
    ['a passkey whose map has y before x', map(kty, alg, crv, y, x)],
    ['a passkey with an integer in two bytes', map(Buffer.from([0x01, 0x18, 0x02]), alg, crv, x, y)],
    [
      'a passkey with a length in three bytes',
      map(kty, alg, crv, Buffer.from([0x21, 0x59, 0x00, 0x20]), x.subarray(3), y),
    ],
    [
      'a passkey with a map of indefinite length',
      Buffer.concat([Buffer.from([0xbf]), bytes.subarray(1), Buffer.from([0xff])]).toString('base64'),
    ],
    [
      'a passkey with a label twice',
      Buffer.concat([Buffer.from([0xa6]), bytes.subarray(1), y]).toString('base64'),
    ],
    ['a passkey with a byte after it', Buffer.concat([bytes, Buffer.from([0])]).toString('base64')],
    ['a passkey whose point is not on the curve', map(kty, alg, crv, x, off)],
  ];
}

function lacking(value, name) {
  const rest = { ...value };
  delete rest[name];
  return rest;
}

/** A signature whose R is the neutral element: only the owner of the key can make it, and some verifiers take it. */
function byNeutral({ seed, publicKey }, message) {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const half = createHash('sha512').update(Buffer.from(seed, 'hex')).digest().subarray(0, 32);
  half[0] &= 248;
  half[31] = (half[31] & 127) | 64;
  const R = Buffer.alloc(32);
  R[0] = 1;
  const k = createHash('sha512').update(R).update(Buffer.from(publicKey, 'hex')).update(message).digest();
  const S = Buffer.from(((number(k) * number(half)) % L).toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([R, S]).toString('base64');
}

function keyVectors() {
  const message = Buffer.from('illuvrse-kernel test vector message');
  const signature = AUDIT_1.sign(message);
  const changed = (change) => {
    const raw = Buffer.from(signature, 'base64');
    change(raw);
    return raw.toString('base64');
  };
  const le = (n) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');
  const p = 2n ** 255n - 19n;
  const refused = [
    ['order 1, the neutral element', le(1n)],
    ['order 2', le(p - 1n)],
    ['order 4', le(0n)],
    ['order 4, other sign', le(2n ** 255n)],
    ['order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['order 8, other sign', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
    ['order 8, other y', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['order 8, other y and sign', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
    ['not canonical: y = p + 1, order 1', le(p + 1n)],
    ['not canonical: y = p, order 4', le(p)],
    ['not canonical: y = 1 with the sign bit', le(2n ** 255n + 1n)],
    ['not canonical: y = 2^255 - 1', le(2n ** 255n - 1n)],
    ['not on the curve: y = 2', le(2n)],
    [
      'not in the prime-order subgroup: 7 B plus a point of order 8',
      '16b981d0b88cdf3ab9fa87190822fe4905b475efda3aec7c34abfa92c19320f4',
    ],
  ];
  return {
    'public-keys.json': [
      { name: 'right', publicKey: AUDIT_1.publicKey, accepted: true },
      { name: 'right, another', publicKey: AUDIT_2.publicKey, accepted: true },
      ...refused.map(([name, publicKey]) => ({
        name,
        publicKey,
        accepted: false,
        code: refusal(() => evidence.checkRawPublicKey(Buffer.from(publicKey, 'hex'))).code,
      })),
    ],
    'signer-possession.json': {
      seed: AUDIT_2.seed,
      publicKey: AUDIT_2.publicKey,
      possession: {
        origin: ORIGIN,
        replaces: AUDIT_1.kid,
        kid: AUDIT_2.kid,
        publicKeySha256: evidence.sha256Hex(Buffer.from(AUDIT_2.publicKey, 'hex')),
      },
      input: Buffer.from(possessionInput(AUDIT_1, AUDIT_2)).toString(),
      signature: possession(AUDIT_1, AUDIT_2),
      refused: possessionRefused(),
    },
    'ed25519-signatures.json': {
      publicKey: AUDIT_1.publicKey,
      seed: AUDIT_1.seed,
      message: hex(message),
      signatures: [
        { name: 'right', signature, valid: true },
        { name: 'S + L', signature: malleate(signature), valid: false },
        {
          name: 'S = L',
          signature: withS(signature, 2n ** 252n + 27742317777372353535851937790883648493n),
          valid: false,
        },
        { name: 'S = 0', signature: withS(signature, 0n), valid: false },
        { name: 'high bits of S set', signature: changed((raw) => (raw[63] |= 0xe0)), valid: false },
        { name: 'one bit of R', signature: changed((raw) => (raw[0] ^= 1)), valid: false },
        { name: 'sign bit of R', signature: changed((raw) => (raw[31] ^= 0x80)), valid: false },
        { name: 'one bit of S', signature: changed((raw) => (raw[32] ^= 1)), valid: false },
        {
          name: 'R and S swapped',
          signature: changed((raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]).copy(raw)),
          valid: false,
        },
        { name: 'all zero', signature: Buffer.alloc(64).toString('base64'), valid: false },
        {
          name: 'R neutral, S = k a: the equation holds',
          signature: byNeutral(AUDIT_1, message),
          valid: false,
        },
        {
          name: 'R neutral, S = 0',
          signature: Buffer.concat([Buffer.from(le(1n), 'hex'), Buffer.alloc(32)]).toString('base64'),
          valid: false,
        },
        { name: 'by another key', signature: FOREIGN.sign(message), valid: false },
        { name: 'over another message', signature: AUDIT_1.sign(Buffer.from('other')), valid: false },
      ],
    },
  };
}

function withS(signature, s) {
  const raw = Buffer.from(signature, 'base64');
  for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
  return raw.toString('base64');
}

// --- chains ----------------------------------------------------------------------------------------------------------

function possessionInput(from, to, origin = ORIGIN) {
  const publicKeySha256 = evidence.sha256Hex(Buffer.from(to.publicKey, 'hex'));
  return evidence.signerPossessionInput({ origin, replaces: from.kid, kid: to.kid, publicKeySha256 });
}

/** The counter-signature with which `to` replaces `from`. */
function possession(from, to, origin = ORIGIN) {
  return to.sign(possessionInput(from, to, origin));
}

/** Inputs that a signer must not sign as a proof of possession. */
function possessionRefused() {
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
function story() {
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
const without = (lines, ...seqs) => lines.filter((_, i) => !seqs.includes(i + 1));
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

function chainVectors() {
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

// --- the evidence of upgrades ----------------------------------------------------------------------------------------

const PROPOSED_AT = '2026-01-31T10:00:00.000Z';
const DECIDED_AT = '2026-01-31T10:00:10.000Z';
const PASSKEY = credentialOf('approver-2-passkey', 'ES256');

/** Pool of five approvers: the second one signs with a passkey. */
function evidencePool() {
  const ed25519 = (keyId) => ({
    keyId,
    algorithm: 'ed25519',
    publicKeyPem: keyOf(keyId).entry.public_key_pem,
  });
  return {
    threshold: 3,
    approvers: [1, 2, 3, 4, 5].map((n) => ({
      id: `approver-${n}`,
      name: `Approver ${n}`,
      contact: null,
      principals: [`spiffe://example.com/approver-${n}`],
      keys: [n === 2 ? PASSKEY.key : ed25519(`approver-${n}-key-1`)],
    })),
  };
}

/** The first pool as founding and trust root name it. */
function firstPool() {
  return poolDigest(evidencePool());
}

const EVIDENCE_MANIFEST = {
  upgradeId: 'upg-42',
  type: 'code',
  target: 'kernel-api',
  rationale: 'a fix',
  version: '2.0.0',
};

/** Keys of the kernel in the evidence of upgrades; the last one is lost. */
const EVIDENCE_KEYS = [AUDIT_1, AUDIT_2, CHECKPOINT, MANIFEST_ONLY, CHECKPOINT_LOST];
const WITNESS = keyOf('vector-witness-1', ['checkpoint']);
const WITNESS_NAME = 'witness-1.example.org';
const COSIGNED_AT = 1_780_000_000;

function witnessKey(key) {
  return { name: WITNESS_NAME, type: 'cosignature/v1', raw: Buffer.from(key.publicKey, 'hex') };
}

/** The line with which a witness cosigns a checkpoint. */
function cosignature(key, text) {
  const { name, type, raw } = witnessKey(key);
  const signature = Buffer.from(key.sign(evidence.cosignatureInput(COSIGNED_AT, text)), 'base64');
  return {
    name,
    keyHash: evidence.noteKeyHash(name, raw, type),
    signature: evidence.timestampedSignature({ time: COSIGNED_AT, signature }),
  };
}

/** An envelope over the manifest of the upgrade. */
function authorizationOf(key = MANIFEST_ONLY, change = {}) {
  const payload = evidence.manifestStatement({
    manifestId: 'upg-42',
    version: '2.0.0',
    kind: 'deployment-authorization',
    division: null,
    origin: ORIGIN,
    signedAt: DECIDED_AT,
    requestedBy: ACTOR.id,
    auditSeqAfter: '0:12',
    sha256: evidence.manifestDigest(EVIDENCE_MANIFEST),
    ...change,
  });
  const input = evidence.dssePae(evidence.MANIFEST_PAYLOAD_TYPE, payload);
  return evidence.buildEnvelope(payload, key.kid, key.sign(input));
}

/** An upgrade from its proposal to its application, in a chain with other events between; each part can be altered. */
class UpgradeChain {
  chain = new Chain();
  records = [];
  poolEvents = 0;

  constructor({ actor = ACTOR, submittedBy = actor.id, pool = evidencePool(), founding = firstPool() } = {}) {
    this.people = pool.approvers;
    this.chain.found(EVIDENCE_KEYS, founding);
    this.pool('approver_pool.registered', { version: 1, pool });
    this.chain.endSigner(CHECKPOINT_LOST, 'compromised', AUDIT_1);
    this.append('upgrade.proposed', {
      actor,
      payload: {
        upgradeId: 'upg-42',
        manifest: EVIDENCE_MANIFEST,
        manifestSha256: evidence.manifestDigest(EVIDENCE_MANIFEST),
        patchSha256: null,
        submittedBy,
        pool: { version: 1, threshold: 3, size: 5 },
        expiresAt: '2026-03-02T10:00:00.000Z',
        approvalTtlHours: 336,
        ratificationHours: 48,
      },
    });
  }

  append(type, given) {
    return this.chain.append({ stream: 'upgrade/upg-42', type, ...given });
  }

  pool(type, payload) {
    this.poolEvents++;
    return this.chain.append({ stream: 'approver_pool/kernel', type, payload });
  }

  other() {
    return this.chain.append({ stream: 'door/front', type: 'door.opened', payload: { by: 'somebody' } });
  }

  record(n, change = {}) {
    return {
      origin: ORIGIN,
      upgradeId: 'upg-42',
      manifestSha256: evidence.manifestDigest(EVIDENCE_MANIFEST),
      patchSha256: null,
      action: 'approve',
      approverId: `approver-${n}`,
      keyId: this.people[n - 1].keys[0].keyId,
      poolVersion: 1,
      threshold: 3,
      approvedAt: PROPOSED_AT,
      expiresAt: '2026-02-14T10:00:00.000Z',
      notes: null,
      ...change,
    };
  }

  /** @param said is in the record, @param signed is signed in its place */
  approve(n, said = {}, signed = {}, type = 'upgrade.approval_given') {
    const record = this.record(n, said);
    const over = { ...record, ...signed };
    const signature =
      record.keyId === PASSKEY.key.keyId
        ? PASSKEY.assert(over)
        : keyOf(record.keyId).sign(evidence.approvalSigningInput(over));
    this.append(type, {
      payload: {
        approvalId: `0198f4c2-1b2a-7000-8000-00000000000${n}`,
        record: { type: evidence.APPROVAL_TYPE, ...record },
        signature,
      },
    });
  }

  approveAll(people = [1, 2, 3]) {
    for (const n of people) this.approve(n);
  }

  /** An application in an emergency, and its ratification by three of five. */
  emergency({ actor = ACTOR, appliedBy = actor.id, ratifyBy = '2026-02-02T10:00:00.000Z' } = {}) {
    const said = { appliedBy, reason: 'it burns', ratifyBy, effect: null, authorization: null };
    this.append('upgrade.emergency_applied', { actor, payload: { ...this.basis(), ...said } });
  }

  ratify() {
    for (const n of [1, 2, 3]) this.approve(n, { action: 'ratify' }, {}, 'upgrade.ratification_given');
    this.append('upgrade.ratified', { ts: '2026-01-31T10:00:10.500Z', payload: this.decision() });
  }

  /** What evidence has to have before a decision. */
  basis() {
    const registry = this.chain.events.filter(({ stream }) => /^(?:kernel|signer)\//.test(stream));
    return { poolEvents: this.poolEvents, signerEvents: registry.length };
  }

  decision(change = {}) {
    return {
      approvers: ['approver-1', 'approver-2', 'approver-3'],
      required: 3,
      poolVersion: 1,
      ...this.basis(),
      decidedAt: DECIDED_AT,
      ...change,
    };
  }

  decide({ authorization = null, ...change } = {}) {
    const decision = this.decision(change);
    this.other();
    const ts = '2026-01-31T10:00:10.500Z';
    this.append('upgrade.applied', {
      ts,
      payload: { ...decision, appliedBy: 'CN=deployer', effect: null, authorization },
    });
    this.chain.append({ stream: 'door/front', type: 'door.opened', payload: { by: 'somebody' }, ts });
  }

  /** @param checkpoint false statements of the checkpoint, @param signer its signer, @param witness who cosigns it */
  async bundle({ checkpoint = {}, signer = CHECKPOINT, witness = null } = {}) {
    const { events } = this.chain;
    const lines = this.chain.lines();
    const of = (prefix) => lines.filter((_, i) => events[i].stream.startsWith(prefix));
    const leaves = lines.map((line) => evidence.leafHash(Buffer.from(line)));
    const subtree = async (level, index) =>
      level === 0
        ? leaves[index]
        : evidence.nodeHash(await subtree(level - 1, index * 2), await subtree(level - 1, index * 2 + 1));
    const root = await evidence.treeRoot(subtree, leaves.length);
    const head = { origin: ORIGIN, shard: 0, size: leaves.length, root, ...checkpoint };
    const own = evidence.signedCheckpoint(
      head,
      signer.entry.public_key_pem,
      Buffer.from(signer.sign(evidence.checkpointSigningInput(head)), 'base64'),
    );
    const cosigned =
      witness === null ? '' : evidence.signatureLine(cosignature(witness, evidence.checkpointText(head)));
    const proofs = [];
    const [founded] = lines;
    for (const line of [founded, ...of('upgrade/'), ...of('approver_pool/'), ...of('signer/')]) {
      const index = lines.indexOf(line);
      const path = await evidence.inclusionPath(subtree, index, leaves.length);
      proofs.push(evidence.logProofText(index, path, own + cosigned));
    }
    const registered = events.find(({ type }) => type === 'approver_pool.registered');
    const keys = this.people.flatMap((approver) => approver.keys);
    return {
      type: evidence.UPGRADE_EVIDENCE_TYPE,
      origin: ORIGIN,
      upgradeId: 'upg-42',
      issuedAt: '2026-01-31T11:00:00.000Z',
      manifest: EVIDENCE_MANIFEST,
      founded,
      events: of('upgrade/'),
      pool: of('approver_pool/'),
      signers: of('signer/'),
      approvals: events
        .filter(({ type }) => /^upgrade\.(?:approval|rejection|ratification)_given$/.test(type))
        .map(({ seq, payload }) => ({
          approvalId: payload.approvalId,
          position: `0:${seq}`,
          record: payload.record,
          signature: payload.signature,
          key: keys.find(({ keyId }) => keyId === payload.record.keyId),
          keyRegisteredAt: `0:${registered.seq}`,
        })),
      proofs,
    };
  }
}

/** Builds the evidence vectors. The first words of the faults, each once, are written by hand. */
async function evidenceVectors() {
  const told = async (tell, options) => {
    const story = new UpgradeChain(options?.story);
    tell(story);
    const bundle = await story.bundle(options?.bundle);
    options?.change?.(bundle);
    return bundle;
  };
  const whole = (story) => {
    story.approveAll();
    story.decide();
  };
  const changed = (change, options = {}) => told(whole, { change, ...options });
  const bent = (n, said, signed) => (story) => {
    for (const one of [1, 2, 3]) story.approve(one, ...(one === n ? [said, signed] : []));
    story.decide();
  };
  const strangers = evidencePool();
  strangers.approvers.forEach((approver, i) => {
    const keyId = `stranger-${i + 1}`;
    approver.keys = [{ keyId, algorithm: 'ed25519', publicKeyPem: keyOf(keyId).entry.public_key_pem }];
  });
  const proposer = { id: 'spiffe://example.com/approver-3', kind: 'service', roles: ['Operator'] };
  const cases = [
    ['applied by three of five, one of them with a passkey', await changed(() => undefined), []],
    ['without proofs of inclusion', await changed((b) => (b.proofs = [])), ['inclusion']],
    [
      'without proofs of inclusion, which is allowed',
      await changed((b) => (b.proofs = [])),
      [],
      { withoutProofs: true },
    ],
    ['a quorum that is not decided yet', await told((story) => story.approveAll([1, 2])), []],
    [
      'the manifest changed',
      await changed((b) => (b.manifest = { ...b.manifest, target: 'x' })),
      ['digest', 'record'],
    ],
    [
      'an approval left out',
      await changed((b) => {
        leaveOut(b, 'events', 2);
        b.approvals.splice(1, 1);
      }),
      ['stream', 'quorum'],
    ],
    [
      'a character of an approval changed',
      await changed((b) => (b.events[1] = b.events[1].replace('"notes":null', '"notes":"x"'))),
      ['hash', 'signature', 'quorum', 'approvals', 'inclusion'],
    ],
    [
      'an approval shown with another key',
      await changed((b) => (b.approvals[0].key = { ...b.approvals[0].key, keyId: 'x' })),
      ['approvals'],
    ],
    ['of another kernel', await changed((b) => (b.origin = 'kernel.example.com/other')), ['origin']],
    ['of another upgrade', await changed((b) => (b.upgradeId = 'upg-43')), ['stream', 'record']],
    ['signed for another kernel', await told(bent(1, { origin: 'kernel.example.com/other' })), ['record']],
    ['signed for another upgrade', await told(bent(1, { upgradeId: 'upg-43' })), ['record']],
    ['signed for another action', await told(bent(1, { action: 'reject' })), ['record', 'quorum']],
    [
      'another record than the one that was signed',
      await told(bent(1, {}, { upgradeId: 'upg-43' })),
      ['signature', 'quorum', 'approvals'],
    ],
    [
      'a passkey touched for another record',
      await told(bent(2, {}, { upgradeId: 'upg-43' })),
      ['signature', 'quorum', 'approvals'],
    ],
    [
      'two of three',
      await told((story) => {
        story.approveAll([1, 2]);
        story.decide();
      }),
      ['quorum'],
    ],
    [
      'one person twice',
      await told((story) => {
        story.approveAll([1, 2]);
        story.approve(1, { approvedAt: '2026-01-31T10:00:01.000Z' });
        story.decide();
      }),
      ['quorum'],
    ],
    ['one who proposed it', await told(whole, { story: { actor: proposer } }), ['quorum']],
    [
      'an approval that had expired',
      await told(bent(1, { expiresAt: '2026-01-31T10:00:09.000Z' })),
      ['quorum'],
    ],
    [
      'other names than those that counted',
      await told((story) => {
        story.approveAll([1, 2, 3]);
        story.decide({ approvers: ['approver-1', 'approver-2', 'approver-4'] });
      }),
      ['quorum'],
    ],
    [
      'by a key that was revoked',
      await told((story) => {
        story.approveAll();
        story.pool('approver_pool.key_revoked', revocationOf('approver-1'));
        story.decide();
      }),
      ['quorum'],
    ],
    [
      'the revocation of a key left out',
      await told(
        (story) => {
          story.approveAll();
          story.pool('approver_pool.key_revoked', revocationOf('approver-1'));
          story.decide();
        },
        {
          change: (b) => leaveOut(b, 'pool', 1),
        },
      ),
      ['pool'],
    ],
    [
      'decided long before it was recorded',
      await told((story) => {
        story.approveAll();
        story.decide({ decidedAt: '2026-01-31T09:00:00.000Z' });
      }),
      ['time'],
    ],
    ['a proof fewer than events', await changed((b) => b.proofs.pop()), ['invalid_upgrade_evidence']],
    ['the proof of another event', await changed((b) => (b.proofs[0] = b.proofs[1])), ['inclusion']],
    [
      'a hash of a path changed',
      await changed(
        (b) =>
          (b.proofs[3] = b.proofs[3].replace(/^(index \d+\n)(.)/m, (_, a, c) => a + (c === 'A' ? 'B' : 'A'))),
      ),
      ['inclusion'],
    ],
    [
      'a checkpoint by a foreign key',
      await changed(() => undefined, { bundle: { signer: FOREIGN } }),
      ['inclusion'],
    ],
    [
      'a checkpoint by an audit key',
      await changed(() => undefined, { bundle: { signer: AUDIT_2 } }),
      ['inclusion'],
    ],
    [
      'a checkpoint of another log',
      await changed(() => undefined, { bundle: { checkpoint: { shard: 1 } } }),
      ['inclusion'],
    ],
    [
      'a checkpoint of another tree',
      await changed(() => undefined, { bundle: { checkpoint: { root: Buffer.alloc(32) } } }),
      ['inclusion'],
    ],
    ['no JSON', '{"type":', ['invalid_json']],
    ['a member twice', '{"type":1,"type":1}', ['duplicate_member']],
    [
      'proposed by another in the name of an approver who counts',
      await told(whole, { story: { submittedBy: 'approver-3' } }),
      [],
    ],
    [
      'applied in an emergency in the name of an approver who counts, and ratified',
      await told((story) => {
        story.emergency({ appliedBy: 'approver-3' });
        story.ratify();
      }),
      [],
    ],
    [
      'ratified by one who applied it in an emergency in the name of another',
      await told((story) => {
        story.emergency({ actor: proposer, appliedBy: 'CN=deployer' });
        story.ratify();
      }),
      ['quorum'],
    ],
    [
      'ratified when its time was over',
      await told((story) => {
        story.emergency({ ratifyBy: DECIDED_AT });
        story.ratify();
      }),
      ['time'],
    ],
    ['applied in an emergency, not ratified', await told((story) => story.emergency()), []],
    ['rejected by three of five', await told((story) => reject(story, [1, 2, 3])), []],
    ['rejected by two of five, which are too few', await told((story) => reject(story, [1, 2])), ['quorum']],
    [
      'a rejection that is not shown',
      await told(
        (story) => {
          story.approve(4, { action: 'reject' }, {}, 'upgrade.rejection_given');
          whole(story);
        },
        { change: (b) => b.approvals.shift() },
      ),
      ['approvals'],
    ],
    [
      'an approval shown twice, and another not',
      await changed((b) => (b.approvals[1] = b.approvals[0])),
      ['approvals'],
    ],
    [
      'applied after it was withdrawn',
      await told((story) => {
        story.approveAll();
        story.append('upgrade.withdrawn', { payload: { reason: 'not now' } });
        story.decide();
      }),
      ['order'],
    ],
    ['with the authorisation to deploy it', await told(authorized(authorizationOf())), []],
    [
      'authorised by a statement of another kind',
      await told(authorized(authorizationOf(MANIFEST_ONLY, { kind: 'agent' }))),
      ['authorization'],
    ],
    [
      'authorised for another upgrade',
      await told(authorized(authorizationOf(MANIFEST_ONLY, { manifestId: 'upg-43' }))),
      ['authorization'],
    ],
    ['authorised by an audit key', await told(authorized(authorizationOf(AUDIT_2))), ['authorization']],
    [
      'authorised by a manifest key that had ended',
      await told((story) => {
        story.chain.endSigner(MANIFEST_ONLY, 'retired', AUDIT_1);
        authorized(authorizationOf())(story);
      }),
      ['authorization'],
    ],
    ['a first pool of somebody else', await told(whole, { story: { pool: strangers } }), ['anchor']],
    [
      'a first pool of somebody else, and a founding that names it',
      await told(whole, { story: { pool: strangers, founding: poolDigest(strangers) } }),
      ['anchor', 'founding'],
    ],
    [
      'a trust root that does not name the first pool',
      await changed(() => undefined),
      ['anchor'],
      { signers: 'guide' },
    ],
    ['the event that adds a key left out', await changed((b) => leaveOut(b, 'signers', 1)), ['signers']],
    ['the compromise of a key left out', await changed((b) => leaveOut(b, 'signers', 5)), ['signers']],
    [
      'the compromise of a key after the decision left out, which the trust root knows of',
      await told(
        (story) => {
          whole(story);
          story.chain.endSigner(AUDIT_2, 'retired', AUDIT_1);
        },
        { change: (b) => leaveOut(b, 'signers', 6) },
      ),
      ['signers'],
      { signers: 'ended' },
    ],
    [
      'the registry of nobody',
      await changed((b) => leaveOut(b, 'signers', 0, 6)),
      ['key_not_valid', 'signers'],
    ],
    [
      'an event of the upgrade in the place of the founding',
      await changed((b) => (b.founded = b.events[0])),
      ['founding', 'inclusion', 'order', 'signers'],
    ],
    [
      'a checkpoint by a lost checkpoint key',
      await changed(() => undefined, { bundle: { signer: CHECKPOINT_LOST } }),
      ['inclusion'],
    ],
    [
      'cosigned as the trust root asks',
      await changed(() => undefined, { bundle: { witness: WITNESS } }),
      [],
      { signers: 'witnessed' },
    ],
    [
      'not cosigned, as the trust root asks',
      await changed(() => undefined),
      ['inclusion'],
      { signers: 'witnessed' },
    ],
    [
      'cosigned by another in the name of the witness',
      await changed(() => undefined, { bundle: { witness: FOREIGN } }),
      ['inclusion'],
      { signers: 'witnessed' },
    ],
    [
      'by a key that was lost after the checkpoint',
      await changed(() => undefined),
      [],
      { signers: 'lost-later' },
    ],
    [
      'by a key that was lost before the checkpoint',
      await changed(() => undefined),
      ['key_not_valid', 'signers'],
      { signers: 'lost-before' },
    ],
  ];
  const known = { shards: SHARDS, approverPool: firstPool() };
  const entriesOf = (change = {}) => EVIDENCE_KEYS.map((key) => ({ ...key.entry, ...change[key.kid] }));
  const json = (change, more = known) => evidence.signersJson(entriesOf(change), ORIGIN, more);
  const ended = (kid, status, span) => ({ [kid]: { status, [`${status}At`]: DECIDED_AT, ...span } });
  const lost = (until) =>
    ended(AUDIT_1.kid, 'compromised', { span: { ...spanOf([0, 0], [until, 0]), since: [] } });
  const log = { witnesses: [evidence.noteKeyText(witnessKey(WITNESS))], quorum: 1 };
  const files = {
    'upgrade-evidence/signers.json': json(),
    'upgrade-evidence/signers-guide.json': json({}, {}),
    'upgrade-evidence/signers-witnessed.json': json({}, { ...known, log }),
    'upgrade-evidence/signers-ended.json': json(ended(AUDIT_2.kid, 'retired')),
    'upgrade-evidence/signers-lost-later.json': json(lost(100)),
    'upgrade-evidence/signers-lost-before.json': json(lost(12)),
  };
  const entries = cases.map(([name, bundle, faults, { signers, ...options } = {}], i) => {
    const named = signers === undefined ? {} : { signers: `upgrade-evidence/signers-${signers}.json` };
    const text = files[named.signers ?? 'upgrade-evidence/signers.json'];
    const trust = evidence.trustRootOf(evidence.parseSignersFile(Buffer.from(text)), ORIGIN);
    const file = `upgrade-evidence/${String(i + 1).padStart(2, '0')}.json`;
    files[file] = typeof bundle === 'string' ? bundle : `${JSON.stringify(bundle, null, 1)}\n`;
    const verdict = evidence.verifyUpgradeEvidence(Buffer.from(files[file]), trust, options);
    const found = [...new Set(verdict.faults.map((one) => one.slice(0, one.indexOf(':'))))].sort();
    if (found.join() !== [...faults].sort().join()) {
      throw new Error(`${name}: ${verdict.faults.join('; ')}`);
    }
    return {
      name,
      file,
      ...named,
      ...options,
      verified: faults.length === 0,
      faults: [...faults].sort(),
      ...(faults.length > 0
        ? {}
        : { status: verdict.status, approvers: verdict.approvers, log: verdict.log }),
    };
  });
  files['upgrade-evidence.json'] = {
    origin: ORIGIN,
    signers: 'upgrade-evidence/signers.json',
    cases: entries,
  };
  return files;
}

/** Takes events out of a list of the evidence, with their proofs. */
function leaveOut(bundle, list, at, count = 1) {
  const lists = ['events', 'pool', 'signers'];
  const before = lists.slice(0, lists.indexOf(list)).reduce((sum, name) => sum + bundle[name].length, 1);
  bundle[list].splice(at, count);
  bundle.proofs.splice(before + at, count);
}

function reject(story, people) {
  for (const n of people) story.approve(n, { action: 'reject' }, {}, 'upgrade.rejection_given');
  const approvers = people.map((n) => `approver-${n}`);
  story.append('upgrade.rejected', {
    ts: '2026-01-31T10:00:16.000Z',
    payload: { ...story.decision({ approvers, decidedAt: '2026-01-31T10:00:15.000Z' }), reason: 'no' },
  });
}

const authorized = (authorization) => (story) => {
  story.approveAll();
  story.decide({ authorization });
};

function poolDigest(pool) {
  return { version: 1, sha256: evidence.sha256Hex(evidence.canonicalize(pool)) };
}

function revocationOf(approverId) {
  const [key] = evidencePool().approvers.find(({ id }) => id === approverId).keys;
  return { approverId, keyId: key.keyId, keyMaterial: evidence.keyMaterial(key), reason: 'lost' };
}

// --- published vectors of others -------------------------------------------------------------------------------------

/** Our verdict on each of the signatures in docs/spec/vectors/published. */
async function publishedVectors() {
  const published = async (name) => JSON.parse(await readFile(join(folder, 'published', name), 'utf8'));
  const verdict = (publicKey, message, signature) => {
    try {
      const key = evidence.importPublicKey(Buffer.from(publicKey, 'hex'));
      return evidence.verifyEd25519(key, message, Buffer.from(signature, 'hex'))
        ? 'valid'
        : 'invalid_signature';
    } catch (error) {
      if (!(error instanceof evidence.EvidenceError)) throw error;
      return error.code;
    }
  };
  const wycheproof = (await published('wycheproof-ed25519.json')).testGroups.flatMap(({ publicKey, tests }) =>
    tests.map(({ tcId, msg, sig }) => [tcId, verdict(publicKey.pk, Buffer.from(msg, 'hex'), sig)]),
  );
  const edges = (await published('ed25519vectors.json')).map(({ A, R, S, M }) =>
    verdict(A, Buffer.from(M), R + S),
  );
  return {
    'published/ed25519-verdicts.json': { wycheproof: Object.fromEntries(wycheproof), ed25519vectors: edges },
  };
}

// --- files -----------------------------------------------------------------------------------------------------------

const files = new Map();
for (const group of [
  jsonVectors(),
  eventVectors(),
  manifestVectors(),
  documentVectors(),
  approvalVectors(),
  keyVectors(),
  chainVectors(),
  await evidenceVectors(),
  await logVectors({ evidence, keyOf, refusal }),
  await receiptVectors(root),
  await publishedVectors(),
]) {
  for (const [name, content] of Object.entries(group)) {
    files.set(name, typeof content === 'string' ? content : `${JSON.stringify(content, null, 1)}\n`);
  }
}

let different = 0;
for (const [name, content] of files) {
  const path = join(folder, name);
  if (process.argv.includes('--check')) {
    const committed = await readFile(path, 'utf8').catch(() => '');
    if (committed === content) continue;
    console.error(`docs/spec/vectors/${name} is not what scripts/build-vectors.mjs makes.`);
    different++;
  } else {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}
if (different > 0) process.exit(1);
