import 'reflect-metadata';
import { type Action } from './matrix';

/** Requirement of a route: a policy of the app's access rules, or with `public` only the TLS connection. */
export type RoutePolicy = string;

const ROUTE_POLICY = Symbol('route policy');

/** Declares a policy: for decorators of apps whose rules are not the matrix. */
export function declarePolicy(policy: RoutePolicy): MethodDecorator {
  return (_target, name, descriptor) => {
    const handler = descriptor.value as object;
    const before = policyOf(handler);
    if (before !== undefined) {
      throw new TypeError(`${String(name)} declares two policies, "${before}" and "${policy}"; keep one.`);
    }
    Reflect.defineMetadata(ROUTE_POLICY, policy, handler);
  };
}

/** Opens the route to callers whose role permits the action. */
export const Policy = (action: Action): MethodDecorator => declarePolicy(action);

/** Opens the route to every caller that completed the TLS handshake. */
export const PublicRoute = (): MethodDecorator => declarePolicy('public');

/** The declared policy of a controller method; undefined is a mistake, and such a route is refused. */
export function policyOf(handler: object): RoutePolicy | undefined {
  return Reflect.getMetadata(ROUTE_POLICY, handler) as RoutePolicy | undefined;
}
