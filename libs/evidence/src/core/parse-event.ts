import { assertAuditEvent, MAX_EVENT_BYTES, type AuditEvent } from './audit-event';
import { EvidenceError } from './evidence.error';
import { parseCanonicalJson } from './strict-json.parser';

export interface ParsedEvent {
  event: AuditEvent;
  /** The canonical text without `hash` and `signature`: what the hash is taken of. */
  hashed: string;
}

/**
 * Reads canonical event bytes: exactly RFC 8785, exactly the members of the format. Checks neither hash nor signature.
 * @throws EvidenceError with a pointer into the event.
 */
export function parseEventParts(bytes: Uint8Array | string): ParsedEvent {
  if (bytes.length > MAX_EVENT_BYTES) {
    throw new EvidenceError('event_too_large', `An event is at most ${MAX_EVENT_BYTES} bytes.`, {
      pointer: '',
    });
  }
  const { value, text, spans } = parseCanonicalJson(bytes);
  assertAuditEvent(value);
  const hash = spans.get('hash');
  const signature = spans.get('signature');
  // assertAuditEvent has seen both members; neither is the first or the last one, so a comma follows each.
  if (hash === undefined || signature === undefined) {
    throw new EvidenceError('invalid_event', 'An audit event has a hash and a signature.', { pointer: '' });
  }
  return {
    event: value,
    hashed:
      text.slice(0, hash.start) + text.slice(hash.end + 1, signature.start) + text.slice(signature.end + 1),
  };
}

export function parseEvent(bytes: Uint8Array | string): AuditEvent {
  return parseEventParts(bytes).event;
}
