export { AccessError, type AccessErrorCode } from './access-error';
export { divisionOf } from './event-division';
export { certificateIdentity, type CertificateIdentity } from './certificate-identity';
export {
  APPROVER_ACTIONS,
  asApprover,
  authorize,
  MATRIX,
  scopedDivision,
  withinScope,
  type Action,
  type Decision,
  type Permission,
} from './matrix';
export { Policy, policyOf, PublicRoute, type RoutePolicy } from './policy.decorator';
export { PolicyGuard, type ApproverCheck } from './policy.guard';
export { actorOf, ROLES, type Principal, type Role } from './principal';
export { principalOf } from './principal-of';
export { accessOf, Caller, rememberAccess, Scope, type RequestAccess } from './request-access';
export { RoleBindings, roleBindings, type RoleBinding } from './role-bindings';
