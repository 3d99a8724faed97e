import { HEX_SHA256 } from './audit-event';
import { EvidenceError } from '../evidence.error';
import { groupRoot, isRange, MAX_GROUP_EVENTS, type GroupedEvent } from './event-group';
import { assertOrigin, isOrigin } from './origin';

/** What an audit key signs: the place of a group of events and their content, bound to one kernel. */
export interface AuditSigningInput {
  origin: string;
  shard: number;
  /** Position of the first event. */
  first: number;
  /** How many, 1 to MAX_GROUP_EVENTS. */
  count: number;
  /** Hex root of the tree over the hashes of the events. */
  root: string;
}

const DOMAIN = 'illuvrse-kernel/audit-group/v1';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes an audit key signs (docs/spec/audit-event.md, section 4). */
export function auditGroupInput(of: AuditSigningInput): Uint8Array<ArrayBuffer> {
  const { origin, shard, first, count, root } = of;
  assertOrigin(origin);
  return encoder.encode(`${DOMAIN}\n${origin}\n${shard}\n${first}\n${count}\n${root}\n`);
}

/** The same for an event that is signed by itself: a group of one. @param of `hash` in hex */
export function auditSigningInput(of: {
  origin: string;
  shard: number;
  seq: number;
  hash: string;
}): Uint8Array<ArrayBuffer> {
  const { origin, shard, seq, hash } = of;
  return inputOfEvent(origin, { shard, seq, hash, group: { first: seq, count: 1, path: [] } });
}

/** The bytes that the signature of an event is over. @param event its format is right */
export function inputOfEvent(
  origin: string,
  event: GroupedEvent & { shard: number },
): Uint8Array<ArrayBuffer> {
  const { shard, group } = event;
  return auditGroupInput({
    origin,
    shard,
    first: group.first,
    count: group.count,
    root: groupRoot(event),
  });
}

/** Reads a signing input back. Refuses anything that `auditGroupInput` would not have made. */
export function parseAuditSigningInput(bytes: Uint8Array): AuditSigningInput {
  const refuse = (why: string, cause?: unknown): EvidenceError =>
    new EvidenceError('invalid_signing_input', `This is no signing input of audit events: ${why}.`, {
      cause,
    });
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw refuse('it is not UTF-8', cause);
  }
  const [domain, origin, shardText, firstText, countText, root, rest, ...more] = text.split('\n');
  if (domain !== DOMAIN) throw refuse(`its first line is not ${DOMAIN}`);
  if (rest !== '' || more.length > 0) throw refuse('it must have six lines, each ended by a line feed');
  if (!isOrigin(origin)) throw refuse('its second line is no origin');
  const shard = parseInteger(shardText);
  if (shard === null) throw refuse('its third line is no shard number');
  const first = parseInteger(firstText);
  if (first === null || first < 1) throw refuse('its fourth line is no position');
  const count = parseInteger(countText);
  if (count === null || !isRange(first, count)) {
    throw refuse(`its fifth line is no number of events from 1 to ${MAX_GROUP_EVENTS}`);
  }
  if (root === undefined || !HEX_SHA256.test(root)) throw refuse('its sixth line is no SHA-256 in hex');
  return { origin, shard, first, count, root };
}

/** A plain decimal below 2^53 without sign or leading zeros. */
function parseInteger(text: string | undefined): number | null {
  if (text === undefined || !/^(?:0|[1-9]\d{0,15})$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}
