import { AccessError } from '../access/access-error';
import { EvidenceError } from '#evidence';
import { FRESH_SIGN_IN_S } from '../access/person-access';
import { HttpEdgeError } from '../http-edge.error';
import { problemsOf, type ErrorProblems } from './problem-map';

/** Refusals of a caller's input by the formats; the pointer says where. */
const MALFORMED = { status: 400, members: ['pointer'] } as const;
/** The same word for everything that makes a text unacceptable as JSON; `reason` tells them apart. */
const UNACCEPTABLE_JSON = { ...MALFORMED, word: 'invalid_json', title: 'Unacceptable JSON' } as const;
/** A code that no request can cause: the kernel's own evidence or keys are at fault. */
const OUR_FAULT = { status: 500, word: 'internal_error' } as const;

/** RFC 9470: the same person, authenticated again. */
const STEP_UP = `Bearer error="insufficient_user_authentication", max_age=${FRESH_SIGN_IN_S}`;

/** Errors of the libs that the edge itself uses. Apps add those of their modules. */
export const EDGE_PROBLEMS: readonly ErrorProblems[] = [
  problemsOf(HttpEdgeError, {
    not_found: { status: 404 },
    method_not_allowed: { status: 405 },
    invalid_request: { status: 400, members: ['pointer', 'parameter'] },
    unsupported_media_type: { status: 415 },
    payload_too_large: { status: 413, members: ['limit'] },
    request_aborted: { status: 400 },
    overloaded: { status: 503 },
    uri_too_long: { status: 414, members: ['limit'] },
    misdirected_request: { status: 421 },
    expectation_failed: { status: 417 },
    not_implemented: { status: 501, told: true },
    http_version_not_supported: { status: 505, told: true },
    invalid_contract: OUR_FAULT,
    routes_differ: OUR_FAULT,
    answer_differs: OUR_FAULT,
    invalid_bundle: OUR_FAULT,
  }),
  problemsOf(AccessError, {
    forbidden: { status: 403 },
    ambiguous_certificate: { status: 403 },
    certificate_expired: { status: 403 },
    certificate_refused: { status: 403 },
    not_authenticated: { status: 403 },
    sign_in_required: { status: 401, challenge: 'Bearer' },
    invalid_token: { status: 401, challenge: 'Bearer error="invalid_token"' },
    reauthentication_required: { status: 401, challenge: STEP_UP, members: ['maxAgeSeconds'] },
    foreign_origin: { status: 403 },
    sign_in_unavailable: { status: 503, told: true },
    undeclared_policy: OUR_FAULT,
    invalid_bindings: OUR_FAULT,
  }),
  problemsOf(EvidenceError, {
    invalid_json: UNACCEPTABLE_JSON,
    invalid_utf8: UNACCEPTABLE_JSON,
    byte_order_mark: UNACCEPTABLE_JSON,
    duplicate_member: UNACCEPTABLE_JSON,
    lone_surrogate: UNACCEPTABLE_JSON,
    number_not_exact: UNACCEPTABLE_JSON,
    too_deep: UNACCEPTABLE_JSON,
    forbidden_member: UNACCEPTABLE_JSON,
    not_json: UNACCEPTABLE_JSON,
    not_canonical: UNACCEPTABLE_JSON,
    too_many_values: { status: 413, word: 'payload_too_large', members: ['pointer', 'limit'] },
    event_too_large: { status: 413, members: ['pointer'] },
    invalid_statement: MALFORMED,
    invalid_envelope: MALFORMED,
    invalid_approval: MALFORMED,
    invalid_pool: OUR_FAULT,
    invalid_upgrade_evidence: OUR_FAULT,
    invalid_checkpoint: OUR_FAULT,
    invalid_log_proof: OUR_FAULT,
    invalid_note: OUR_FAULT,
    invalid_note_key: OUR_FAULT,
    invalid_cosignature: OUR_FAULT,
    invalid_log_policy: OUR_FAULT,
    invalid_witness_request: OUR_FAULT,
    invalid_event: OUR_FAULT,
    invalid_public_key: OUR_FAULT,
    weak_public_key: OUR_FAULT,
    invalid_origin: OUR_FAULT,
    invalid_signature: OUR_FAULT,
    invalid_signing_input: OUR_FAULT,
    invalid_document: OUR_FAULT,
    invalid_signers: OUR_FAULT,
    invalid_registry_event: OUR_FAULT,
    invalid_founding: OUR_FAULT,
  }),
];
