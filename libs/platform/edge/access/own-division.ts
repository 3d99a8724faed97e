import { AccessError } from './access-error';
import { scopedDivision, type Scope, withinScope } from './matrix';

/** @param what begins the sentence of the refusal, such as "This agent" */
export function assertOwn(scope: Scope, division: string | null, what: string): void {
  if (withinScope(scope, division)) return;
  throw new AccessError('forbidden', `${what} does not belong to the division that the caller leads.`, {
    division,
  });
}

/** The filter of a list that takes one division. @throws AccessError `forbidden` for any but the caller's own */
export function divisionAsked(scope: Scope, division: string | null): { division?: string } {
  if (division === null) return scopedDivision(scope);
  assertOwn(scope, division, 'This list');
  return { division };
}
