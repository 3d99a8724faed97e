import { type Principal, type Role } from './principal';

/** `own-division`: yes, within the division that the caller leads; the handler applies the scope. */
export type Permission = 'allow' | 'deny' | 'own-division';

/** In the order SuperAdmin, DivisionLead, Operator, Auditor. */
function row(
  superAdmin: Permission,
  divisionLead: Permission,
  operator: Permission,
  auditor: Permission,
): Readonly<Record<Role, Permission>> {
  return Object.freeze({
    SuperAdmin: superAdmin,
    DivisionLead: divisionLead,
    Operator: operator,
    Auditor: auditor,
  });
}

/**
 * Permissions by role. A caller without a role has none of them, and no one may do what is not listed. What approvers
 * may also do in person is below.
 */
export const MATRIX = Object.freeze({
  'audit.read': row('allow', 'own-division', 'allow', 'allow'),
  'audit.export': row('allow', 'own-division', 'allow', 'allow'),
  /** Bundles hold the events of every division. */
  'log.entries': row('allow', 'deny', 'allow', 'allow'),
  /** How far the copies are behind, over all divisions. */
  'pipeline.read': row('allow', 'deny', 'allow', 'allow'),
  /** What the auditor found, over all divisions. */
  'audit-run.read': row('allow', 'deny', 'allow', 'allow'),
  /** Keys belong to no division: a DivisionLead's scope leaves the list whole. */
  'keys.read': row('allow', 'own-division', 'allow', 'allow'),
  'audit.append': row('allow', 'deny', 'allow', 'deny'),
  'manifest.sign': row('allow', 'own-division', 'allow', 'deny'),
  /** Checks what the caller sends and reveals nothing, so any role is enough. */
  'manifest.verify': row('allow', 'allow', 'allow', 'allow'),
  'division.read': row('allow', 'own-division', 'allow', 'allow'),
  'division.write': row('allow', 'own-division', 'allow', 'deny'),
  'agent.read': row('allow', 'own-division', 'allow', 'allow'),
  'agent.write': row('allow', 'own-division', 'allow', 'deny'),
  'eval.write': row('allow', 'own-division', 'allow', 'deny'),
  'allocation.write': row('allow', 'own-division', 'allow', 'deny'),
  'upgrade.read': row('allow', 'allow', 'allow', 'allow'),
  'upgrade.propose': row('allow', 'allow', 'allow', 'deny'),
  'upgrade.apply': row('allow', 'deny', 'allow', 'deny'),
  'upgrade.emergency-apply': row('allow', 'deny', 'deny', 'deny'),
  'upgrade.report-check': row('allow', 'deny', 'allow', 'deny'),
  /** To approve, reject or ratify: it depends on the person, and no role grants it. */
  'upgrade.decide': row('deny', 'deny', 'deny', 'deny'),
  'approver.revoke-key': row('allow', 'deny', 'deny', 'deny'),
  /** For a future approver; an approver registers their own (below). */
  'approver.register-credential': row('allow', 'deny', 'deny', 'deny'),
  'notification.read': row('allow', 'deny', 'allow', 'allow'),
  'notification.manage': row('allow', 'deny', 'deny', 'deny'),
  'webhook.read': row('allow', 'deny', 'allow', 'allow'),
  /** A webhook gets the events of every division. */
  'webhook.manage': row('allow', 'deny', 'deny', 'deny'),
  'keys.manage': row('allow', 'deny', 'deny', 'deny'),
  'mode.manage': row('allow', 'deny', 'deny', 'deny'),
  /** One's own sessions; a SuperAdmin's reach is everyone's, which the handlers decide. */
  'session.manage': row('allow', 'allow', 'allow', 'allow'),
  'retention.read': row('allow', 'deny', 'allow', 'allow'),
  'retention.manage': row('allow', 'deny', 'deny', 'deny'),
});

export type Action = keyof typeof MATRIX;

/**
 * Actions of a member of the approver pool in person, with or without a role: read about upgrades, and decide. The
 * handlers decide whose name a signature may be in, and whose key may be revoked. An Auditor never decides.
 */
export const APPROVER_ACTIONS: ReadonlySet<Action> = new Set<Action>([
  'upgrade.read',
  'upgrade.decide',
  'approver.revoke-key',
  'approver.register-credential',
  'session.manage',
]);

/** Whether being an approver could permit the action to this caller. */
export function asApprover(principal: Principal, action: Action): boolean {
  return APPROVER_ACTIONS.has(action) && !principal.roles.includes('Auditor');
}

/** Extent of what a permitted caller may touch: everything, or one division alone. */
export type Scope = 'all' | { readonly division: string };

export type Decision =
  { readonly allowed: true; readonly scope: Scope } | { readonly allowed: false; readonly reason: string };

const EVERYTHING: Decision = Object.freeze({ allowed: true, scope: 'all' });

/** Decides by the widest permission that any of the caller's roles gives. */
export function authorize(principal: Principal, action: Action): Decision {
  const permissions = MATRIX[action];
  let ownDivision = false;
  for (const role of principal.roles) {
    const permission = permissions[role];
    if (permission === 'allow') return EVERYTHING;
    if (permission === 'own-division') ownDivision = true;
  }
  if (ownDivision) {
    if (principal.division !== undefined) return { allowed: true, scope: { division: principal.division } };
    return { allowed: false, reason: `"${principal.id}" leads no division, and ${action} needs one` };
  }
  const roles = principal.roles.length === 0 ? 'no role' : `the role ${principal.roles.join(', ')}`;
  return { allowed: false, reason: `"${principal.id}" has ${roles}, which does not permit ${action}` };
}

/**
 * Everything that a caller may do, and how far: for pages, which show what is of use to someone. Each request is decided
 * by `authorize` again.
 */
export function permittedActions(
  principal: Principal,
  isApprover: boolean,
): Partial<Record<Action, 'all' | 'own-division'>> {
  const permitted: Partial<Record<Action, 'all' | 'own-division'>> = {};
  for (const action of Object.keys(MATRIX) as Action[]) {
    const decision = authorize(principal, action);
    if (decision.allowed) permitted[action] = decision.scope === 'all' ? 'all' : 'own-division';
    else if (isApprover && asApprover(principal, action)) permitted[action] = 'all';
  }
  return permitted;
}

/** Whether something that belongs to a division (or, with null, to none) is within a scope. */
export function withinScope(scope: Scope, division: string | null | undefined): boolean {
  return scope === 'all' || scope.division === division;
}

/** A scope as a filter: `{ division }` for one division, `{}` for everything. */
export function scopedDivision(scope: Scope): { division?: string } {
  return scope === 'all' ? {} : { division: scope.division };
}
