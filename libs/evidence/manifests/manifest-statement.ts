import { sha256Hex } from '#evidence-crypto';
import { HEX_SHA256 } from '../chain/audit-event';
import { isTimestamp } from '../json/time';
import { canonicalize } from '../json/canonical-json';
import { MANIFEST_PAYLOAD_TYPE, parseDssePae } from './dsse';
import { EvidenceError } from '../evidence.error';
import { exactObject } from '../json/exact-object';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { isOrigin } from '../chain/origin';
import { parseCanonicalJson } from '../json/strict-json.parser';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const MANIFEST_PREDICATE_TYPE = 'https://illuvrse.dev/kernel/manifest-signature/v1';

/** Content of a manifest signature (docs/spec/manifest-signature.md). */
export interface ManifestStatement {
  manifestId: string;
  version: string | number;
  kind: string | null;
  /** The division that the manifest names itself to be of; null when it names none. */
  division: string | null;
  origin: string;
  /** RFC 3339 UTC with milliseconds. */
  signedAt: string;
  /** Principal that asked for the signature. */
  requestedBy: string;
  /** Head of the shard at the time of signing: `<shard>:<seq>`. */
  auditSeqAfter: string;
  /** Hex SHA-256 of the manifest's canonical bytes. */
  sha256: string;
}

const encoder = new TextEncoder();
const POSITION = /^(?:0|[1-9]\d{0,15}):(?:0|[1-9]\d{0,15})$/;

const PREDICATE: Record<Exclude<keyof ManifestStatement, 'sha256'>, (value: unknown) => boolean> = {
  manifestId: isName,
  version: (value) => isName(value) || (typeof value === 'number' && Number.isSafeInteger(value)),
  kind: (value) => value === null || isName(value),
  division: (value) => value === null || isName(value),
  origin: isOrigin,
  signedAt: isTimestamp,
  requestedBy: isName,
  auditSeqAfter: (value) => typeof value === 'string' && POSITION.test(value),
};

/** Hex SHA-256 of `JCS(manifest)`: the same for every member order and number spelling. */
export function manifestDigest(manifest: JsonValue): string {
  return sha256Hex(canonicalize(manifest));
}

/** The division that a manifest says it belongs to: its `division` or `divisionId`; null when it says none. */
export function manifestDivision(manifest: JsonObject): string | null {
  const named = [manifest['division'], manifest['divisionId']];
  return named.find((value): value is string => typeof value === 'string' && value !== '') ?? null;
}

/** Canonical bytes of the in-toto Statement: the payload of the envelope. */
export function manifestStatement(statement: ManifestStatement): Uint8Array<ArrayBuffer> {
  const value = statementValue(statement);
  readStatement(value);
  return encoder.encode(canonicalize(value));
}

function statementValue({ sha256, ...predicate }: ManifestStatement): JsonObject {
  const { manifestId, version, kind, division, origin, signedAt, requestedBy, auditSeqAfter } = predicate;
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: manifestId, digest: { sha256 } }],
    predicateType: MANIFEST_PREDICATE_TYPE,
    predicate: { manifestId, version, kind, division, origin, signedAt, requestedBy, auditSeqAfter },
  };
}

/** Reads a Statement payload: canonical, and exactly the members of the format. */
export function parseManifestStatement(payload: Uint8Array): ManifestStatement {
  let value: JsonValue;
  try {
    ({ value } = parseCanonicalJson(payload));
  } catch (cause) {
    const pointer = cause instanceof EvidenceError ? cause.pointer : undefined;
    throw new EvidenceError('invalid_statement', 'The payload is not canonical JSON (RFC 8785).', {
      ...(pointer === undefined ? {} : { pointer }),
      cause,
    });
  }
  return readStatement(value);
}

function readStatement(value: JsonValue): ManifestStatement {
  const refuse = (pointer: string, message: string): EvidenceError =>
    new EvidenceError('invalid_statement', `This is no manifest signature statement: ${message}.`, {
      pointer,
    });
  const root = exactObject(value, ['_type', 'predicate', 'predicateType', 'subject']);
  if (root === null)
    throw refuse('', 'it must have _type, subject, predicateType and predicate, nothing else');
  if (root['_type'] !== STATEMENT_TYPE) throw refuse('/_type', `_type must be ${STATEMENT_TYPE}`);
  if (root['predicateType'] !== MANIFEST_PREDICATE_TYPE) {
    throw refuse('/predicateType', `predicateType must be ${MANIFEST_PREDICATE_TYPE}`);
  }
  const subjects = root['subject'];
  if (!Array.isArray(subjects) || subjects.length !== 1) throw refuse('/subject', 'it must have one subject');
  const subject = exactObject(subjects[0], ['digest', 'name']);
  const digest = exactObject(subject?.['digest'], ['sha256']);
  const sha256 = digest?.['sha256'];
  if (subject === null || typeof sha256 !== 'string' || !HEX_SHA256.test(sha256)) {
    throw refuse(
      '/subject/0',
      'the subject must be { name, digest: { sha256 } } with the digest in lower-case hex',
    );
  }
  const predicate = exactObject(root['predicate'], Object.keys(PREDICATE));
  if (predicate === null)
    throw refuse('/predicate', `it must have ${Object.keys(PREDICATE).join(', ')}, nothing else`);
  for (const [name, fits] of Object.entries(PREDICATE)) {
    if (!fits(predicate[name])) throw refuse(`/predicate/${name}`, `the value of ${name} does not fit`);
  }
  if (subject['name'] !== predicate['manifestId']) {
    throw refuse('/subject/0/name', 'the name of the subject must be the manifestId');
  }
  return { ...(predicate as unknown as Omit<ManifestStatement, 'sha256'>), sha256 };
}

/**
 * Reads the bytes that a manifest key is asked to sign: the DSSE pre-authentication encoding of a canonical Statement.
 * Refuses anything that `dssePae(MANIFEST_PAYLOAD_TYPE, manifestStatement(...))` would not have made.
 */
export function parseManifestSigningInput(bytes: Uint8Array): ManifestStatement {
  const pae = parseDssePae(bytes);
  if (pae?.payloadType !== MANIFEST_PAYLOAD_TYPE) {
    throw new EvidenceError(
      'invalid_signing_input',
      `This is no DSSE pre-authentication encoding of type ${MANIFEST_PAYLOAD_TYPE}.`,
    );
  }
  return parseManifestStatement(pae.payload);
}

/** Whether a text can be a name: not empty, well-formed, without control characters. */
function isName(value: unknown): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what a name must not hold
  return typeof value === 'string' && /^[^\u0000-\u001f\u007f]{1,255}$/.test(value) && value.isWellFormed();
}
