import { ARCHIVE_DAY, AUDIT_REPORT, MANIFEST_PAYLOAD_TYPE } from '#evidence';
import { type BatchPurpose } from './signing-contract';

/** The domains of inputs that are lines of text (docs/spec/audit-event.md, docs/spec/signers.md section 4). */
const AUDIT_EVENT_DOMAIN = 'illuvrse-kernel/audit-group/v1\n';
const SIGNER_POSSESSION_DOMAIN = 'illuvrse-kernel/signer-possession/v1\n';

/** DSSE pre-authentication encoding up to the length of its payload. */
function pae(payloadType: string): string {
  return `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} `;
}

type Reads = (input: Uint8Array) => boolean;

function begins(domainText: string): Reads {
  const domain = Buffer.from(domainText);
  return (input) => domain.equals(input.subarray(0, domain.length));
}

/** The beginning of an input says what it claims to be: that is the purpose of the domains. */
const CLAIMS: Record<BatchPurpose, Reads> = {
  'audit-event': begins(AUDIT_EVENT_DOMAIN),
  manifest: begins(pae(MANIFEST_PAYLOAD_TYPE)),
  'archive-day': begins(pae(ARCHIVE_DAY.payloadType)),
  'audit-report': begins(pae(AUDIT_REPORT.payloadType)),
  'signer-possession': begins(SIGNER_POSSESSION_DOMAIN),
};

/**
 * The purpose for which another signing proxy may be asked to sign this; undefined for anything else, and for a
 * checkpoint, which has a request of its own.
 */
export function purposeOfInput(input: Uint8Array): BatchPurpose | undefined {
  return (Object.keys(CLAIMS) as BatchPurpose[]).find((purpose) => CLAIMS[purpose](input));
}
