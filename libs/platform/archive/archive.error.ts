import { CodedError } from '#evidence';

/**
 * - `different_object`: another object is stored under this key; an integrity alarm, nothing was changed.
 *   `details` has `key`, `expected` and `found` (hex SHA-256)
 * - `not_protected`: the archive, or an object in it, is not protected from change; `details.missing` says what is
 *   missing
 * - `digest_mismatch`: the bytes handed over do not have the digest that came with them
 * - `corrupt_object`: what was read or stored does not match its checksum
 * - `object_missing`: there is no object under this key
 * - `object_too_large`: beyond MAX_OBJECT_BYTES
 * - `bucket_missing`: there is no such bucket
 * - `invalid_key`: not a key of this archive (archive-key.ts)
 * - `path_escape`: a symbolic link, or something else that is no plain folder or file, lies on the way to the object
 * - `object_hidden`: the object was hidden by a delete marker; its versions still exist
 * - `object_covered`: another object lies on top of the archived one, which is still there as an earlier version; an
 *   integrity alarm. `details` has `key`, `expected`, `found` and `version`, that of the archived one
 * - `access_denied`: the credentials or file permissions do not allow it
 * - `unsupported`: the server lacks something that the archive needs
 * - `unavailable`: unreachable, overloaded or out of space, even after the retries; whether a write took place is not
 *   known, and the same call later gives the answer
 * - `invalid_options`: the archive was opened with options that are not valid
 * - `closed`: the archive is shutting down
 */
export type ArchiveErrorCode =
  | 'different_object'
  | 'not_protected'
  | 'digest_mismatch'
  | 'corrupt_object'
  | 'object_missing'
  | 'object_too_large'
  | 'bucket_missing'
  | 'invalid_key'
  | 'path_escape'
  | 'object_hidden'
  | 'object_covered'
  | 'access_denied'
  | 'unsupported'
  | 'unavailable'
  | 'invalid_options'
  | 'closed';

/** The one error of this lib. Neither message nor details nor cause hold credentials. */
export class ArchiveError extends CodedError<ArchiveErrorCode> {}

/** The integrity alarm: both digests are named, so that the finding can be followed up without another read. */
export function differentObject(key: string, expected: string, found: string): ArchiveError {
  return new ArchiveError(
    'different_object',
    `${key} is already archived with other bytes: it holds SHA-256 ${found}, to be stored was ${expected}. ` +
      'Nothing was changed; find out which of the two is in the chain.',
    { key, expected, found },
  );
}
