import { type TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { AccessError } from './access-error';
import { asApprover, authorize } from './matrix';
import { policyOf } from './policy.decorator';
import { type Principal } from './principal';
import { principalOf } from './principal-of';
import { rememberAccess } from './request-access';
import { type RoleBindings } from './role-bindings';

/** Whether the principal is a member of the approver pool. */
export type ApproverCheck = (principalId: string) => Promise<boolean>;

/**
 * Denied by default: lets a request through only where its route declares a policy and the caller's
 * certificate satisfies it. Headers play no part.
 */
export class PolicyGuard implements CanActivate {
  constructor(
    private readonly bindings: RoleBindings,
    /** Without it nobody is an approver. */
    private readonly isApprover: ApproverCheck = () => Promise.resolve(false),
  ) {}

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
    const request = context.switchToHttp().getRequest<{ socket: TLSSocket }>();
    if (policy === 'public') {
      const principal = this.namedCaller(request.socket);
      if (principal !== undefined) rememberAccess(request, { principal, scope: 'all' });
      return true;
    }
    const principal = principalOf(request.socket, this.bindings);
    const decision = authorize(principal, policy);
    if (decision.allowed) {
      rememberAccess(request, { principal, scope: decision.scope });
      return true;
    }
    const refusal = new AccessError('forbidden', `Not permitted: ${decision.reason}.`, {
      principal: principal.id,
      action: policy,
    });
    if (!asApprover(principal, policy)) throw refusal;
    return this.inPerson(request, principal, refusal);
  }

  /** Only for callers whose role is not enough: nobody else waits for a look at the pool. */
  private async inPerson(request: object, principal: Principal, refusal: AccessError): Promise<true> {
    if (!(await this.isApprover(principal.id))) throw refusal;
    rememberAccess(request, { principal, scope: 'all' });
    return true;
  }

  private namedCaller(socket: TLSSocket): Principal | undefined {
    try {
      return principalOf(socket, this.bindings);
    } catch (error) {
      if (error instanceof AccessError) return undefined;
      throw error;
    }
  }
}
