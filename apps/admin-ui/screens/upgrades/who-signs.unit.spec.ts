import { member, poolWith, upgradeWith } from './upgrade.fixture';
import { decidingPool, signersOf } from './who-signs';

const row = (signers: ReturnType<typeof signersOf>, id: string) => {
  const found = signers.find((one) => one.id === id);
  return found === undefined ? null : [found.standing, found.why];
};
const given = (approverId: string, notes: string | null) => ({
  id: '0198c0de-7a3b-7c4d-8e5f-0123456789ab',
  approverId,
  keyId: `${approverId}-1`,
  action: 'approve' as const,
  signature: '',
  notes,
  approvedAt: '2026-11-01T10:00:00.000Z',
  expiresAt: '2026-11-02T10:00:00.000Z',
  poolVersion: 1,
  recordedAt: '2026-11-01T10:00:00.000Z',
});

describe('who signs', () => {
  it('has everybody, with what they did', () => {
    const upgrade = upgradeWith(
      { approvals: [given('ada', 'looks right')] },
      { approvers: ['ada'], open: ['eve'], rejection: { approvers: ['bob'], required: 2, missing: 1 } },
    );
    const signers = signersOf(upgrade, poolWith());
    expect(row(signers, 'ada')).toEqual(['counts', 'Signed to approve it. “looks right”']);
    expect(row(signers, 'bob')).toEqual(['rejects', 'Signed to reject it.']);
    expect(row(signers, 'eve')).toEqual(['may-sign', 'Has not signed.']);
  });

  it('says why somebody may not, or has to again', () => {
    const pool = poolWith({
      approvers: [
        member('ada', { principals: ['idp#operator'] }),
        member('bob', { revokedKeys: ['bob-1'] }),
        member('eve'),
      ],
    });
    const notCounted = [
      { approverId: 'eve', keyId: 'eve-1', action: 'approve', reason: 'expired' as const },
      { approverId: 'joe', keyId: 'joe-1', action: 'approve', reason: 'not_in_pool' as const },
    ];
    const signers = signersOf(upgradeWith({}, { open: ['eve'], notCounted }), pool);
    expect(row(signers, 'ada')).toEqual(['may-not', expect.stringContaining('proposed it')]);
    expect(row(signers, 'bob')).toEqual(['may-not', 'All their keys are revoked.']);
    expect(row(signers, 'eve')).toEqual(['may-sign', expect.stringContaining('expired. May sign again')]);
    expect(row(signers, 'joe')).toEqual(['may-not', expect.stringContaining('not in the pool')]);
  });

  it('is the pool before, about a change of the pool that is not ratified', () => {
    const settled = { version: 2, threshold: 2, approvers: [member('ada'), member('bob')] };
    const pool = poolWith({ provisional: 'pool-v3', settled });
    expect(decidingPool('pool-v3', pool)).toBe(settled.approvers);
    expect(decidingPool('upg-1', pool)).toBe(pool.approvers);
    const signers = signersOf(upgradeWith({}, { open: ['ada', 'bob'] }), pool);
    expect(row(signers, 'eve')).toEqual(['may-not', expect.stringContaining('not ratified')]);
  });
});
