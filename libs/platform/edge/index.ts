/**
 * The HTTPS edge of every app with an API: mutual TLS, the OpenAPI contract as router, access policy, problems, limits
 * and drain.
 */
export { BytesAnswer, EventStreamAnswer, NdjsonAnswer } from './answers';
export { answered, Asking, AwaitsLog, pageOf, type PageParameters, type Patience } from './asking';
export { Contract } from './contract/contract';
export { loadContract } from './contract/load-contract';
export { Direct, type DirectCall } from './direct-route';
export { HttpEdgeError } from './http-edge.error';
export { EDGE_PROBLEMS } from './problems/edge-problems';
export { problemsOf, type ErrorProblems, type ProblemSpec } from './problems/problem-map';
export { type ProblemObserver, type ProblemWording } from './problems/problem-writer';
export { createServiceApp, type ServiceApp } from './service-app';
export { openServerTls, serverTlsSettings } from './tls/server-tls-settings';
export { type ServiceTls } from './tls/server-tls';
export { type WebListener, type WebServer, type WebTls } from './web-listener';
export { AccessError } from './access/access-error';
export { type AccessRules, type CallingRequest } from './access/access-rules';
export { divisionOf } from './access/event-division';
export { type Action, authorize, permittedActions, scopedDivision, withinScope } from './access/matrix';
export { assertOwn, divisionAsked } from './access/own-division';
export { apiPages } from './pages/api-pages';
export { NONCE_MARK, WebAppPages } from './pages/web-app-pages';
export { readWebBundle, type BundleFile, type WebBundle } from './pages/web-bundle';
export { declarePolicy, Policy, PublicRoute } from './access/policy.decorator';
export {
  assertOwnOrigin,
  FRESH_SIGN_IN_S,
  PersonAccess,
  type PersonIdentifier,
} from './access/person-access';
export { actorOf, type Principal, type Role, ROLES } from './access/principal';
export { principalOf } from './access/principal-of';
export { Caller, Scope } from './access/request-access';
export { divisionId } from './access/role-bindings';
export { RoleAccess } from './access/role-access';
export { RoleBindings, roleBindings } from './access/role-bindings';
