import { type TrustRoot, type UpgradeEvidence } from '#evidence';
import { TestWitness } from './chain-log';
import { envelopeJson, fixedSigner, TestApprovers, UpgradedKernel } from './upgraded-kernel';

/** A file that pretends to be the evidence of an upgrade. */
export interface FakeUpgrade {
  name: string;
  file: UpgradeEvidence;
  /** What the verifier must say about it, one of its faults at least. */
  says: RegExp;
  /** Refused although no proofs are asked for: what is wrong with it shows in the events. */
  always: boolean;
}

export interface FakesOfUpgrade {
  kernel: UpgradedKernel;
  /** The trust roots under which none may pass, from before anyone knew of the theft. */
  trusts: { name: string; trust: TrustRoot }[];
  fakes: FakeUpgrade[];
}

/**
 * What someone who has an audit key can present as the evidence of an upgrade to an auditor who knows nothing of the
 * theft: K1 signs any event, and everything that is public is at hand, the log, approvals that were really given, a
 * checkpoint key that was lost and is known to be. The log is the kernel's, so that nothing new comes into it.
 */
export function fakesOfUpgradeThief(): FakesOfUpgrade {
  const kernel = new UpgradedKernel().upgrade();
  const trusts = [
    { name: 'the signers.json of the kernel', trust: kernel.trust() },
    { name: 'a signers.json without spans', trust: kernel.trust({ spans: false }) },
  ];
  return {
    kernel,
    trusts,
    fakes: [
      ...ofPool(kernel),
      ...ofOmission(kernel),
      ...ofLog(kernel),
      ...ofAuthority(kernel),
      ...ofEvents(kernel),
    ],
  };
}

const always = { always: true };
const byLogAlone = { always: false };

/** The file with other members, its other lists untouched. */
function but(file: UpgradeEvidence, more: Partial<UpgradeEvidence>): UpgradeEvidence {
  return { ...structuredClone(file), ...more };
}

/** Leaves entries out of one list of events, with their proofs. */
function without(
  file: UpgradeEvidence,
  list: 'events' | 'pool' | 'signers',
  drop: (line: string) => boolean,
): UpgradeEvidence {
  const copy = structuredClone(file);
  const lists = ['events', 'pool', 'signers'] as const;
  let at = 1;
  for (const name of lists) {
    const kept = copy[name].map((line) => !(name === list && drop(line)));
    copy.proofs = copy.proofs.filter((_, i) => i < at || i >= at + kept.length || kept[i - at] === true);
    copy[name] = copy[name].filter((_, i) => kept[i]);
    at += copy[name].length;
  }
  return copy;
}

