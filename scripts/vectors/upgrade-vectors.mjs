// The vectors of the evidence of upgrades (docs/spec/approval.md, section 6).
import { credentialOf } from './approval-vectors.mjs';
import { ACTOR, Chain } from './event-vectors.mjs';
import {
  AUDIT_1,
  AUDIT_2,
  CHECKPOINT,
  CHECKPOINT_LOST,
  FOREIGN,
  MANIFEST_ONLY,
  ORIGIN,
  SHARDS,
  evidence,
  keyOf,
  spanOf,
} from './vector-kernel.mjs';

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
export async function evidenceVectors() {
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
