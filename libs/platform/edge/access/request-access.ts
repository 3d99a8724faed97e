import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { AccessError } from './access-error';
import { type Scope as AccessScope } from './matrix';
import { type Principal } from './principal';

/** Result of the guard for a request. */
export interface RequestAccess {
  readonly principal: Principal;
  readonly scope: AccessScope;
}

const ACCESS = Symbol('access');
type CarryingRequest = { [ACCESS]?: RequestAccess };

export function rememberAccess(request: object, access: RequestAccess): void {
  (request as CarryingRequest)[ACCESS] = access;
}

/** The outcome of the guard for a request; undefined before it ran, and on public routes for callers without a name. */
export function accessOf(request: object): RequestAccess | undefined {
  return (request as CarryingRequest)[ACCESS];
}

export function requiredAccess(context: ExecutionContext): RequestAccess {
  const access = accessOf(context.switchToHttp().getRequest<object>());
  if (access !== undefined) return access;
  throw new AccessError(
    'not_authenticated',
    'This route asks who is calling, and the caller has no usable identity.',
  );
}

/** Parameter decorator: the Principal that is calling. */
export const Caller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => requiredAccess(context).principal,
);

/** Parameter decorator: what the caller may touch; the handler has to apply it. */
export const Scope = createParamDecorator(
  (_: unknown, context: ExecutionContext) => requiredAccess(context).scope,
);
/** Its type bears the same name: `@Scope() scope: Scope`. */
export type Scope = AccessScope;
