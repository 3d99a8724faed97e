import { CodedError } from '#evidence';

/**
 * - `invalid_tile_path`: a path that names no object of a log (c2sp.org/tlog-tiles)
 * - `not_configured`: the process is not told where the log is
 * - `object_missing`: an object that the tree of a published checkpoint needs is not in the storage
 * - `damaged_object`: an object of the log has another length or content than its place says
 * - `quorum_missed`: too few witnesses cosigned a checkpoint in time; it is not published
 * - `checkpoint_conflict`: the signer has signed another tree; `details` has `size` and `root` (hex) of its last one
 * - `forked`: the signer has signed a tree that this chain does not lead to; an integrity alarm
 * - `signing_refused`: the signer does not sign this checkpoint, now or later
 * - `signing_unavailable`: no checkpoint can be signed at the moment
 */
export type LogErrorCode =
  | 'invalid_tile_path'
  | 'not_configured'
  | 'object_missing'
  | 'damaged_object'
  | 'quorum_missed'
  | 'checkpoint_conflict'
  | 'forked'
  | 'signing_refused'
  | 'signing_unavailable';

export class LogError extends CodedError<LogErrorCode> {}
