import { DAY, person, poolOf, sha256, signerEntry, UpgradeStory } from '../fixtures/upgrade-story.fixture';
import { missingChecks, quorumFor } from './upgrade.quorum';
import { type UpgradeCommand } from './upgrade.decider';

const APPLY: UpgradeCommand = { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' };
const types = (events: readonly { type: string }[]) => events.map(({ type }) => type);

describe('an upgrade', () => {
  let story: UpgradeStory;
  beforeEach(() => {
    story = new UpgradeStory(
      [1, 2, 3, 4, 5, 6, 7].map((n) => person(n)),
      3,
      5,
    );
    story.when('u', story.propose('u'));
  });

  describe('proposal', () => {
    it('fixes the manifest, its digest, the pool in force and when it ends', () => {
      expect(story.chain.at(-1)).toMatchObject({
        type: 'upgrade.proposed',
        payload: {
          manifestSha256: sha256('{"rationale":"because","target":"kernel","type":"code","upgradeId":"u"}'),
          patchSha256: null,
          submittedBy: 'operator',
          pool: { version: 1, threshold: 3, size: 5 },
          expiresAt: new Date(story.now + 30 * DAY).toISOString(),
        },
      });
    });
    it('is refused when the id is taken', () => {
      expect(story.refused('u', story.propose('u'))).toBe('upgrade_exists');
    });
    it.each([
      ['an id with a slash', { upgradeId: 'a/b' }],
      ['an unknown type', { type: 'party' }],
      ['no rationale', { rationale: ' ' }],
      ['no target', { target: '' }],
      ['a patch digest in upper case', { patchSha256: 'A'.repeat(64) }],
      ['a precondition twice', { preconditions: ['a', 'a'] }],
      ['a pool that is none', { type: 'approver_pool', pool: { threshold: 1, approvers: [] } }],
      ['a policy without end', { type: 'policy', policy: { approvalTtlHours: 0 } }],
      [
        'a rotation of an unknown key',
        { type: 'signer_rotation', from: 'x', signer: { ...signerEntry('n') } },
      ],
      ['a rollback of what is not in effect', { type: 'rollback', undoes: 'u' }],
    ])('is refused with %s', (_, manifest) => {
      expect(story.refused('other', story.propose('other', manifest))).toBe('invalid_manifest');
    });
    it('recomputes the digest of an artifact that comes with it', () => {
      const artifactSha256 = sha256('patch');
      const wrong = story.propose('p', { patchSha256: sha256('other') }, { artifactSha256 });
      expect(story.refused('p', wrong)).toBe('patch_mismatch');
      story.when('p', story.propose('p', {}, { artifactSha256 }));
      expect(story.upgrades.get('p')?.patchSha256).toBe(artifactSha256);
      story.approve('p', 1, 2, 3);
      expect(story.refused('p', { ...APPLY, artifactSha256: sha256('other') })).toBe('patch_mismatch');
      story.when('p', { ...APPLY, artifactSha256 });
      expect(story.status('p')).toBe('applied');
    });
  });

  describe('signature', () => {
    it('is recorded with its record, and the third makes the quorum', () => {
      story.approve('u', 1, 2);
      expect(story.status('u')).toBe('proposed');
      expect(types(story.when('u', story.signing('u', 3)))).toEqual([
        'upgrade.approval_given',
        'upgrade.approved',
      ]);
      expect(story.status('u')).toBe('approved');
    });
    it.each([
      ['upgradeId', 'v'],
      ['origin', 'kernel.example.com/other'],
      ['manifestSha256', sha256('another manifest')],
      ['patchSha256', sha256('patch')],
      ['action', 'reject'],
      ['approverId', 'person-2'],
      ['poolVersion', 2],
      ['threshold', 2],
      ['notes', 'other words'],
      ['expiresAt', '2099-01-01T00:00:00.000Z'],
      ['approvedAt', '2026-03-01T00:00:00.001Z'],
    ] as const)('over another %s is refused, before anything is stored', (member, value) => {
      const length = story.chain.length;
      expect(story.refused('u', story.signing('u', 1, 'approve', { signed: { [member]: value } }))).toBe(
        'invalid_signature',
      );
      expect(story.chain).toHaveLength(length);
    });
    it('for one upgrade is nothing for another', () => {
      story.when('v', story.propose('v'));
      expect(story.refused('v', story.signing('u', 1))).toBe('invalid_signature');
    });
    it('in the name of another person is refused', () => {
      expect(story.refused('u', story.signing('u', 1, 'approve', { by: 'principal-2' }))).toBe(
        'not_the_approver',
      );
      expect(story.refused('u', story.signing('u', 6))).toBe('not_the_approver');
    });
    it('by who proposed it is refused, whatever name they gave', () => {
      for (const [id, submittedBy] of [
        ['own', null],
        ['claimed', 'somebody'],
        ['person', 'person-1'],
      ] as const) {
        story.when(id, story.propose(id, {}, { by: 'principal-1', submittedBy }));
        expect(story.refused(id, story.signing(id, 1))).toBe('self_approval');
      }
    });
    it('is not taken away by a proposal in the name of an approver', () => {
      for (const submittedBy of ['person-2', 'principal-2']) {
        expect(story.refused('x', story.propose('x', {}, { submittedBy }))).toBe('not_the_approver');
      }
      // Someone who becomes an approver afterwards.
      story.when('x', story.propose('x', {}, { submittedBy: 'person-6' }));
      const pool = poolOf(3, story.people.slice(0, 6));
      story.when('p', story.propose('p', { type: 'approver_pool', pool: pool as never }));
      story.approve('p', 1, 2, 3);
      story.apply('p');
      story.approve('x', 6);
      expect(quorumFor(story.upgrades.get('x')!, 'approve', story.governance, story.now).approvers).toEqual([
        'person-6',
      ]);
    });
    it('is not taken away by a caller whose principal is the id of an approver', () => {
      story.when('x', story.propose('x', {}, { by: 'person-2' }));
      story.approve('x', 2);
    });
    it('is given once, whatever it says', () => {
      story.approve('u', 1);
      expect(story.refused('u', story.signing('u', 1))).toBe('approver_already_signed');
      expect(story.refused('u', story.signing('u', 1, 'reject'))).toBe('approver_already_signed');
    });
    it('of one person counts once, with whichever key', () => {
      const two = new UpgradeStory([person(1, ['key-1', 'key-1b']), person(2), person(3)], 2);
      two.when('u', two.propose('u'));
      two.approve('u', 1);
      expect(two.refused('u', two.signing('u', 1, 'approve', { keyId: 'key-1b' }))).toBe(
        'approver_already_signed',
      );
    });
    it('names a time that can be true', () => {
      const at = (approvedAt: number) => story.refused('u', story.signing('u', 1, 'approve', { approvedAt }));
      expect(at(story.now + DAY)).toBe('invalid_approved_at');
      expect(at(story.now - DAY)).toBe('invalid_approved_at');
      const early = story.signing('u', 1);
      story.now += 14 * DAY;
      expect(story.refused('u', early)).toBe('invalid_approved_at');
    });
    it('by a revoked key is refused, and by a key of somebody else', () => {
      story.revokeKey(1);
      expect(story.refused('u', story.signing('u', 1))).toBe('key_not_valid');
      const foreign = story.signing('u', 2);
      expect(
        story.refused('u', { ...foreign, approverId: 'person-3', by: 'principal-3' } as UpgradeCommand),
      ).toBe('key_not_valid');
    });
    it('finds its key by itself', () => {
      story.when('u', { ...story.signing('u', 1), keyId: null } as UpgradeCommand);
      expect(story.upgrades.get('u')?.approvals[0]?.record.keyId).toBe('key-1');
    });
  });

  describe('quorum', () => {
    it('is missing', () => {
      story.approve('u', 1, 2);
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
      const quorum = quorumFor(story.upgrades.get('u')!, 'approve', story.governance, story.now);
      expect(quorum).toMatchObject({ required: 3, missing: 1, approvers: ['person-1', 'person-2'] });
      expect(quorum.open).toEqual(['person-3', 'person-4', 'person-5']);
    });
    it('passes with time', () => {
      story.approve('u', 1, 2, 3);
      story.now += 14 * DAY;
      expect(story.status('u')).toBe('proposed');
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
      story.approve('u', 1, 2, 3);
      story.apply('u');
      expect(story.status('u')).toBe('applied');
    });
    it('ends with a key that is revoked', () => {
      story.approve('u', 1, 2, 3);
      story.revokeKey(2);
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
      story.approve('u', 4);
      story.apply('u');
      expect(story.chain.at(-1)?.payload['approvers']).toEqual(['person-1', 'person-3', 'person-4']);
    });
    it('ends with a person who leaves the pool, also for what is pending, and who joins may help', () => {
      story.approve('u', 1, 2, 3);
      const pool = poolOf(3, story.people.slice(1, 6));
      story.when('p', story.propose('p', { type: 'approver_pool', pool: pool as never }));
      story.approve('p', 2, 3, 4);
      story.apply('p');
      expect(story.governance.pool.inForce.version).toBe(2);
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
      story.approve('u', 6);
      story.apply('u');
      expect(story.status('u')).toBe('applied');
    });
    it('grows with the pool in force', () => {
      story.approve('u', 1, 2, 3);
      story.when(
        'p',
        story.propose('p', { type: 'approver_pool', pool: poolOf(4, story.people.slice(0, 7)) as never }),
      );
      story.approve('p', 1, 2, 3);
      story.apply('p');
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
      story.approve('u', 7);
      story.apply('u');
    });
    it('does not shrink with it', () => {
      story.approve('u', 1, 2);
      story.when(
        'p',
        story.propose('p', { type: 'approver_pool', pool: poolOf(2, story.people.slice(0, 5)) as never }),
      );
      story.approve('p', 1, 2, 3);
      story.apply('p');
      expect(story.refused('u', APPLY)).toBe('insufficient_quorum');
    });
  });

  describe('end without application', () => {
    it('comes with more rejections than the quorum can spare, and says who and why', () => {
      for (const n of [1, 2]) story.when('u', story.signing('u', n, 'reject', { notes: `no ${n}` }));
      expect(story.status('u')).toBe('proposed');
      const events = story.when('u', story.signing('u', 3, 'reject'));
      expect(types(events)).toEqual(['upgrade.rejection_given', 'upgrade.rejected']);
      expect(events[1]?.payload).toMatchObject({
        poolEvents: 1,
        signerEvents: 2,
        decidedAt: expect.any(String),
      });
      expect(story.upgrades.get('u')?.reason).toContain('person-1: no 1; person-2: no 2');
      expect(story.refused('u', story.signing('u', 4))).toBe('upgrade_closed');
      expect(story.refused('u', APPLY)).toBe('upgrade_closed');
    });
    it('comes with its proposer, with a reason', () => {
      expect(story.refused('u', { kind: 'withdraw', reason: 'no', by: 'somebody' })).toBe('not_the_proposer');
      story.when('u', { kind: 'withdraw', reason: 'changed my mind', by: 'operator' });
      expect(story.upgrades.get('u')).toMatchObject({ status: 'withdrawn', reason: 'changed my mind' });
      expect(story.refused('u', story.signing('u', 1))).toBe('upgrade_closed');
    });
    it('comes with time, whether or not anybody has recorded it', () => {
      story.approve('u', 1);
      story.now += 30 * DAY - 1;
      expect(story.when('u', { kind: 'expire' })).toEqual([]);
      story.approve('u', 1, 2, 3);
      story.now += 1;
      expect(story.status('u')).toBe('expired');
      expect(story.refused('u', APPLY)).toBe('upgrade_closed');
      expect(story.refused('u', story.signing('u', 4))).toBe('upgrade_closed');
      expect(types(story.when('u', { kind: 'expire' }))).toEqual(['upgrade.expired']);
      expect(story.when('u', { kind: 'expire' })).toEqual([]);
    });
  });

  describe('application', () => {
    it('happens once', () => {
      story.approve('u', 1, 2, 3);
      expect(types(story.apply('u'))).toEqual(['upgrade.applied']);
      expect(story.apply('u')).toEqual([]);
      expect(story.refused('u', story.signing('u', 4))).toBe('upgrade_already_applied');
      expect(story.refused('u', { kind: 'withdraw', reason: 'no', by: 'operator' })).toBe(
        'upgrade_already_applied',
      );
    });
    it('waits for its checks, reported by a service as passed', () => {
      story.when('c', story.propose('c', { preconditions: ['staging', 'backup'] }));
      story.approve('c', 1, 2, 3);
      const check = (name: string, passed: boolean, byService = true): UpgradeCommand => ({
        kind: 'report-check',
        name,
        passed,
        detail: null,
        by: 'ci',
        byService,
      });
      expect(story.refused('c', check('staging', true, false))).toBe('only_services');
      expect(story.refused('c', check('other', true))).toBe('unknown_check');
      story.when('c', check('staging', true));
      story.when('c', check('backup', false));
      expect(story.refused('c', APPLY)).toBe('checks_missing');
      expect(missingChecks(story.upgrades.get('c')!)).toEqual(['backup']);
      expect(story.refused('c', { ...check('backup', true), by: 'operator' } as UpgradeCommand)).toBe(
        'self_check',
      );
      story.when('c', check('backup', true));
      story.apply('c');
      expect(story.status('c')).toBe('applied');
    });
    it('has its checks from another than the proposer, or the one in whose name it was proposed', () => {
      const people = [person(1), person(2), person(3)];
      people[0]!.approver.principals.push('service-1');
      const one = new UpgradeStory(people, 2);
      const report = (by: string): UpgradeCommand => ({
        kind: 'report-check',
        name: 'staging',
        passed: true,
        detail: null,
        by,
        byService: true,
      });
      one.when('c', one.propose('c', { preconditions: ['staging'] }, { by: 'ci-1', submittedBy: 'ci-2' }));
      for (const by of ['ci-1', 'ci-2']) expect(one.refused('c', report(by))).toBe('self_check');
      one.when('c', report('ci-3'));
      one.when('d', one.propose('d', { preconditions: ['staging'] }, { by: 'principal-1' }));
      expect(one.refused('d', report('service-1'))).toBe('self_check');
      one.when('d', report('ci-1'));
    });
    it('records who called beside the name that they gave', () => {
      story.approve('u', 1, 2, 3);
      expect(story.refused('u', { ...APPLY, claimedBy: 'person-4' })).toBe('not_the_approver');
      story.when('u', { ...APPLY, claimedBy: 'the night shift' });
      expect(story.chain.at(-1)?.payload).toMatchObject({
        appliedBy: 'operator',
        claimedBy: 'the night shift',
      });
      expect(story.upgrades.get('u')?.application).toMatchObject({
        by: 'operator',
        claimedBy: 'the night shift',
      });
    });
    it('ends well or badly', () => {
      const complete: UpgradeCommand = { kind: 'complete', outcome: 'failed', detail: 'it did not start' };
      expect(story.refused('u', complete)).toBe('not_applied');
      story.approve('u', 1, 2, 3);
      story.apply('u');
      expect(types(story.when('u', complete))).toEqual(['upgrade.failed']);
      expect(story.when('u', complete)).toEqual([]);
      expect(story.refused('u', { ...complete, outcome: 'completed' })).toBe('not_applied');
    });
    it('changes the policy for what is proposed from then on', () => {
      const policy = { approvalTtlHours: 24, proposalTtlHours: 48, ratificationHours: 1 };
      story.when('p', story.propose('p', { type: 'policy', policy }));
      story.approve('p', 1, 2, 3);
      story.apply('p');
      story.when('v', story.propose('v'));
      expect(story.upgrades.get('v')).toMatchObject({ approvalTtlHours: 24, ratificationHours: 1 });
      expect(story.upgrades.get('u')).toMatchObject({ approvalTtlHours: 14 * 24, ratificationHours: 48 });
    });
    it('rotates a signing key', () => {
      const rotation = {
        type: 'signer_rotation',
        from: 'manifest-1',
        signer: { ...signerEntry('manifest-2') },
      };
      story.when('r', story.propose('r', rotation));
      story.approve('r', 1, 2, 3);
      story.apply('r');
      expect(story.governance.signers.map(({ signer_kid }) => signer_kid)).toEqual([
        'manifest-1',
        'manifest-2',
      ]);
    });
    it('of a pool is refused when another pool came first', () => {
      for (const id of ['p', 'q']) {
        story.when(
          id,
          story.propose(id, { type: 'approver_pool', pool: poolOf(3, story.people.slice(0, 6)) as never }),
        );
        story.approve(id, 1, 2, 3);
      }
      story.apply('p');
      expect(story.refused('q', APPLY)).toBe('superseded');
    });
    it('of a pool of people too few of whom can call is refused', () => {
      const pool = poolOf(3, story.people.slice(0, 4));
      const silent = {
        ...pool,
        approvers: pool.approvers.map((one, i) => (i > 1 ? { ...one, principals: [] } : one)),
      };
      expect(story.refused('p', story.propose('p', { type: 'approver_pool', pool: silent as never }))).toBe(
        'invalid_manifest',
      );
    });
    it('of a pool with a revoked key is refused, at proposal and later', () => {
      const pool = poolOf(3, story.people.slice(0, 5)) as never;
      story.when('p', story.propose('p', { type: 'approver_pool', pool }));
      story.approve('p', 2, 3, 4);
      story.revokeKey(1);
      expect(story.refused('p', APPLY)).toBe('invalid_manifest');
      expect(story.refused('q', story.propose('q', { type: 'approver_pool', pool }))).toBe(
        'invalid_manifest',
      );
    });
  });

  describe('emergency', () => {
    it('applies at once, and is open until it is ratified', () => {
      expect(types(story.emergency('u'))).toEqual(['upgrade.emergency_applied']);
      expect(story.status('u')).toBe('emergency_applied');
      expect(story.upgrades.get('u')?.application).toMatchObject({
        emergency: true,
        ratifyBy: new Date(story.now + 2 * DAY).toISOString(),
      });
      expect(story.refused('u', story.signing('u', 1))).toBe('upgrade_already_applied');
      for (const n of [1, 2]) story.when('u', story.signing('u', n, 'ratify'));
      expect(types(story.when('u', story.signing('u', 3, 'ratify')))).toEqual([
        'upgrade.ratification_given',
        'upgrade.ratified',
      ]);
      story.now += 3 * DAY;
      expect(story.when('u', { kind: 'settle-emergency' })).toEqual([]);
    });
    it('is not applied by asking for it once more', () => {
      story.emergency('u');
      expect(story.refused('u', APPLY)).toBe('upgrade_already_applied');
      story.now += 2 * DAY;
      story.when('u', { kind: 'settle-emergency' });
      expect(story.status('u')).toBe('rollback_required');
      expect(story.refused('u', APPLY)).toBe('upgrade_already_applied');
    });
    it('is not ratified when its time is over, whether or not anyone has recorded that', () => {
      story.emergency('u');
      story.now += 2 * DAY;
      for (const action of ['ratify', 'reject'] as const) {
        expect(story.refused('u', story.signing('u', 1, action))).toBe('upgrade_closed');
      }
    });
    it('of a policy lengthens no window before it is ratified, its own and that of others included', () => {
      const policy = { approvalTtlHours: 8_784, proposalTtlHours: 8_784, ratificationHours: 8_784 };
      story.when('p', story.propose('p', { type: 'policy', policy }));
      story.emergency('p');
      story.when('v', story.propose('v'));
      expect(story.upgrades.get('v')).toMatchObject({
        approvalTtlHours: 14 * 24,
        ratificationHours: 48,
        expiresAt: new Date(story.now + 30 * DAY).toISOString(),
      });
      for (const id of ['u', 'v']) story.emergency(id);
      const inTwoDays = new Date(story.now + 2 * DAY).toISOString();
      for (const id of ['p', 'u', 'v']) {
        expect(story.upgrades.get(id)?.application?.ratifyBy).toBe(inTwoDays);
      }
      for (const n of [1, 2, 3]) story.when('p', story.signing('p', n, 'ratify'));
      story.when('w', story.propose('w'));
      expect(story.upgrades.get('w')).toMatchObject({ ratificationHours: 8_784 });
    });
    it('has the shorter of the windows at its proposal and at its application', () => {
      const policies = { longer: 72, shorter: 24 };
      for (const [id, ratificationHours] of Object.entries(policies)) {
        const policy = { approvalTtlHours: 24, proposalTtlHours: 480, ratificationHours };
        story.when(id, story.propose(id, { type: 'policy', policy }));
        story.approve(id, 1, 2, 3);
        story.apply(id);
        story.when(`${id}-u`, story.propose(`${id}-u`));
      }
      for (const id of ['u', 'longer-u', 'shorter-u']) {
        story.emergency(id);
        expect(story.upgrades.get(id)?.application?.ratifyBy).toBe(new Date(story.now + DAY).toISOString());
      }
    });
    it('of a signing key is not undone by ending the key in force', () => {
      const signer = { ...signerEntry('manifest-2') };
      story.when('r', story.propose('r', { type: 'signer_rotation', from: 'manifest-1', signer }));
      story.emergency('r');
      story.now += 2 * DAY;
      expect(types(story.when('r', { kind: 'settle-emergency' }))).toEqual(['upgrade.rollback_required']);
      expect(story.upgrades.get('r')?.reason).toContain('manifest-2 is the key in force for manifest');
      expect(story.governance.signers.at(-1)).toMatchObject({ signer_kid: 'manifest-2', status: 'active' });
    });
    it('of a signing key that is rejected keeps the key too', () => {
      const signer = { ...signerEntry('manifest-2') };
      story.when('r', story.propose('r', { type: 'signer_rotation', from: 'manifest-1', signer }));
      story.emergency('r');
      for (const n of [1, 2, 3]) story.when('r', story.signing('r', n, 'reject'));
      expect(story.status('r')).toBe('rollback_required');
      expect(story.governance.signers.at(-1)).toMatchObject({ signer_kid: 'manifest-2', status: 'active' });
    });
    it('does not take approvals for ratifications', () => {
      story.approve('u', 1, 2);
      story.emergency('u');
      expect(quorumFor(story.upgrades.get('u')!, 'ratify', story.governance, story.now).approvers).toEqual(
        [],
      );
      for (const n of [1, 2, 3]) story.when('u', story.signing('u', n, 'ratify'));
      expect(story.status('u')).toBe('ratified');
    });
    it('is not ratified by who did it', () => {
      story.when('u', { kind: 'emergency-apply', reason: 'it burns', by: 'principal-1' });
      expect(story.refused('u', story.signing('u', 1, 'ratify'))).toBe('self_approval');
    });
    it('is nothing to ratify where there was none', () => {
      expect(story.refused('u', story.signing('u', 1, 'ratify'))).toBe('not_emergency');
    });
    it('unratified, is marked for rollback where the kernel cannot do it itself', () => {
      story.emergency('u');
      story.now += 2 * DAY - 1;
      expect(story.when('u', { kind: 'settle-emergency' })).toEqual([]);
      story.now += 1;
      expect(types(story.when('u', { kind: 'settle-emergency' }))).toEqual(['upgrade.rollback_required']);
      expect(story.status('u')).toBe('rollback_required');
    });
    it('unratified, is rolled back inside the kernel', () => {
      const policy = { approvalTtlHours: 24, proposalTtlHours: 48, ratificationHours: 1 };
      const before = story.governance.policy.policy;
      story.when('p', story.propose('p', { type: 'policy', policy }));
      story.emergency('p');
      expect(story.governance.policy.policy).toEqual(policy);
      story.now += 2 * DAY;
      expect(types(story.when('p', { kind: 'settle-emergency' }))).toEqual(['upgrade.rolled_back']);
      expect(story.governance.policy).toMatchObject({ policy: before, provisional: null });
    });
    it('rejected by those who would ratify, is rolled back at once', () => {
      story.emergency('u');
      for (const n of [1, 2]) story.when('u', story.signing('u', n, 'reject'));
      const events = story.when('u', story.signing('u', 3, 'reject', { notes: 'never' }));
      expect(types(events)).toEqual(['upgrade.rejection_given', 'upgrade.rollback_required']);
    });
    it('of a pool takes power away at once and gives none, until the pool before has ratified it', () => {
      const people = [3, 4, 5, 6, 7].map((n) => story.people[n - 1]!);
      story.when('p', story.propose('p', { type: 'approver_pool', pool: poolOf(3, people) as never }));
      story.emergency('p');
      expect(story.governance.pool).toMatchObject({
        provisional: 'p',
        inForce: { version: 2 },
        settled: { version: 1 },
      });
      // Members who left no longer count, members who joined do not count yet.
      expect(story.refused('u', story.signing('u', 1))).toBe('not_the_approver');
      expect(story.refused('u', story.signing('u', 6))).toBe('key_not_valid');
      story.approve('u', 3, 4, 5);
      // Only the members of the settled pool decide about it.
      expect(story.refused('p', story.signing('p', 6, 'ratify'))).toBe('not_the_approver');
      for (const n of [1, 2, 3]) story.when('p', story.signing('p', n, 'ratify'));
      expect(story.governance.pool).toMatchObject({ provisional: null, settled: { version: 2 } });
      story.when('v', story.propose('v'));
      story.approve('v', 5, 6, 7);
      story.apply('v');
    });
    it('of a pool keeps other changes of the pool waiting, and ends with the pool before', () => {
      const pool = poolOf(3, story.people.slice(0, 4)) as never;
      for (const id of ['p', 'q']) story.when(id, story.propose(id, { type: 'approver_pool', pool }));
      story.approve('q', 1, 2, 3);
      story.emergency('p');
      expect(story.refused('q', APPLY)).toBe('unsettled');
      expect(story.refused('q', { kind: 'emergency-apply', reason: 'more', by: 'superadmin' })).toBe(
        'unsettled',
      );
      story.now += 2 * DAY;
      story.when('p', { kind: 'settle-emergency' });
      expect(story.governance.pool).toMatchObject({
        provisional: null,
        inForce: { version: 3, pool: { approvers: { length: 5 } } },
      });
    });
  });

  describe('a type of the organisation’s own', () => {
    const activation = { type: 'policy_activation', policy: { id: 'p-7' } };
    it('is refused where none is configured, and when it is not one of them', () => {
      expect(story.refused('o', story.propose('o', activation))).toBe('invalid_manifest');
      story.ownTypes = /^(?:[a-z]+_activation)$/u;
      expect(story.refused('o', story.propose('o', { type: 'polcy' }))).toBe('invalid_manifest');
      expect(story.refused('o', story.propose('o', { type: 'Policy_activation' }))).toBe('invalid_manifest');
    });
    it('is decided as code is, and stays valid when the configuration changes', () => {
      story.ownTypes = /^(?:[a-z]+_activation)$/u;
      story.when('o', story.propose('o', activation));
      story.ownTypes = null;
      story.approve('o', 1, 2, 3);
      story.apply('o');
      expect(story.upgrades.get('o')).toMatchObject({
        status: 'applied',
        manifest: { type: 'policy_activation', change: { kind: 'outside' } },
        application: { effect: null },
      });
    });
  });

  describe('rollback', () => {
    it('is an upgrade of its own that names what it undoes', () => {
      story.approve('u', 1, 2, 3);
      story.apply('u');
      story.when('r', story.propose('r', { type: 'rollback', undoes: 'u' }));
      expect(story.refused('r', APPLY)).toBe('insufficient_quorum');
      story.approve('r', 2, 3, 4);
      story.apply('r');
      expect(story.status('u')).toBe('rolled_back');
      expect(story.refused('r2', story.propose('r2', { type: 'rollback', undoes: 'u' }))).toBe(
        'invalid_manifest',
      );
    });
    it('brings the policy and the pool back, if nothing came after', () => {
      const policy = { approvalTtlHours: 24, proposalTtlHours: 48, ratificationHours: 1 };
      const before = story.governance.policy.policy;
      story.when('p', story.propose('p', { type: 'policy', policy }));
      story.approve('p', 1, 2, 3);
      story.apply('p');
      story.when(
        'q',
        story.propose('q', { type: 'approver_pool', pool: poolOf(2, story.people.slice(0, 3)) as never }),
      );
      story.approve('q', 1, 2, 3);
      story.apply('q');
      for (const [id, undoes] of [
        ['rp', 'p'],
        ['rq', 'q'],
      ] as const) {
        story.when(id, story.propose(id, { type: 'rollback', undoes }));
        story.approve(id, 1, 2, 3);
        story.apply(id);
      }
      expect(story.governance.policy.policy).toEqual(before);
      expect(story.governance.pool.inForce).toMatchObject({ version: 3, pool: { threshold: 3 } });
      expect([story.status('p'), story.status('q')]).toEqual(['rolled_back', 'rolled_back']);
    });
    it('of a rotation goes forward: the key ends when another one has come in its place', () => {
      const rotate = (id: string, from: string, to: string) => {
        story.when(id, story.propose(id, { type: 'signer_rotation', from, signer: { ...signerEntry(to) } }));
        story.approve(id, 1, 2, 3);
      };
      rotate('r', 'manifest-1', 'manifest-2');
      story.apply('r');
      const rollback = (id: string) => story.propose(id, { type: 'rollback', undoes: 'r' });
      expect(story.refused('b', rollback('b'))).toBe('last_key');
      rotate('s', 'manifest-2', 'manifest-3');
      story.apply('s');
      story.when('b', rollback('b'));
      story.approve('b', 1, 2, 3);
      // At the apply the one that came in its place has ended.
      const { signers } = story.governance;
      story.governance = {
        ...story.governance,
        signers: signers.map((one) =>
          one.signer_kid === 'manifest-3' ? { ...one, status: 'compromised' } : one,
        ),
      };
      expect(story.refused('b', APPLY)).toBe('last_key');
      story.governance = { ...story.governance, signers };
      story.apply('b');
      expect(story.governance.signers.map(({ status }) => status)).toEqual(['active', 'retired', 'active']);
    });
    it('brings no pool back that could decide nothing any more', () => {
      const pool = poolOf(
        3,
        [1, 2, 3, 6, 7].map((n) => story.people[n - 1]!),
      );
      story.when('p', story.propose('p', { type: 'approver_pool', pool: pool as never }));
      story.approve('p', 1, 2, 3);
      story.apply('p');
      for (const n of [4, 5, 1]) story.revokeKey(n);
      story.when('b', story.propose('b', { type: 'rollback', undoes: 'p' }));
      for (const n of [2, 3, 6]) story.approve('b', n);
      expect(story.refused('b', APPLY)).toBe('below_threshold');
    });
    it('is refused when something came after', () => {
      for (const id of ['p', 'q']) {
        const policy = { approvalTtlHours: id === 'p' ? 24 : 25, proposalTtlHours: 48, ratificationHours: 1 };
        story.when(id, story.propose(id, { type: 'policy', policy }));
        story.approve(id, 1, 2, 3);
        story.apply(id);
      }
      story.when('r', story.propose('r', { type: 'rollback', undoes: 'p' }));
      story.approve('r', 1, 2, 3);
      expect(story.refused('r', APPLY)).toBe('superseded');
    });
  });

  it('does nothing where there is none', () => {
    expect(story.refused('x', APPLY)).toBe('upgrade_not_found');
  });
});
