import { CodedError } from '#evidence';

/** - `in_use`: another process has the lock on the state. */
export type WitnessFolderErrorCode =
  'key_refused' | 'state_refused' | 'in_use' | 'logs_refused' | 'wrong_usage';

/** Fault of the folder that a witness works in, or of its use; the message is for the operator. */
export class WitnessFolderError extends CodedError<WitnessFolderErrorCode> {}
