import { type components } from '#openapi/kernel';

type WebhookFilter = components['schemas']['WebhookFilter'];
type WebhookFilterRequest = components['schemas']['WebhookFilterRequest'];

/** Which events a webhook is sent, in a line. */
export function filterText({ types, subject, division, actor }: WebhookFilter): string {
  const parts = [
    types === null ? null : types.join(', '),
    subject === null ? null : `of streams that begin with ${subject}`,
    division === null ? null : `of division ${division}`,
    actor === null ? null : `by ${actor}`,
  ].filter((part) => part !== null);
  if (parts.length === 0) return 'every event';
  return types === null ? `events ${parts.join(', ')}` : parts.join(', ');
}

export interface TypedFilter {
  /** Types, apart by spaces, commas or lines. */
  readonly types: string;
  readonly subject: string;
  readonly division: string;
  readonly actor: string;
}

/** What was typed, as the API takes it; undefined: every event. */
export function filterOf({ types, subject, division, actor }: TypedFilter): WebhookFilterRequest | undefined {
  const named = types.split(/[\s,]+/).filter((type) => type !== '');
  const filter: WebhookFilterRequest = {
    ...(named.length > 0 && { types: [...new Set(named)] }),
    ...(subject.trim() !== '' && { subject: subject.trim() }),
    ...(division.trim() !== '' && { division: division.trim() }),
    ...(actor.trim() !== '' && { actor: actor.trim() }),
  };
  return Object.keys(filter).length === 0 ? undefined : filter;
}
