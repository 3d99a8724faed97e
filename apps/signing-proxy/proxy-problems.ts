import {
  EDGE_PROBLEMS,
  type ErrorProblems,
  type ProblemSpec,
  problemsOf,
  type ProblemWording,
} from '#platform/edge';
import { SigningRefusal } from './refusal';

const MEMBERS = ['index', 'mark', 'signed', 'size', 'root'];
const UNAVAILABLE = { status: 503, explained: true } as const;
const OVERLOADED = { ...UNAVAILABLE, title: 'Too much is being signed' } as const;
const MALFORMED = { status: 400, word: 'malformed_request', title: 'The request is not a signing request' };
const NOT_FOUND = { status: 404, word: 'not_found', title: 'There is no such resource' };
const NOT_PERMITTED = {
  status: 403,
  word: 'client_not_permitted',
  title: 'This client may not have this signed',
  members: MEMBERS,
};

/** Refusals of the edge in the proxy's words, by the status that they have elsewhere. */
const EDGE_REFUSALS: Readonly<Record<number, ProblemSpec>> = {
  400: MALFORMED,
  403: NOT_PERMITTED,
  404: NOT_FOUND,
  405: NOT_FOUND,
  413: { status: 413, word: 'body_too_large', title: 'The body is too large' },
  415: MALFORMED,
  503: { ...OVERLOADED, word: 'overloaded' },
};
const FAULT = { status: 500, word: 'internal_error' };

/** What refusals look like from outside, by openapi/signing-proxy.yaml. */
export const PROXY_PROBLEMS: readonly ErrorProblems[] = [
  ...EDGE_PROBLEMS.map(({ errorClass, byCode }) => ({
    errorClass,
    byCode: Object.fromEntries(
      Object.entries(byCode).map(([code, { status }]) => [code, EDGE_REFUSALS[status] ?? FAULT]),
    ),
  })),
  problemsOf(SigningRefusal, {
    malformed_request: { ...MALFORMED, members: MEMBERS },
    batch_too_large: { status: 413, title: 'Too many requests in one batch' },
    client_not_permitted: NOT_PERMITTED,
    unknown_purpose: { status: 422, title: 'Nothing is signed for this purpose', members: MEMBERS },
    unknown_key: { status: 422, title: 'There is no such key', members: MEMBERS },
    wrong_key_purpose: { status: 422, title: 'The key does not serve this purpose', members: MEMBERS },
    input_not_of_purpose: {
      status: 422,
      title: 'The input is not what this purpose signs',
      members: MEMBERS,
    },
    foreign_origin: { status: 422, title: 'The input belongs to another kernel', members: MEMBERS },
    unknown_shard: { status: 404, title: 'The chain has no such shard', members: MEMBERS },
    positions_not_consecutive: {
      status: 422,
      title: 'The positions of a shard do not follow each other',
      members: MEMBERS,
    },
    below_high_water_mark: {
      status: 409,
      title: 'Signed events build on a later position already',
      members: MEMBERS,
    },
    position_ahead: {
      status: 409,
      title: 'What this builds on was never signed here',
      members: MEMBERS,
    },
    checkpoint_conflict: {
      status: 409,
      title: 'The log has another last checkpoint',
      members: MEMBERS,
    },
    beyond_committed: { status: 409, title: 'The log is not this long', members: MEMBERS },
    invalid_consistency: {
      status: 400,
      title: 'The tree does not continue the last one',
      members: MEMBERS,
    },
    nothing_to_open: { status: 409, title: 'Nothing is refused after this position' },
    key_exists: { status: 409, title: 'There is another key of this name' },
    too_many_keys: { status: 409, title: 'As many keys were made as may be' },
    keys_made_elsewhere: { status: 409, title: 'Keys are not made here' },
    rate_limited: { status: 429, title: 'This client has too much signed', retryAfter: 1 },
    overloaded: OVERLOADED,
    signing_unavailable: { ...UNAVAILABLE, title: 'The signing backend does not answer', members: MEMBERS },
  }),
];

export const PROXY_WORDING: ProblemWording = {
  tellsRequest: false,
  fault: () => ({ title: 'Something went wrong here' }),
};
