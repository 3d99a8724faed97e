// The vectors of audit events (docs/spec/audit-event.md), and the chain that others are built with.
import {
  AUDIT_1,
  AUDIT_2,
  ORIGIN,
  SHARDS,
  evidence,
  hex,
  lacking,
  possession,
  refusal,
} from './vector-kernel.mjs';

export const ACTOR = { id: 'CN=build-service', kind: 'service', roles: ['Operator'] };

export function withoutHash(event) {
  const rest = { ...event };
  delete rest.group;
  delete rest.hash;
  delete rest.signature;
  return rest;
}

/** Makes chains in which every event follows from the one before; given members replace the computed ones. */
export class Chain {
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

  append(given = {}) {
    return this.appendGroup([given])[0];
  }

  /** Events that are signed together, by the signer of the first. */
  appendGroup(all) {
    const signer = all[0].signer ?? AUDIT_1;
    const first = (this.events.at(-1)?.seq ?? 0) + 1;
    const drafts = [];
    for (const given of all) drafts.push(this.draft({ ...given, signer }, drafts.at(-1)));
    const { root, paths } = evidence.groupTree(drafts.map(({ sealed }) => sealed.hash));
    const place = { origin: this.origin, shard: this.shard, first, count: all.length, root };
    const input = evidence.auditGroupInput(place);
    const signature = signer.sign(input);
    return drafts.map(({ sealed }, n) => {
      const group = { first, count: all.length, path: paths[n] };
      const done = sealed.finish(signature, group);
      const unhashed = withoutHash(done.event);
      this.cases.push({
        event: unhashed,
        canonicalWithoutGroupHashAndSignature: evidence.canonicalize(unhashed),
        hash: sealed.hash,
        group,
        signingInput: Buffer.from(input).toString(),
        signerKid: signer.kid,
        signature,
        canonical: Buffer.from(done.bytes).toString(),
      });
      this.events.push(done.event);
      return done.event;
    });
  }

  /** An event on top of the chain, or of a draft, that is not signed yet. */
  draft({ signer, ...given }, before) {
    const last = before === undefined ? this.events.at(-1) : { ...before.event, hash: before.sealed.hash };
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
    return { event, sealed: evidence.sealEvent(event, this.origin) };
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

/** Trees of every shape near a power of two. */
const GROUP_SIZES = [2, 3, 4, 5, 7, 8, 9];

export function eventVectors() {
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
  for (const size of GROUP_SIZES) {
    chain.appendGroup(Array.from({ length: size }, (_, n) => ({ payload: { group: size, n } })));
  }
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
    ['no group', changed((e) => delete e.group)],
    ['group of none', changed((e) => (e.group.count = 0))],
    ['group of 1,025', changed((e) => (e.group.count = 1_025))],
    ['group that begins after the event', changed((e) => (e.group.first = 3))],
    ['group that ends before the event', changed((e) => (e.group.first = 1))],
    ['group that begins at 0', changed((e) => (e.group = { ...e.group, first: 0, count: 3 }))],
    ['path that is too short', changed((e) => (e.group.count = 2))],
    ['path that is too long', changed((e) => (e.group.path = [`${'A'.repeat(43)}=`]))],
    [
      'path with stray bits',
      changed((e) => (e.group = { ...e.group, count: 2, path: [`${'A'.repeat(42)}B=`] })),
    ],
    ['path in hex', changed((e) => (e.group = { ...e.group, count: 2, path: ['ab'.repeat(32)] }))],
    ['group with a member too many', changed((e) => (e.group.root = ''))],
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
  const [domain, origin, shard, seq, count, hash] = right.split('\n');
  const lines = (...parts) => `${parts.join('\n')}\n`;
  const cases = [
    ['other domain', lines('illuvrse-kernel/audit-group/v2', origin, shard, seq, count, hash)],
    ['a domain of events', lines('illuvrse-kernel/audit-event/v1', origin, shard, seq, hash)],
    ['approval', lines('illuvrse-kernel/approval/v1', origin, shard, seq, count, hash)],
    ['no line feed at the end', right.slice(0, -1)],
    ['a line too many', `${right}x\n`],
    ['a line too few', lines(domain, origin, shard, seq, count)],
    ['carriage returns', right.replaceAll('\n', '\r\n')],
    ['empty origin', lines(domain, '', shard, seq, count, hash)],
    ['origin with a space', lines(domain, 'a b', shard, seq, count, hash)],
    ['shard with a leading zero', lines(domain, origin, '00', seq, count, hash)],
    ['negative shard', lines(domain, origin, '-1', seq, count, hash)],
    ['position 0', lines(domain, origin, shard, '0', count, hash)],
    ['position beyond 2^53 - 1', lines(domain, origin, shard, '9007199254740992', count, hash)],
    ['position with an exponent', lines(domain, origin, shard, '1e0', count, hash)],
    ['group of none', lines(domain, origin, shard, seq, '0', hash)],
    ['group of 1,025', lines(domain, origin, shard, seq, '1025', hash)],
    ['group of 01', lines(domain, origin, shard, seq, '01', hash)],
    ['group beyond 2^53 - 1', lines(domain, origin, shard, '9007199254740991', '2', hash)],
    ['upper-case hash', lines(domain, origin, shard, seq, count, hash.toUpperCase())],
    ['short hash', lines(domain, origin, shard, seq, count, hash.slice(2))],
    ['empty', ''],
  ];
  return cases.map(([name, input]) => ({
    name,
    input: hex(input),
    code: refusal(() => evidence.parseAuditSigningInput(Buffer.from(input))).code,
  }));
}
