import { type AccessRules } from './access-rules';

const RULES = Symbol('access rules');
type CarryingRequest = { [RULES]?: AccessRules };

/** Has a request judged by the rules of the listener that it came to. Called once for each, before anything else. */
export function judgeBy(rules: AccessRules, request: object): void {
  (request as CarryingRequest)[RULES] = rules;
}

/** Undefined where the listener has the rules of the app. */
export function rulesFor(request: object): AccessRules | undefined {
  return (request as CarryingRequest)[RULES];
}
