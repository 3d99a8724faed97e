import { CodedError } from '#evidence';

export type ModeErrorCode =
  // nothing is written in this mode
  | 'read_only'
  // nothing is written or signed in this mode
  | 'safe_mode'
  // the mode cannot be changed while the store is rebuilt
  | 'being_restored'
  // others change the mode at the same time
  | 'contended';

export class ModeError extends CodedError<ModeErrorCode> {}
