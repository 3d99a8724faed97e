import { assertAuditEvent, MAX_EVENT_BYTES, type AuditEvent } from './audit-event';
import { EvidenceError } from '../evidence.error';
import { parseCanonicalJson } from '../json/strict-json.parser';

export interface ParsedEvent {
  event: AuditEvent;
  /** The canonical text without `group`, `hash` and `signature`: the input of the hash. */
  hashed: string;
}

/**
 * Reads canonical event bytes: exactly RFC 8785, exactly the members of the format. Checks neither hash nor signature.
 * @throws EvidenceError with a pointer into the event.
 */
export function parseEventParts(bytes: Uint8Array | string): ParsedEvent {
  if (sizeOf(bytes) > MAX_EVENT_BYTES) {
    throw new EvidenceError('event_too_large', `An event is at most ${MAX_EVENT_BYTES} bytes.`, {
      pointer: '',
    });
  }
  const { value, text, spans } = parseCanonicalJson(bytes);
  assertAuditEvent(value);
  // The members are known and sorted: group and hash are the fourth and fifth, signature the eleventh; a comma follows each.
  const [groupStart, hashEnd] = [spans[6] ?? 0, spans[9] ?? 0];
  const [signatureStart, signatureEnd] = [spans[20] ?? 0, spans[21] ?? 0];
  return {
    event: value,
    hashed:
      text.slice(0, groupStart) + text.slice(hashEnd + 1, signatureStart) + text.slice(signatureEnd + 1),
  };
}

export function parseEvent(bytes: Uint8Array | string): AuditEvent {
  return parseEventParts(bytes).event;
}

function sizeOf(bytes: Uint8Array | string): number {
  if (typeof bytes !== 'string' || bytes.length * 3 <= MAX_EVENT_BYTES) return bytes.length;
  return new TextEncoder().encode(bytes).length;
}