/** A pool of people that the thief made up. */
function ofPool(kernel: UpgradedKernel): FakeUpgrade[] {
  const own = new TestApprovers('approver', 90);
  const invented = new UpgradedKernel({ approvers: own, firstPool: kernel.chain.firstPool }).upgrade();
  const founded = new UpgradedKernel({ approvers: own }).upgrade();
  const anchor = /^anchor: the pool is not anchored: /;
  const witnesses = kernel.witnesses.map(({ name }, i) => new TestWitness(name, fixedSigner(name, 190 + i)));
  const changed = kernel.fork(8);
  Object.assign(changed.changePool(own.pool), { approvers: own });
  changed.propose({}, { pool: { version: 2, threshold: 3, size: 5 } });
  for (const n of [1, 2, 3]) changed.give(n, 'approve', { poolVersion: 2 });
  changed.decide('upgrade.applied', { poolVersion: 2 });
  const weaker = kernel.fork(8).changePool({ ...kernel.approvers.pool, threshold: 1 });
  weaker.propose({}, { pool: { version: 2, threshold: 1, size: 5 } });
  weaker.give(1, 'approve', { poolVersion: 2, threshold: 1 });
  weaker.decide('upgrade.applied', { approvers: [1], required: 1, poolVersion: 2 });
  return [
    {
      name: 'an invented pool, no proofs',
      file: but(invented.evidence(), { proofs: [] }),
      says: anchor,
      ...always,
    },
    {
      name: 'an invented pool, a checkpoint by the stolen key',
      file: invented.evidence({ signers: [kernel.k1] }),
      says: anchor,
      ...always,
    },
    {
      name: 'an invented pool, a checkpoint cosigned by witnesses of the thief',
      file: invented.evidence({ signers: [kernel.k1], witnesses }),
      says: anchor,
      ...always,
    },
    {
      name: 'an invented pool, the proofs of the kernel',
      file: but(invented.evidence(), { proofs: kernel.evidence().proofs }),
      says: /^inclusion: .* does not lead to the root/,
      ...always,
    },
    {
      name: 'an invented pool, and a founding that names it',
      file: but(founded.evidence(), { proofs: [] }),
      says: /^founding: .*first approver pool/,
      ...always,
    },
    {
      name: 'the founding of the kernel before an invented pool',
      file: but(founded.evidence(), { proofs: [], founded: kernel.evidence().founded }),
      says: anchor,
      ...always,
    },
    {
      name: 'a kernel founded without a pool, which registers an invented one',
      file: but(new UpgradedKernel({ approvers: own, firstPool: null }).upgrade().evidence(), { proofs: [] }),
      says: /^founding: .*first approver pool none/,
      ...always,
    },
    {
      name: 'the pool changed to an invented one',
      file: but(changed.evidence(), { proofs: [] }),
      says: /^inclusion: /,
      ...byLogAlone,
    },
    {
      name: 'the pool changed to an invented one, a checkpoint by the stolen key',
      file: changed.evidence({ signers: [kernel.k1] }),
      says: /^inclusion: .*k1 is not a checkpoint key/,
      ...always,
    },
    {
      name: 'the threshold lowered to one',
      file: but(weaker.evidence(), { proofs: [] }),
      says: /^inclusion: /,
      ...byLogAlone,
    },
  ];
}

/** Parts of what the kernel said, the rest left out. */
function ofOmission(kernel: UpgradedKernel): FakeUpgrade[] {
  const file = kernel.evidence();
  const has = (text: string) => (line: string) => line.includes(text);
  const revoking = kernel.fork(8).revokeKey(3).propose();
  for (const n of [1, 2, 3]) revoking.give(n);
  revoking.revokeKey(1).decide();
  const revoked = new UpgradedKernel().propose();
  for (const n of [1, 2, 3]) revoked.give(n);
  revoked.revokeKey(1).decide();
  const [first, ...others] = file.approvals;
  return [
    {
      name: 'no proofs',
      file: but(file, { proofs: [] }),
      says: /^inclusion: the file has no proofs/,
      ...byLogAlone,
    },
    {
      name: 'no signer events',
      file: without(file, 'signers', () => true),
      says: /^signers: signer events are left out/,
      ...always,
    },
    {
      name: 'the addition of the manifest key left out',
      file: without(file, 'signers', has('"signer_kid":"m1"')),
      says: /^signers: signer events are left out/,
      ...always,
    },
    {
      name: 'the addition of the checkpoint key left out',
      file: without(file, 'signers', has('"signer_kid":"c1"')),
      says: /^signers: signer events are left out/,
      ...always,
    },
    {
      name: 'the end of the lost checkpoint key left out',
      file: without(file, 'signers', has('signer.compromised')),
      says: /^signers: signer events are left out/,
      ...always,
    },
    {
      name: 'the addition of the lost checkpoint key left out',
      file: without(file, 'signers', has('"stream":"signer/cx"')),
      says: /^signers: signer events are left out/,
      ...always,
    },
    {
      name: 'a rejection left out',
      file: without(but(file, { approvals: others }), 'events', has('rejection_given')),
      says: /^stream: .* number 2 was due/,
      ...always,
    },
    {
      name: 'a rejection not shown',
      file: but(file, { approvals: others }),
      says: /^approvals: /,
      ...always,
    },
    { name: 'no approvals shown', file: but(file, { approvals: [] }), says: /^approvals: /, ...always },
    {
      name: 'one approval shown for all',
      file: but(file, { approvals: file.approvals.map(() => first as never) }),
      says: /^approvals: /,
      ...always,
    },
    {
      name: 'approvals shown under another name',
      file: but(file, {
        approvals: file.approvals.map((one) => ({ ...one, key: { ...one.key, keyId: 'x' } })),
      }),
      says: /^approvals: /,
      ...always,
    },
    {
      name: 'the revocation of a key that counted left out',
      file: without(revoking.evidence(), 'pool', has('key_revoked')),
      says: /^pool: .*rests on 3 events of the pool/,
      ...always,
    },
    {
      name: 'the last revocation left out',
      file: without(revoked.evidence(), 'pool', has('key_revoked')),
      says: /^pool: .*rests on 2 events of the pool/,
      ...always,
    },
    {
      name: 'no events',
      file: without(file, 'events', () => true),
      says: /^stream: there is no event/,
      ...always,
    },
    {
      name: 'no pool',
      file: without(file, 'pool', () => true),
      says: /^stream: there is no event of approver_pool/,
      ...always,
    },
    {
      name: 'the proposal left out',
      file: without(file, 'events', has('upgrade.proposed')),
      says: /^(?:stream|order): /,
      ...always,
    },
  ];
}

