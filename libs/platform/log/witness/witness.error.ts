import { CodedError } from '#evidence';

/**
 * - `unreachable`: no whole answer came in time
 * - `refused`: the witness does not cosign this; `details` has the `status` that it answered with
 * - `invalid_answer`: what it answered is no cosignature by its key
 * - `misconfigured`: its URL or key cannot be used
 */
export type WitnessErrorCode = 'unreachable' | 'refused' | 'invalid_answer' | 'misconfigured';

export class WitnessError extends CodedError<WitnessErrorCode> {}
