import { type Upgrade } from '../../api/queries';
import { type Session } from '../../session/session';
import { type Approvers, type PoolMember } from './upgrade-queries';

/** An upgrade as the kernel answers it: proposed by an operator, and signed by nobody. */
export function upgradeWith(part: Partial<Upgrade> = {}, quorum: Partial<Upgrade['quorum']> = {}): Upgrade {
  return {
    id: 'upg-1',
    upgradeId: 'upg-1',
    type: 'code',
    manifest: { upgradeId: 'upg-1', type: 'code', target: 'api', rationale: 'a fix' },
    manifestSha256: '0'.repeat(64),
    patchSha256: null,
    status: 'proposed',
    reason: null,
    submittedBy: 'idp#operator',
    proposedBy: 'idp#operator',
    submittedAt: '2026-11-01T10:00:00.000Z',
    expiresAt: '2026-12-01T10:00:00.000Z',
    ratifyBy: null,
    pool: { version: 1, threshold: 2, size: 3 },
    approvals: [],
    preconditions: [],
    missingChecks: [],
    application: null,
    ...part,
    quorum: {
      action: 'approve',
      reached: false,
      required: 2,
      approvers: [],
      missing: 2,
      notCounted: [],
      open: ['ada', 'bob', 'eve'],
      eligible: 3,
      rejection: { approvers: [], required: 2, missing: 2 },
      ...quorum,
    },
  };
}

export function member(id: string, part: Partial<PoolMember> = {}): PoolMember {
  return {
    id,
    name: id.toUpperCase(),
    contact: null,
    principals: [`idp#${id}`],
    keys: [{ keyId: `${id}-1` }],
    revokedKeys: [],
    ...part,
  };
}

export function poolWith(part: Partial<Approvers> = {}): Approvers {
  return {
    version: 3,
    threshold: 2,
    approvers: ['ada', 'bob', 'eve'].map((id) => member(id)),
    policy: { approvalTtlHours: 336, proposalTtlHours: 720, ratificationHours: 48 },
    syncedPasskeys: 'allow',
    provisional: null,
    settled: null,
    pending: [],
    ...part,
  };
}

type Asker = Pick<Session, 'principal' | 'approverId' | 'roles' | 'permits'>;

export const OPERATOR: Asker = {
  principal: 'idp#operator',
  approverId: null,
  roles: ['Operator'],
  permits: { 'upgrade.read': 'all', 'upgrade.propose': 'all', 'upgrade.apply': 'all' },
};

export const ADA: Asker = {
  principal: 'idp#ada',
  approverId: 'ada',
  roles: [],
  permits: {
    'upgrade.read': 'all',
    'upgrade.decide': 'all',
    'approver.revoke-key': 'all',
    'approver.register-credential': 'all',
  },
};
