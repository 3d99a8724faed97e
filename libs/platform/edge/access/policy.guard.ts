import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { traced } from '#platform/tracing';
import { AccessError } from './access-error';
import { type AccessRules, type CallingRequest } from './access-rules';
import { policyOf } from './policy.decorator';
import { type Principal } from './principal';
import { rememberAccess } from './request-access';
import { rulesFor } from './rules-of-listener';

/**
 * Denied by default: lets a request through only where its route declares a policy and the caller satisfies it, by the
 * rules of the listener that the request came to.
 */
export class PolicyGuard implements CanActivate {
  /** @param rules those of requests whose listener has none of its own */
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
    return this.admit(context.switchToHttp().getRequest<CallingRequest>(), policy);
  }

  /** Admits a request to a route whose policy is known. */
  admit(request: CallingRequest, policy: string): true | Promise<true> {
    return traced('authorise', () => this.judge(request, policy));
  }

  private judge(request: CallingRequest, policy: string): true | Promise<true> {
    const rules = rulesFor(request) ?? this.rules;
    if (policy === 'public') return admitAnyone(rules, request);
    const principal = rules.identify(request);
    if (principal instanceof Promise) {
      return principal.then((named) => admitNamed(rules, request, named, policy));
    }
    return admitNamed(rules, request, principal, policy);
  }
}

function admitNamed(
  rules: AccessRules,
  request: CallingRequest,
  principal: Principal,
  policy: string,
): true | Promise<true> {
  const scope = rules.permit(principal, policy, request);
  if (!(scope instanceof Promise)) {
    rememberAccess(request, { principal, scope });
    return true;
  }
  return scope.then((permitted) => {
    rememberAccess(request, { principal, scope: permitted });
    return true;
  });
}

/** A public route needs no name; where the caller has one, it is known to the handler. */
function admitAnyone(rules: AccessRules, request: CallingRequest): true | Promise<true> {
  const remember = (principal: Principal): true => {
    rememberAccess(request, { principal, scope: 'all' });
    return true;
  };
  try {
    const principal = rules.identify(request);
    return principal instanceof Promise ? principal.then(remember).catch(nameless) : remember(principal);
  } catch (error) {
    return nameless(error);
  }
}

function nameless(error: unknown): true {
  if (error instanceof AccessError) return true;
  throw error;
}
