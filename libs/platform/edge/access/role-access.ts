import { type TLSSocket } from 'node:tls';
import { AccessError } from './access-error';
import { type AccessRules, type CallingRequest } from './access-rules';
import { type Action, asApprover, authorize, MATRIX, type Scope } from './matrix';
import { type Principal } from './principal';
import { principalOf } from './principal-of';
import { type RoleBindings } from './role-bindings';

/** Whether the principal is a member of the approver pool. */
export type ApproverCheck = (principalId: string) => Promise<boolean>;

/** The kernel's rules: roles by the matrix, and the actions of approvers in person. */
export class RoleAccess implements AccessRules {
  readonly policies: ReadonlySet<string> = new Set(Object.keys(MATRIX));

  constructor(
    private readonly bindings: RoleBindings,
    /** Without it no one is an approver. */
    private readonly isApprover: ApproverCheck = () => Promise.resolve(false),
  ) {}

  identify({ socket }: Pick<CallingRequest, 'socket'>): Principal {
    return principalOf(socket as TLSSocket, this.bindings);
  }

  permit(principal: Principal, policy: string): Scope | Promise<Scope> {
    const action = policy as Action;
    const decision = authorize(principal, action);
    if (decision.allowed) return decision.scope;
    const why = principal.roleless === undefined ? '' : ` ${principal.roleless}`;
    const refusal = new AccessError('forbidden', `Not permitted: ${decision.reason}.${why}`, {
      principal: principal.id,
      action,
    });
    if (!asApprover(principal, action)) throw refusal;
    return this.inPerson(principal, refusal);
  }

  /** Called only for callers whose role is not enough: no one else waits for a look at the pool. */
  private async inPerson(principal: Principal, refusal: AccessError): Promise<Scope> {
    if (!(await this.isApprover(principal.id))) throw refusal;
    return 'all';
  }
}
