import { CodedError } from '#evidence';

/**
 * - `manifest_id_too_long`, `reserved_kind`: the manifest does not fit
 * - `manifest_required`: the caller is bound to a division, and a digest does not show which one the manifest is of
 */
export type SigningErrorCode = 'manifest_id_too_long' | 'reserved_kind' | 'manifest_required';

export class SigningError extends CodedError<SigningErrorCode> {}
