import {
  type AuditEvent,
  canonicalize,
  type Envelope,
  type JsonObject,
  type JsonValue,
  KERNEL_KINDS,
  manifestDivision,
  type MANIFEST_PAYLOAD_TYPE,
  parseEnvelope,
  parseManifestStatement,
  type ShardPosition,
  type TrustedSigner,
  verifyManifestEnvelope,
} from '#evidence';
import { DivisionError } from './division.error';

/** Proof that an agent was made from something that this kernel has signed. */
export interface Template {
  manifestId: string;
  version: string | number;
  kind: string | null;
  sha256: string;
  /** Null when the agent was spawned from the recorded signature alone. */
  manifest: JsonObject | null;
  envelope: Envelope & { payloadType: typeof MANIFEST_PAYLOAD_TYPE };
  /** The event that recorded the signature. */
  signedBy: string;
}

/** A manifest signature as the chain has it. */
export interface RecordedSignature {
  eventId: string;
  /** Position of the event. */
  recordedAt: ShardPosition;
  envelope: JsonValue;
  sha256: string;
  /** Division that the event says the manifest is of. */
  division: string | null;
}

/** The signature that an event has recorded; null for an event of anything else. */
export function recordedSignature({
  id,
  shard,
  seq,
  type,
  stream,
  payload,
}: AuditEvent): RecordedSignature | null {
  if (type !== 'manifest.signed' || !stream.startsWith('manifest/')) return null;
  const { envelope, sha256, division } = payload;
  if (envelope === undefined || typeof sha256 !== 'string') return null;
  return {
    eventId: id,
    recordedAt: { shard, seq },
    envelope,
    sha256,
    division: typeof division === 'string' ? division : null,
  };
}

/** Whether two envelopes are the same, in whatever order their members came. */
export function isSameEnvelope(one: JsonValue, other: JsonValue): boolean {
  return canonicalize(one) === canonicalize(other);
}

/** What has been signed: the manifest, or the hex SHA-256 of its canonical form. */
export type SignedSubject = { manifest: JsonObject } | { sha256: string };

/**
 * Asserts that this kernel signed exactly this manifest, with a key that was valid where the signature was recorded.
 * @throws DivisionError `invalid_signature` with the reasons
 */
export function assertSigned(
  subject: SignedSubject,
  { envelope, recordedAt }: Pick<RecordedSignature, 'envelope' | 'recordedAt'>,
  keys: readonly TrustedSigner[],
  origin: string,
): void {
  refuseFor(verifyManifestEnvelope({ ...subject, envelope, keys, origin, recordedAt }).reasons);
}

/**
 * Asserts the same of a signature that is still to be found in the chain: all but whether its key, if it has ended, was
 * valid there.
 * @returns the name of the stream in which the chain has recorded it
 * @throws DivisionError `invalid_signature` with the reasons
 */
export function assertSignedOnce(
  subject: SignedSubject,
  envelope: JsonValue,
  keys: readonly TrustedSigner[],
  origin: string,
): string {
  const { reasons } = verifyManifestEnvelope({ ...subject, envelope, keys, origin });
  refuseFor(reasons.filter((reason) => !reason.startsWith('receipt_needed:')));
  return `manifest/${statementOf(envelope).manifestId}`;
}

function refuseFor(reasons: readonly string[]): void {
  if (reasons.length === 0) return;
  throw new DivisionError(
    'invalid_signature',
    `The template's signature does not verify: ${reasons.join('; ')}.`,
    { reasons: [...reasons] },
  );
}

/**
 * A signed manifest as the template of an agent of this division: its signed statement names this division or none, and
 * the event that recorded it, and the manifest where there is one, say the same. What names none is for agents of all
 * divisions; only callers who are bound to none get a signature over it.
 * @param signed verified by `assertSigned`
 * @throws DivisionError `invalid_template`
 */
export function templateFor(
  division: string,
  manifest: JsonObject | null,
  { eventId, envelope, division: signedFor }: RecordedSignature,
): Template {
  const { manifestId, version, kind, sha256, division: named } = statementOf(envelope);
  if (kind !== null && KERNEL_KINDS.has(kind)) {
    throw invalidTemplate(`it is signed as a ${kind}, which is no template`);
  }
  if (named !== signedFor)
    throw invalidTemplate('its signature names another division than the event that recorded it');
  if (manifest !== null && manifestDivision(manifest) !== named) {
    throw invalidTemplate('it names another division than its signature');
  }
  if (named !== null && named !== division) throw invalidTemplate('it belongs to another division');
  return {
    manifestId,
    version,
    kind,
    sha256,
    manifest,
    envelope: envelope as unknown as Template['envelope'],
    signedBy: eventId,
  };
}

function statementOf(envelope: JsonValue) {
  return parseManifestStatement(parseEnvelope(envelope).payload);
}

function invalidTemplate(why: string): DivisionError {
  return new DivisionError('invalid_template', `No agent can be spawned from this manifest: ${why}.`, {
    pointer: '/template',
  });
}
