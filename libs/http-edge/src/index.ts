export { BytesAnswer, NdjsonAnswer } from './answers';
export { type Durability, type DurabilityWatch } from './await-durability';
export { Contract, type SeenAnswer } from './contract/contract';
export { loadContract } from './contract/load-contract';
export { type Operation } from './contract/operation';
export { HttpEdgeError, type HttpEdgeErrorCode } from './http-edge.error';
export { BodyBudget, readBody } from './input/read-body';
export { type WriteGate } from './mode.guard';
export { EDGE_PROBLEMS } from './problems/edge-problems';
export { problemsOf, type CodedError, type ErrorProblems, type ProblemSpec } from './problems/problem-map';
export { Context, contextOf, type IdempotencyClaim, RequestContext } from './request-context';
export { controllerRoutes, type ControllerRoute } from './route-parity';
export {
  createServiceApp,
  DEFAULT_LIMITS,
  type ServiceApp,
  type ServiceAppOptions,
  type ServiceLimits,
  type ServiceTls,
} from './service-app';