/** A log that the kernel never published, or parts of one that it did. */
function ofLog(kernel: UpgradedKernel): FakeUpgrade[] {
  const { k1, cx, c1, witnesses } = kernel;
  const genuine = kernel.evidence();
  const size = kernel.chain.events.length;
  const applied = kernel.fork(size - 2).decide();
  const stranger = fixedSigner('c1', 201, 'checkpoint');
  const note = kernel.log().checkpoint();
  // Cosignatures that the witnesses gave to a smaller tree.
  const older = kernel.log().checkpoint({ size: size - 1 });
  const cosignatures = older
    .slice(older.indexOf('\n\n') + 2)
    .split('\n')
    .slice(1)
    .join('\n');
  const alone = kernel.log().checkpoint({ witnesses: [] });
  const mixed = genuine.proofs.map((proof, i) =>
    i === 2 ? kernel.log().receipt(10, { size: size - 1 }) : proof,
  );
  const shifted = [...genuine.proofs.slice(1), ...genuine.proofs.slice(0, 1)];
  const own = kernel.fork();
  own.chain.rotateSigner(c1, stranger);
  return [
    {
      name: 'a fork, the checkpoint by the stolen audit key',
      file: applied.evidence({ signers: [k1] }),
      says: /^inclusion: .*k1 is not a checkpoint key/,
      ...always,
    },
    {
      name: 'a fork, the checkpoint by the lost checkpoint key',
      file: applied.evidence({ signers: [cx] }),
      says: /^inclusion: .*cx is compromised/,
      ...always,
    },
    {
      name: 'a fork, the checkpoint by a key of the thief under the name of another',
      file: applied.evidence({ signers: [stranger] }),
      says: /^inclusion: .*unknown_key/,
      ...always,
    },
    {
      name: 'a fork, the checkpoint of the kernel',
      file: applied.evidence(note),
      says: /^inclusion: .* does not lead to the root/,
      ...always,
    },
    {
      name: 'the log of the kernel by the lost checkpoint key',
      file: kernel.evidence({ signers: [cx] }),
      says: /^inclusion: .*cx is compromised/,
      ...always,
    },
    {
      name: 'the log of the kernel, not cosigned',
      file: kernel.evidence(alone),
      says: /^inclusion: .*cosign/,
      ...always,
    },
    {
      name: 'the log of the kernel, cosigned by one',
      file: kernel.evidence({ witnesses: witnesses.slice(0, 1) }),
      says: /^inclusion: .*cosign/,
      ...always,
    },
    {
      name: 'the log of the kernel, with cosignatures of another checkpoint',
      file: kernel.evidence(`${alone}${cosignatures}`),
      says: /^inclusion: .*signature: not made by/,
      ...always,
    },
    {
      name: 'the log of the kernel, cosigned by keys of the thief',
      file: kernel.evidence({
        witnesses: witnesses.map(({ name }, i) => new TestWitness(name, fixedSigner(name, 210 + i))),
      }),
      says: /^inclusion: .*cosign/,
      ...always,
    },
    {
      name: 'the log of another shard',
      file: kernel.evidence({ shard: 1 }),
      says: /^inclusion: .*the log .*\/log\/1/,
      ...always,
    },
    {
      name: 'the log of another kernel',
      file: kernel.evidence({ origin: 'kernel.example.com/other' }),
      says: /^inclusion: .*the log kernel\.example\.com\/other/,
      ...always,
    },
    {
      name: 'one proof of another checkpoint',
      file: but(genuine, { proofs: mixed }),
      says: /^inclusion: .*another checkpoint/,
      ...always,
    },
    {
      name: 'the proofs in another order',
      file: but(genuine, { proofs: shifted }),
      says: /^inclusion: .*for the index/,
      ...always,
    },
    {
      name: 'a proof too few',
      file: but(genuine, { proofs: genuine.proofs.slice(1) }),
      says: /^invalid_upgrade_evidence: /,
      ...always,
    },
    {
      name: 'proofs for all but the founding',
      file: but(genuine, { proofs: [genuine.proofs[1] ?? '', ...genuine.proofs.slice(1)] }),
      says: /^inclusion: 0:1: /,
      ...always,
    },
    {
      name: 'proofs that are none',
      file: but(genuine, { proofs: genuine.proofs.map(() => '') }),
      says: /^inclusion: .*invalid_log_proof/,
      ...always,
    },
    {
      name: 'the checkpoint of a key that the stolen key rotated in',
      file: own.evidence({ signers: [stranger] }),
      says: /^inclusion: .*unknown_key/,
      ...always,
    },
    {
      name: 'a smaller checkpoint, and the events after it',
      file: but(genuine, {
        proofs: genuine.proofs.map((proof) => proof.slice(0, proof.indexOf('\n\n') + 2) + older),
      }),
      says: /^inclusion: /,
      ...always,
    },
  ];
}

