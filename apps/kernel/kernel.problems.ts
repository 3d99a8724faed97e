import { AuditError } from '#modules/audit';
import { PositionError } from '#platform/audit-stream';
import { EventStoreError } from '#platform/event-store';
import { DivisionError } from '#modules/divisions';
import { GovernanceError } from '#modules/governance';
import { type ErrorProblems, problemsOf } from '#platform/edge';
import { KeyRegistryError } from '#modules/key-registry';
import { ModeError } from '#modules/modes';
import { PeopleError } from '#modules/people';
import { SignerError } from '#platform/signer';
import { SigningError } from '#modules/signing';
import { WebhooksError } from '#modules/webhooks';

const SIGNING_UNAVAILABLE = {
  status: 503,
  word: 'signing_unavailable',
  title: 'Signing unavailable',
  // Not the error's message, which names machines behind the kernel.
  detail:
    'Nothing can be signed now, so nothing was written: the signing proxy, or the keys behind it, cannot be reached, or refuse. ' +
    'The check signing_proxy of the kernel’s /ready says which; error_id finds the request in its log. Try again after Retry-After seconds.',
  members: ['reason'],
} as const;
/** What the caller gets of a mode: which, since when, by whom, why. */
const MODE = { status: 503, told: true, members: ['mode', 'since', 'by', 'reason', 'restoring'] } as const;
/** A mode lasts for minutes at least, and a person ends it. */
const MODE_RETRY_S = 30;
/** Another replica is there, or will be in a moment. */
const STOPPING = { status: 503, word: 'overloaded', title: 'Overloaded' } as const;
const MALFORMED = { status: 400, members: ['pointer'] } as const;
const UNVERIFIED = { status: 400, members: ['reasons'] } as const;
const CLOSED = { status: 409, members: ['upgradeStatus'] } as const;
/** Members that say what a budget is and how much of it is left. */
const BALANCE = ['pool', 'budget', 'allocated', 'available'] as const;
/** No request can cause it: the kernel itself is at fault. */
const OUR_FAULT = { status: 500, word: 'internal_error' } as const;

