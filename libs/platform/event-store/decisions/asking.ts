import { type Actor } from '#evidence';
import { type IdempotencyClaim } from '../idempotency/append-answer';

/** The kernel itself, where no caller asked. */
export const KERNEL_ACTOR: Actor = Object.freeze({ id: 'kernel', kind: 'system', roles: [] });

/** The caller who asks for a decision, and how its answer is remembered. */
export interface Asking {
  actor: Actor;
  correlationId: string | null;
  idempotency: IdempotencyClaim | null;
}