/** Events of a kernel that has another founding, and authorisations that are none. */
function ofAuthority(kernel: UpgradedKernel): FakeUpgrade[] {
  const { k1, m1 } = kernel;
  const other = new UpgradedKernel({ origin: 'kernel.example.com/other' }).upgrade();
  const shards = new UpgradedKernel({ shards: 3 }).upgrade();
  const size = kernel.chain.events.length;
  const authorized = (envelope: ReturnType<UpgradedKernel['authorize']>) =>
    but(
      kernel
        .fork(size - 1)
        .decide('upgrade.applied', { authorization: envelopeJson(envelope) })
        .evidence(),
      { proofs: [] },
    );
  const retired = kernel.fork(size - 1);
  retired.chain.retireSigner(m1, k1);
  const genuine = kernel.evidence();
  return [
    {
      name: 'a founding of another kernel',
      file: but(genuine, { founded: other.evidence().founded }),
      says: /^signature: 0:1: /,
      ...always,
    },
    {
      name: 'a founding with more shards',
      file: but(genuine, { founded: shards.evidence().founded }),
      says: /^founding: .*3 shards/,
      ...always,
    },
    {
      name: 'a kernel with more shards',
      file: but(shards.evidence(), { proofs: [] }),
      says: /^founding: .*3 shards/,
      ...always,
    },
    { name: 'the evidence of another kernel', file: other.evidence(), says: /^origin: /, ...always },
    {
      name: 'the evidence of another kernel under the name of this one',
      file: but(other.evidence(), { origin: kernel.chain.origin }),
      says: /^signature: /,
      ...always,
    },
    {
      name: 'no founding',
      file: but(genuine, { founded: genuine.pool[0] ?? '' }),
      says: /^founding: /,
      ...always,
    },
    {
      name: 'an authorisation of another kind',
      file: authorized(kernel.authorize(m1, { kind: 'agent' })),
      says: /^authorization: .*kind agent/,
      ...always,
    },
    {
      name: 'an authorisation without a kind',
      file: authorized(kernel.authorize(m1, { kind: null })),
      says: /^authorization: .*kind null/,
      ...always,
    },
    {
      name: 'an authorisation by the stolen key',
      file: authorized(kernel.authorize(k1)),
      says: /^authorization: .*k1 is not a manifest key/,
      ...always,
    },
    {
      name: 'an authorisation for another upgrade',
      file: authorized(kernel.authorize(m1, { manifestId: 'upg-6' })),
      says: /^authorization: .*upg-6/,
      ...always,
    },
    {
      name: 'an authorisation of another manifest',
      file: authorized(kernel.authorize(m1, { sha256: 'a'.repeat(64) })),
      says: /^authorization: .*digest/,
      ...always,
    },
    {
      name: 'an authorisation by another kernel',
      file: authorized(kernel.authorize(m1, { origin: 'kernel.example.com/other' })),
      says: /^authorization: .*origin/,
      ...always,
    },
    {
      name: 'an authorisation by a key that had ended',
      file: but(retired.decide().evidence(), { proofs: [] }),
      says: /^authorization: .*m1 signs nothing after/,
      ...always,
    },
  ];
}

