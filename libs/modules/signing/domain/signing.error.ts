import { CodedError } from '#evidence';

export type SigningErrorCode = 'manifest_id_too_long' | 'reserved_kind';

export class SigningError extends CodedError<SigningErrorCode> {}
