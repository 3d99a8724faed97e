import { HEX_SHA256 } from './audit-event';
import { EvidenceError } from '../evidence.error';
import { assertOrigin, isOrigin } from './origin';

/** The signed part of an event: its place and its content, bound to one kernel. */
export interface AuditSigningInput {
  origin: string;
  shard: number;
  seq: number;
  /** Hex SHA-256 of the canonical event without hash and signature. */
  hash: string;
}

const DOMAIN = 'illuvrse-kernel/audit-event/v1';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes an audit key signs (docs/spec/audit-event.md, section 4). */
export function auditSigningInput(of: AuditSigningInput): Uint8Array<ArrayBuffer> {
  assertOrigin(of.origin);
  return encoder.encode(signingText(of));
}

export function signingText({ origin, shard, seq, hash }: AuditSigningInput): string {
  return `${DOMAIN}\n${origin}\n${shard}\n${seq}\n${hash}\n`;
}

/** Reads a signing input back. Refuses anything that `auditSigningInput` would not have made. */
export function parseAuditSigningInput(bytes: Uint8Array): AuditSigningInput {
  const refuse = (why: string, cause?: unknown): EvidenceError =>
    new EvidenceError('invalid_signing_input', `This is no audit event signing input: ${why}.`, { cause });
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw refuse('it is not UTF-8', cause);
  }
  const [domain, origin, shardText, seqText, hash, rest, ...more] = text.split('\n');
  if (domain !== DOMAIN) throw refuse(`its first line is not ${DOMAIN}`);
  if (rest !== '' || more.length > 0) throw refuse('it must have five lines, each ended by a line feed');
  if (!isOrigin(origin)) throw refuse('its second line is no origin');
  const shard = parseInteger(shardText);
  if (shard === null) throw refuse('its third line is no shard number');
  const seq = parseInteger(seqText);
  if (seq === null || seq < 1) throw refuse('its fourth line is no position');
  if (hash === undefined || !HEX_SHA256.test(hash)) throw refuse('its fifth line is no SHA-256 in hex');
  return { origin, shard, seq, hash };
}

/** A plain decimal below 2^53 without sign or leading zeros. */
function parseInteger(text: string | undefined): number | null {
  if (text === undefined || !/^(?:0|[1-9]\d{0,15})$/.test(text)) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}
