import { type AuditEvent } from '#evidence';

/** Events that a subscription wants: those that fit all members that are not null. */
export interface WebhookFilter {
  types: string[] | null;
  /** Beginning of a stream's name, with the slash of its aggregate. */
  subject: string | null;
  division: string | null;
  actor: string | null;
}

export const EVERYTHING: Readonly<WebhookFilter> = Object.freeze({
  types: null,
  subject: null,
  division: null,
  actor: null,
});

/** A filter as the index takes it. */
export function indexFilter({ types, subject, division, actor }: WebhookFilter): {
  types?: string[];
  subject?: string;
  division?: string;
  actor?: string;
} {
  return {
    ...(types !== null && { types }),
    ...(subject !== null && { subject }),
    ...(division !== null && { division }),
    ...(actor !== null && { actor }),
  };
}

/** @param divisionOf the division that an event belongs to */
export function fits(
  { types, subject, division, actor }: WebhookFilter,
  event: AuditEvent,
  divisionOf: (stream: string, payload: AuditEvent['payload']) => string | null,
): boolean {
  return (
    (types === null || types.includes(event.type)) &&
    (subject === null || event.stream.startsWith(subject)) &&
    (division === null || divisionOf(event.stream, event.payload) === division) &&
    (actor === null || event.actor.id === actor)
  );
}