/** Events that the kernel never wrote, or wrote otherwise, by the stolen key. */
function ofEvents(kernel: UpgradedKernel): FakeUpgrade[] {
  const { k1, k2 } = kernel;
  const noProofs = (story: UpgradedKernel) => but(story.evidence(), { proofs: [] });
  const proposed = () => kernel.fork(8).propose();
  const two = proposed().give(1).give(2);
  const forged = proposed().give(1).give(2).give(3, 'approve', {}, k1);
  const twice = proposed().give(1).give(2).give(2);
  const expired = proposed();
  for (const n of [1, 2, 3]) expired.give(n, 'approve', { expiresAt: '2026-01-31T10:00:05.000Z' });
  const elsewhere = proposed();
  for (const n of [1, 2, 3]) elsewhere.give(n, 'approve', { upgradeId: 'upg-6' });
  const lowered = kernel
    .fork(8)
    .propose({}, { pool: { version: 1, threshold: 1, size: 5 } })
    .give(1);
  const self = kernel.fork(8).propose({
    actor: { id: 'spiffe://example.com/approver-3', kind: 'human', roles: ['Operator'] },
  });
  for (const n of [1, 2, 3]) self.give(n);
  const withdrawn = proposed();
  for (const n of [1, 2, 3]) withdrawn.give(n);
  const gone = withdrawn.fork().append('upgrade/upg-7', 'upgrade.withdrawn', { reason: 'not now' });
  const otherManifest = proposed();
  Object.assign(otherManifest, { manifest: { ...kernel.manifest, target: 'everything' } });
  for (const n of [1, 2, 3]) otherManifest.give(n);
  const emergency = (ratifyBy: string) =>
    proposed().append('upgrade/upg-7', 'upgrade.emergency_applied', {
      appliedBy: 'CN=root',
      reason: 'it burns',
      ratifyBy,
      effect: null,
      authorization: null,
      ...kernel.fork(8).basis(),
    });
  const late = emergency('2026-01-31T10:00:10.000Z');
  for (const n of [1, 2, 3]) late.give(n, 'ratify');
  const vague = emergency('Feb 2, 2026 10:00 UTC');
  for (const n of [1, 2, 3]) vague.give(n, 'ratify');
  const thin = emergency('2026-02-02T10:00:00.000Z').give(1, 'ratify');
  const mine = fixedSigner('k9', 220, 'audit');
  const added = kernel.fork(8);
  added.chain.addSigner(mine, k1);
  const byMine = added.propose({ signer: mine });
  for (const n of [1, 2, 3]) byMine.give(n);
  const ended = kernel.fork(8);
  ended.chain.retireSigner(k1, k2);
  const afterEnd = ended.propose();
  for (const n of [1, 2, 3]) afterEnd.give(n);
  const genuine = kernel.evidence();
  const aside = kernel.chain.fork()[1];
  aside?.append({ stream: 'upgrade/upg-7', type: 'upgrade.proposed', payload: { upgradeId: 'upg-7' } });
  const inShard1 = Buffer.from(aside?.bytes[0] ?? '').toString();
  return [
    {
      name: 'applied with two of three',
      file: noProofs(two.decide('upgrade.applied', { approvers: [1, 2] })),
      says: /^quorum: .*2 of 3/,
      ...always,
    },
    {
      name: 'an approval signed by the stolen key',
      file: noProofs(forged.decide()),
      says: /^signature: .*approver-3/,
      ...always,
    },
    { name: 'one person twice', file: noProofs(twice.decide()), says: /^quorum: .*2 of 3/, ...always },
    {
      name: 'approvals that had expired',
      file: noProofs(expired.decide()),
      says: /^quorum: .*0 of 3/,
      ...always,
    },
    {
      name: 'approvals that had expired, decided before',
      file: noProofs(expired.fork(12).decide('upgrade.applied', { decidedAt: '2026-01-31T09:50:00.000Z' })),
      says: /^time: /,
      ...always,
    },
    {
      name: 'approvals of another upgrade',
      file: noProofs(elsewhere.decide()),
      says: /^record: .*upgradeId upg-6/,
      ...always,
    },
    {
      name: 'a threshold of one in the proposal',
      file: noProofs(lowered.decide('upgrade.applied', { approvers: [1] })),
      says: /^pool: .*threshold/,
      ...always,
    },
    {
      name: 'approved by who proposed it',
      file: noProofs(self.decide()),
      says: /^quorum: .*2 of 3/,
      ...always,
    },
    {
      name: 'applied though it was never applied',
      file: noProofs(withdrawn.decide()),
      says: /^inclusion: /,
      ...byLogAlone,
    },
    {
      name: 'applied though it was withdrawn',
      file: noProofs(gone.decide()),
      says: /^order: .*withdrawn cannot be applied/,
      ...always,
    },
    {
      name: 'approvals of another manifest',
      file: noProofs(otherManifest.decide()),
      says: /^digest: /,
      ...always,
    },
    {
      name: 'another manifest shown',
      file: but(genuine, { manifest: { ...kernel.manifest, target: 'everything' } }),
      says: /^digest: /,
      ...always,
    },
    {
      name: 'ratified too late',
      file: noProofs(late.decide('upgrade.ratified')),
      says: /^time: .*its time was over/,
      ...always,
    },
    {
      name: 'ratified until a time that is no RFC 3339',
      file: noProofs(vague.decide('upgrade.ratified')),
      says: /^time: .*its time was over/,
      ...always,
    },
    {
      name: 'ratified by one',
      file: noProofs(thin.decide('upgrade.ratified', { approvers: [1] })),
      says: /^quorum: .*1 of 3/,
      ...always,
    },
    {
      name: 'ratified without an emergency',
      file: noProofs(withdrawn.fork(12).decide('upgrade.ratified')),
      says: /^order: /,
      ...always,
    },
    {
      name: 'signed by a key that the stolen key brought in',
      file: noProofs(byMine.decide()),
      says: /^unknown_key: /,
      ...always,
    },
    {
      name: 'signed by the stolen key after its end',
      file: noProofs(afterEnd.decide()),
      says: /^key_not_valid: .*k1/,
      ...always,
    },
    {
      name: 'the evidence of another upgrade',
      file: but(genuine, { upgradeId: 'upg-8' }),
      says: /^stream: .*upg-8/,
      ...always,
    },
    {
      name: 'an event of another shard',
      file: but(genuine, { events: [inShard1, ...genuine.events.slice(1)] }),
      says: /^order: 1:1: governance is in shard 0/,
      ...always,
    },
    { name: 'the proposal twice', file: noProofs(proposed().propose()), says: /^order: /, ...always },
    {
      name: 'other people named than those that counted',
      file: noProofs(withdrawn.fork(12).decide('upgrade.applied', { approvers: [1, 2, 5] })),
      says: /^quorum: .*names other approvers/,
      ...always,
    },
    {
      name: 'fewer events of the pool claimed',
      file: noProofs(withdrawn.fork(12).decide('upgrade.applied', { poolEvents: 0 })),
      says: /^pool: /,
      ...always,
    },
    {
      name: 'fewer events of the key registry claimed',
      file: noProofs(withdrawn.fork(12).decide('upgrade.applied', { signerEvents: 1 })),
      says: /^signers: /,
      ...always,
    },
    {
      name: 'a recorded position moved',
      file: but(genuine, { events: [...genuine.events].reverse() }),
      says: /^(?:stream|order): /,
      ...always,
    },
  ];
}
