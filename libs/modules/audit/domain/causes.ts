import { type AuditEvent, type JsonObject, type JsonValue } from '#evidence';

/** One event that another rests on, by its id or by its place in a stream. */
export interface Cause {
  /** `template`, `division`, `evaluation`, `agent`, `budget`, `upgrade`, `follows` or `caused_by`. */
  relation: string;
  event: { id: string } | { stream: string; version: number } | { stream: string; lastBefore: AuditEvent };
}

/**
 * Things with a history in which each event rests on the one before it. Events that are merely kept together (a
 * caller's events, evaluations, the entries of an account) do not.
 */
const HISTORIES: ReadonlySet<string> = new Set([
  'agent',
  'approver_pool',
  'division',
  'policy',
  'signer',
  'upgrade',
]);

export function hasHistory(stream: string): boolean {
  return HISTORIES.has(nounOf(stream));
}

/** The events that an event itself names as its basis, the closest first. */
export function causesOf(event: AuditEvent): Cause[] {
  const { stream, streamVersion, causationId, payload } = event;
  const causes: Cause[] = [];
  const named = new Set<string>();
  const { because } = payload;
  for (const entry of Array.isArray(because) ? because : []) {
    const { relation, eventId } = asObject(entry);
    if (typeof relation !== 'string' || typeof eventId !== 'string' || named.has(eventId)) continue;
    named.add(eventId);
    causes.push({ relation, event: { id: eventId } });
  }
  const follows = hasHistory(stream) && streamVersion > 1;
  if (follows) causes.push({ relation: 'follows', event: { stream, version: streamVersion - 1 } });
  // The cause of a change in a history is mostly the change before it, which is already listed.
  if (causationId !== null && !named.has(causationId) && !follows) {
    causes.push({ relation: 'caused_by', event: { id: causationId } });
  }
  const { upgradeId } = payload;
  if (typeof upgradeId === 'string' && nounOf(stream) !== 'upgrade') {
    causes.push({ relation: 'upgrade', event: { stream: `upgrade/${upgradeId}`, lastBefore: event } });
  }
  return causes;
}

/**
 * Whether an event says that it rests on another.
 * @param next the event after the other in its stream, if there is one
 */
export function restsOn(event: AuditEvent, cause: AuditEvent, next: AuditEvent | undefined): boolean {
  return causesOf(event).some(({ event: named }) => {
    if ('id' in named) return named.id === cause.id;
    if (named.stream !== cause.stream) return false;
    if ('version' in named) return named.version === cause.streamVersion;
    const before = (one: AuditEvent) => one.shard === event.shard && one.seq < event.seq;
    return before(cause) && (next === undefined || !before(next));
  });
}

/** One line on what happened, where the kernel knows what it means. */
export function noteOf({ type, payload }: AuditEvent): string | null {
  const text = (name: string): string => shown(payload[name]);
  switch (type) {
    case 'manifest.signed':
      return `${text('manifestId')} ${text('version')}, a ${text('kind')}`;
    case 'division.registered':
    case 'division.updated':
      return `${text('division')} at version ${text('version')}`;
    case 'agent.spawned': {
      const { manifestId, version } = asObject(payload['template']);
      return `${text('agentId')} in ${text('division')} from ${shown(manifestId)} ${shown(version)}`;
    }
    case 'eval.submitted':
      return `${text('agentId')}: ${payload['score'] === null ? 'no score' : `score ${text('score')}`}`;
    case 'allocation.granted':
    case 'allocation.released':
      return `${text('delta')} of ${text('pool')} for ${text('holder')}: ${text('reason')}`;
    default: {
      if (type.startsWith('agent.')) return `from ${text('from')} to ${text('to')}${why(payload)}`;
      if (type.startsWith('upgrade.')) return why(payload).slice(2) || null;
      return null;
    }
  }
}

function why({ reason }: JsonObject): string {
  return typeof reason === 'string' ? `: ${reason}` : '';
}

function shown(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '?';
}

function asObject(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function nounOf(stream: string): string {
  return stream.slice(0, stream.indexOf('/'));
}
