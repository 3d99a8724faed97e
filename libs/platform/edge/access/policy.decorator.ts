import 'reflect-metadata';
import { type Action } from './matrix';

/** What a route asks of its caller: an action of the matrix, or nothing but the TLS connection. */
export type RoutePolicy = Action | 'public';

const ROUTE_POLICY = Symbol('route policy');

function declare(policy: RoutePolicy): MethodDecorator {
  return (_target, name, descriptor) => {
    const handler = descriptor.value as object;
    const before = policyOf(handler);
    if (before !== undefined) {
      throw new TypeError(`${String(name)} declares two policies, "${before}" and "${policy}"; keep one.`);
    }
    Reflect.defineMetadata(ROUTE_POLICY, policy, handler);
  };
}

/** The route is for callers whose role permits the action. */
export const Policy = (action: Action): MethodDecorator => declare(action);

/** The route is for every caller that got through the TLS handshake. */
export const PublicRoute = (): MethodDecorator => declare('public');

/** The declared policy of a controller method; undefined is a mistake, and such a route is refused. */
export function policyOf(handler: object): RoutePolicy | undefined {
  return Reflect.getMetadata(ROUTE_POLICY, handler) as RoutePolicy | undefined;
}
