import { AccessError, type Scope, withinScope } from '#libs/access';

/** @param what begins the sentence that says no, such as "This agent" */
export function assertOwn(scope: Scope, division: string | null, what: string): void {
  if (withinScope(scope, division)) return;
  throw new AccessError('forbidden', `${what} does not belong to the division that the caller leads.`, {
    division,
  });
}
