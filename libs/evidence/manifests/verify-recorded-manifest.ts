import { type AuditEvent } from '../chain/audit-event';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from '../json/json-value';
import { sameBytes } from '../json/same-bytes';
import { parseStrictJson } from '../json/strict-json.parser';
import { type LogPolicy } from '../log/log-policy';
import { type LogPlace, verifyReceipt } from '../log/verify-receipt';
import { type TrustRoot } from '../keys/trust-root';
import { parseEnvelope, type ParsedEnvelope } from './dsse';
import { type ManifestStatement, parseManifestStatement } from './manifest-statement';
import { verifyManifestEnvelope } from './verify-envelope';

/** A manifest and its envelope as files, what records the signature, and what their reader trusts. */
export interface RecordedManifestVerification {
  /** JSON text of the manifest, in any spelling. */
  manifest: string | Uint8Array;
  /** JSON text of the DSSE envelope. */
  envelope: string | Uint8Array;
  /** The event `manifest.signed` with its receipt; null: the signature is judged alone. */
  record: { event: Uint8Array; receipt: string } | null;
  trust: TrustRoot;
  /** See ReceiptVerification. */
  policy?: LogPolicy;
}

export interface RecordedManifestVerdict {
  /** What was signed, as far as it can be read; to be relied on only without faults. */
  statement: ManifestStatement | null;
  /** Where the signature is recorded; null without a record, or where that does not hold. */
  recordedAt: { shard: number; seq: number; id: string; hash: string } | null;
  log: LogPlace | null;
  /** Empty when verified; each starts with a stable word and a colon. */
  faults: string[];
  /** What was found to be right, in sentences. */
  checked: string[];
  /** What the verdict does not say, in sentences. */
  notChecked: string[];
}

const RECORD_TYPE = 'manifest.signed';
/** Members of the event's payload that repeat the statement. */
const REPEATED = ['manifestId', 'version', 'kind', 'division', 'sha256'] as const;

/**
 * Checks a manifest signature offline, with its record where there is one (docs/spec/manifest-signature.md, sections 4 and
 * 5): only the record shows when it was made, so that a signature by a key that has ended holds with it alone. Never
 * throws, whatever the input.
 */
export function verifyRecordedManifest({
  manifest,
  envelope,
  record,
  ...given
}: RecordedManifestVerification): RecordedManifestVerdict {
  const verdict: RecordedManifestVerdict = {
    statement: null,
    recordedAt: null,
    log: null,
    faults: [],
    checked: [],
    notChecked: [],
  };
  const document = read('manifest', manifest, verdict);
  const signed = read('envelope', envelope, verdict);
  if (document === undefined || signed === undefined) return verdict;
  verdict.statement = statementOf(signed);
  const { trust } = given;
  const { signers: keys, origin } = trust;
  if (record === null) {
    verdict.faults.push(
      ...verifyManifestEnvelope({ manifest: document, envelope: signed, keys, origin }).reasons,
    );
    noteSignature(verdict);
    verdict.notChecked.push('whether and when the kernel has recorded this signature: no receipt was given');
    return verdict;
  }
  const { event, log, faults, checked, notChecked } = verifyReceipt({ ...record, ...given });
  verdict.faults.push(...faults);
  verdict.checked.push(...checked);
  verdict.notChecked.push(...notChecked);
  if (event === null || faults.length > 0) return verdict;
  verdict.log = log;
  const recorded = whyNotRecorded(event, signed);
  if (recorded !== null) {
    verdict.faults.push(recorded);
    return verdict;
  }
  const { shard, seq, id, hash, payload } = event;
  verdict.recordedAt = { shard, seq, id, hash };
  // What the kernel recorded is judged: a signature that stands beside it in the given envelope is not.
  const own = payload['envelope'];
  const { reasons } = verifyManifestEnvelope({
    manifest: document,
    envelope: own,
    keys,
    origin,
    recordedAt: { shard, seq },
  });
  verdict.faults.push(...reasons);
  noteSignature(verdict);
  if (reasons.length === 0)
    verdict.checked.push(`the event ${id} at ${shard}:${seq} records this very envelope`);
  return verdict;
}

function noteSignature({ faults, statement, checked }: RecordedManifestVerdict): void {
  if (faults.length > 0 || statement === null) return;
  checked.push(
    `the manifest has the SHA-256 ${statement.sha256} that was signed, by a manifest key of signers.json`,
  );
}

function read(
  what: string,
  text: string | Uint8Array,
  verdict: RecordedManifestVerdict,
): JsonValue | undefined {
  try {
    return parseStrictJson(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    verdict.faults.push(`${error.code}: the ${what}: ${error.located}`);
    return undefined;
  }
}

function statementOf(envelope: JsonValue): ManifestStatement | null {
  try {
    return parseManifestStatement(parseEnvelope(envelope).payload);
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}

/** Why an event is not the record of an envelope; null when it is. */
function whyNotRecorded(
  { type, stream, shard, seq, payload }: AuditEvent,
  envelope: JsonValue,
): string | null {
  if (type !== RECORD_TYPE) return `record: the event is ${type}, not ${RECORD_TYPE}`;
  let given: ParsedEnvelope;
  let own: ParsedEnvelope;
  let statement: ManifestStatement;
  try {
    given = parseEnvelope(envelope);
    own = parseEnvelope(payload['envelope']);
    statement = parseManifestStatement(own.payload);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  if (given.payloadType !== own.payloadType || !sameBytes(given.payload, own.payload)) {
    return 'record: the event records an envelope with another statement';
  }
  const missing = own.signatures.find(({ sig }) => !given.signatures.some((one) => sameBytes(one.sig, sig)));
  if (missing !== undefined) return 'record: the event records another signature over the same statement';
  const other = REPEATED.find((name) => payload[name] !== statement[name]);
  if (other !== undefined) {
    return `record: the event's ${other} is not that of the statement that it records`;
  }
  if (stream !== `manifest/${statement.manifestId}`)
    return `record: the event is of ${stream}, not of this manifest`;
  const [headShard, head] = statement.auditSeqAfter.split(':').map(Number);
  if (headShard === shard && head !== undefined && head < seq) return null;
  return `record: the statement was signed after ${statement.auditSeqAfter}, which is not before ${shard}:${seq}`;
}
