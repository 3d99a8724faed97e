/** The HTTPS edge of every app that is called: mutual TLS, the OpenAPI contract as router, access policy, problems, limits and drain. */
export { BytesAnswer, NdjsonAnswer } from './answers';
export { answered, askedBy, MIN_POSITION, pageOf, type PageParameters } from './asking';
export { type Durability, type DurabilityWatch } from './await-durability';
export { Contract, type SeenAnswer } from './contract/contract';
export { loadContract } from './contract/load-contract';
export { type Operation } from './contract/operation';
export { Direct, type DirectCall, type DirectOptions } from './direct-route';
export { HttpEdgeError, type HttpEdgeErrorCode } from './http-edge.error';
export { type WriteGate } from './mode.guard';
export { EDGE_PROBLEMS } from './problems/edge-problems';
export { problemsOf, type ErrorProblems, type ProblemSpec } from './problems/problem-map';
export { type ProblemObserver, type ProblemWording } from './problems/problem-writer';
export { Context, contextOf, type IdempotencyClaim, RequestContext } from './request-context';
export { controllerRoutes, type ControllerRoute } from './route-parity';
export {
  createServiceApp,
  DEFAULT_LIMITS,
  type ServiceApp,
  type ServiceAppOptions,
  type ServiceLimits,
} from './service-app';
export { openServerTls, serverTlsSettings } from './tls/server-tls-settings';
export { type ServiceTls } from './tls/server-tls';
export { type AccessRules } from './access/access-rules';
export { AccessError, type AccessErrorCode } from './access/access-error';
export { divisionOf } from './access/event-division';
export { certificateIdentity, type CertificateIdentity } from './access/certificate-identity';
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
} from './access/matrix';
export { assertOwn, divisionAsked } from './access/own-division';
export { declarePolicy, Policy, policyOf, PublicRoute, type RoutePolicy } from './access/policy.decorator';
export { PolicyGuard } from './access/policy.guard';
export { actorOf, ROLES, type Principal, type Role } from './access/principal';
export { principalOf } from './access/principal-of';
export { accessOf, Caller, rememberAccess, Scope, type RequestAccess } from './access/request-access';
export { RoleAccess, type ApproverCheck } from './access/role-access';
export { RoleBindings, roleBindings, type RoleBinding } from './access/role-bindings';
