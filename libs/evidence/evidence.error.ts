import { CodedError } from './coded-error';

/** Codes of faults in evidence, as one closed union: callers map it (to HTTP, to exit codes) once, at their edge. */
export type EvidenceErrorCode =
  // accepted JSON (docs/spec/json.md)
  | 'invalid_json'
  | 'invalid_utf8'
  | 'byte_order_mark'
  | 'duplicate_member'
  | 'lone_surrogate'
  | 'number_not_exact'
  | 'too_deep'
  | 'forbidden_member'
  | 'not_json'
  | 'not_canonical'
  // a limit that the reader sets, not the format
  | 'too_many_values'
  // audit events (docs/spec/audit-event.md)
  | 'invalid_event'
  | 'event_too_large'
  | 'invalid_origin'
  | 'invalid_signature'
  | 'invalid_signing_input'
  // manifest signatures (docs/spec/manifest-signature.md)
  | 'invalid_statement'
  | 'invalid_envelope'
  // day manifests and audit reports (docs/spec/archive.md)
  | 'invalid_document'
  // approvals, the approver pool and the evidence of an upgrade (docs/spec/approval.md)
  | 'invalid_approval'
  | 'invalid_pool'
  | 'invalid_upgrade_evidence'
  // the transparency log (docs/spec/transparency-log.md)
  | 'invalid_checkpoint'
  | 'invalid_log_proof'
  | 'invalid_note'
  | 'invalid_note_key'
  | 'invalid_cosignature'
  | 'invalid_log_policy'
  | 'invalid_witness_request'
  // keys (docs/spec/signers.md)
  | 'invalid_public_key'
  | 'weak_public_key'
  | 'invalid_signers'
  | 'invalid_registry_event'
  | 'invalid_founding';

export interface EvidenceErrorContext {
  /** RFC 6901 JSON Pointer of the first offence; '' is the whole document. */
  pointer?: string;
  details?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/** The only error of this lib. `message` says what is wrong, where, and what to do about it. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {
  readonly pointer?: string;

  constructor(
    code: EvidenceErrorCode,
    message: string,
    { pointer, details, ...cause }: EvidenceErrorContext = {},
  ) {
    super(code, message, details, cause);
    if (pointer !== undefined) this.pointer = pointer;
  }

  /** The message with the place, as verdicts have it. */
  get located(): string {
    return this.pointer === undefined || this.pointer === ''
      ? this.message
      : `${this.message} (at ${this.pointer})`;
  }
}
