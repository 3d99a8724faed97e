import { type TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { AccessError } from './access-error';
import { type AccessRules } from './access-rules';
import { policyOf } from './policy.decorator';
import { type Principal } from './principal';
import { rememberAccess } from './request-access';

/**
 * Denied by default: lets a request through only where its route declares a policy and the caller's
 * certificate satisfies it. Headers play no part.
 */
export class PolicyGuard implements CanActivate {
  constructor(private readonly rules: AccessRules) {}

  /** @throws AccessError; never answers false, so that every refusal says why. */
  canActivate(context: ExecutionContext): true | Promise<true> {
    const handler = context.getHandler();
    const policy = policyOf(handler);
    if (policy === undefined) {
      const route = `${context.getClass().name}.${handler.name}`;
      throw new AccessError(
        'undeclared_policy',
        `The route ${route} declares no policy; add @Policy or @PublicRoute.`,
      );
    }
    return this.admit(context.switchToHttp().getRequest<{ socket: TLSSocket }>(), policy);
  }

  /** Admits a request to a route whose policy is known. */
  admit(request: { readonly socket: TLSSocket }, policy: string): true | Promise<true> {
    if (policy === 'public') {
      const principal = this.namedCaller(request.socket);
      if (principal !== undefined) rememberAccess(request, { principal, scope: 'all' });
      return true;
    }
    const principal = this.rules.identify(request.socket);
    const scope = this.rules.permit(principal, policy);
    if (!(scope instanceof Promise)) {
      rememberAccess(request, { principal, scope });
      return true;
    }
    return scope.then((permitted) => {
      rememberAccess(request, { principal, scope: permitted });
      return true;
    });
  }

  private namedCaller(socket: TLSSocket): Principal | undefined {
    try {
      return this.rules.identify(socket);
    } catch (error) {
      if (error instanceof AccessError) return undefined;
      throw error;
    }
  }
}