/** What the errors of the kernel's modules look like from outside. */
export const KERNEL_PROBLEMS: readonly ErrorProblems[] = [
  problemsOf(EventStoreError, {
    version_conflict: { status: 409 },
    queue_full: { status: 503 },
    signing_unavailable: SIGNING_UNAVAILABLE,
    idempotency_mismatch: { status: 422 },
    event_too_large: { status: 413, members: ['pointer'] },
    streams_span_shards: { status: 400, members: ['pointer'] },
    duplicate_event_id: { status: 409 },
    store_unavailable: { status: 503 },
    invalid_value: OUR_FAULT,
    invalid_request: MALFORMED,
    invalid_cursor: { status: 400, word: 'invalid_request' },
    not_migrated: { status: 503, word: 'store_unavailable' },
    chain_mismatch: { status: 503, word: 'store_unavailable' },
    store_behind: { status: 503, title: 'The database was put back to an older state', retryAfter: 30 },
    clock_jumped: {
      status: 503,
      title: 'The clock jumped',
      retryAfter: 5,
      told: true,
      members: ['aheadMs', 'maxJumpMs'],
    },
    contended: { status: 503 },
    integrity: { status: 500, title: 'The database holds what this kernel did not write' },
    closed: STOPPING,
  }),
  problemsOf(SignerError, {
    signing_unavailable: SIGNING_UNAVAILABLE,
    queue_full: { status: 503 },
    signing_refused: { ...SIGNING_UNAVAILABLE, retryAfter: 30 },
    unknown_key: { ...SIGNING_UNAVAILABLE, retryAfter: 30 },
    closed: STOPPING,
    // A statement of more than 4,096 bytes, which takes names of hundreds of non-ASCII characters.
    invalid_request: { status: 400 },
    key_exists: { status: 409, word: 'signer_exists' },
    key_refused: OUR_FAULT,
    refused_in_production: OUR_FAULT,
    misconfigured: OUR_FAULT,
    token_error: OUR_FAULT,
  }),
  problemsOf(ModeError, {
    read_only: { ...MODE, title: 'Read-only', retryAfter: MODE_RETRY_S },
    safe_mode: { ...MODE, title: 'Safe mode', retryAfter: MODE_RETRY_S },
    being_restored: { status: 409 },
    contended: { status: 503, word: 'overloaded' },
  }),
  problemsOf(AuditError, {
    reserved_name: MALFORMED,
    event_not_found: { status: 404 },
    audit_run_not_found: { status: 404 },
    unknown_shard: { status: 404 },
    too_many_streams: { status: 503, word: 'overloaded', title: 'Too many streams', retryAfter: 10 },
    invalid_event_id: { status: 400, word: 'invalid_position' },
    not_in_log_yet: { status: 404, title: 'Not in the log yet' },
    tile_not_found: { status: 404 },
    log_unavailable: { status: 503 },
    invalid_range: { status: 400 },
    legal_hold_in_force: { status: 409 },
    legal_hold_not_in_force: { status: 409 },
    node_not_found: { status: 404 },
    ambiguous_node: { status: 409, members: ['nodes'] },
  }),
  problemsOf(PositionError, {
    invalid_position: { status: 400 },
    position_unavailable: { status: 503, told: true, members: ['wanted', 'reached'] },
  }),
  problemsOf(SigningError, {
    manifest_id_too_long: { status: 400 },
    reserved_kind: { status: 400 },
    manifest_required: { status: 403 },
  }),
  problemsOf(DivisionError, {
    division_not_found: { status: 404 },
    invalid_division: MALFORMED,
    stale_version: { status: 409, word: 'version_conflict', members: ['currentVersion'] },
    division_retired: { status: 409 },
    division_not_active: { status: 409, members: ['divisionStatus'] },
    budget_below_allocated: { status: 409, members: BALANCE },
    over_budget: { status: 409, members: [...BALANCE, 'requested'] },
    too_many_pools: { status: 409 },
    nothing_to_release: { status: 409, members: ['pool', 'held', 'requested'] },
    invalid_amount: MALFORMED,
    agent_not_found: { status: 404 },
    agent_exists: { status: 409 },
    invalid_template: MALFORMED,
    template_not_recorded: { status: 400 },
    transition_not_allowed: { status: 409, members: ['state', 'allowed'] },
    agent_retired: { status: 409 },
    eval_not_found: { status: 404 },
    invalid_signature: UNVERIFIED,
  }),
  problemsOf(GovernanceError, {
    upgrade_not_found: { status: 404 },
    upgrade_exists: { status: 409, members: ['upgradeId'] },
    invalid_manifest: MALFORMED,
    patch_mismatch: { status: 400, members: ['computed', 'claimed'] },
    not_the_approver: { status: 403, word: 'forbidden' },
    self_approval: { status: 403 },
    self_check: { status: 403 },
    invalid_signature: UNVERIFIED,
    invalid_approved_at: { status: 400, members: ['approvedAt', 'expiresAt'] },
    key_not_valid: { status: 400, members: ['reasons'] },
    approver_already_signed: { status: 409, members: ['approvalId'] },
    upgrade_already_applied: CLOSED,
    upgrade_closed: CLOSED,
    not_emergency: CLOSED,
    insufficient_quorum: {
      status: 400,
      members: ['approvals', 'approvers', 'required', 'missing', 'notCounted', 'open'],
    },
    checks_missing: { status: 409, members: ['checks'] },
    unknown_check: { status: 400, members: ['preconditions'] },
    only_services: { status: 403 },
    not_the_proposer: { status: 403 },
    not_applied: CLOSED,
    superseded: { status: 409 },
    unsettled: { status: 409, members: ['unsettled'] },
    below_threshold: { status: 409, members: ['threshold', 'remaining'] },
    last_key: { status: 409, members: ['kid', 'purposes'] },
    notification_not_found: { status: 404 },
    invalid_registration: { status: 400, members: ['reasons'] },
    credential_registered: { status: 409 },
    synced_passkey: { status: 409, members: ['pointer', 'keyId'] },
    webauthn_not_configured: { status: 409 },
    no_pool: { status: 409 },
  }),
  problemsOf(PeopleError, {
    session_not_found: { status: 404 },
    // The pages of sign-in answer these by themselves (libs/modules/people/http/site.filter.ts).
    session_changed: OUR_FAULT,
    provider_unavailable: OUR_FAULT,
    keys_rotated: OUR_FAULT,
    provider_refused: OUR_FAULT,
    state_mismatch: OUR_FAULT,
    issuer_mismatch: OUR_FAULT,
    code_refused: OUR_FAULT,
    invalid_id_token: OUR_FAULT,
    clock_skew: OUR_FAULT,
    not_reauthenticated: OUR_FAULT,
    ambiguous_roles: OUR_FAULT,
    invalid_logout_token: OUR_FAULT,
    invalid_access_token: OUR_FAULT,
    not_recordable: OUR_FAULT,
    too_many_sign_ins: OUR_FAULT,
  }),
  problemsOf(WebhooksError, {
    webhook_not_found: { status: 404 },
    too_many_webhooks: { status: 409 },
    invalid_target: MALFORMED,
    event_not_for_webhook: { status: 404, members: ['eventId'] },
    webhook_backlog_full: { status: 409 },
  }),
  problemsOf(KeyRegistryError, {
    signer_not_found: { status: 404 },
    signer_not_active: { status: 409 },
    signer_exists: { status: 409 },
    wrong_purpose: { status: 400 },
    key_in_force: { status: 409 },
    overlap: { status: 409, members: ['retryAfterS'] },
    invalid_since: { status: 400 },
    no_candidate: { status: 409 },
    key_not_made: { status: 409 },
    quorum_needed: { status: 409 },
  }),
];
