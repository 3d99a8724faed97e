import { archiveKey, type AuditEvent, sha256Hex } from '#evidence';
import { type ArchiveObject, MAX_OBJECT_BYTES } from './archive';
import { ArchiveError } from './archive.error';

/** S3 takes 1,024 bytes; a file system takes 255 a segment. */
const MAX_KEY_LENGTH = 512;
const MAX_SEGMENT_LENGTH = 200;
/**
 * Segments that mean the same to S3 and to every file system and that sort alike in both. None begins with a dot: no
 * `..`, and the folder archive's own files cannot be named.
 */
const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;

/** @throws ArchiveError `invalid_key` */
export function assertArchiveKey(key: string): void {
  const wrong = keyProblem(key);
  if (wrong === undefined) return;
  const shown = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}...` : key);
  throw new ArchiveError(
    'invalid_key',
    `${shown} is not a key of the archive: ${wrong}. Keys are segments of A-Z, a-z, 0-9, "_", "-" and "." joined by "/".`,
    { key: shown },
  );
}

function keyProblem(key: string): string | undefined {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH) {
    return `it has ${key.length} characters, allowed are 1 to ${MAX_KEY_LENGTH}`;
  }
  for (const segment of key.split('/')) {
    if (segment === '') return 'it has an empty segment';
    if (segment.length > MAX_SEGMENT_LENGTH)
      return `a segment has more than ${MAX_SEGMENT_LENGTH} characters`;
    if (!SEGMENT.test(segment)) return `the segment ${JSON.stringify(segment)} is not allowed`;
  }
  return undefined;
}

/**
 * An event as it is archived: `audit/YYYY/MM/DD/<id>.json`, the date from its `ts` (docs/spec/audit-event.md).
 * `bytes` are its canonical bytes, exactly those that were hashed and signed.
 */
export function archivedEvent(event: Pick<AuditEvent, 'id' | 'ts'>, bytes: Uint8Array): ArchiveObject {
  const key = archiveKey(event);
  assertArchiveKey(key);
  return { key, bytes, sha256: sha256Hex(bytes) };
}

/**
 * The only objects that may be replaced: nothing that was archived has such a key.
 * @throws ArchiveError `invalid_key`
 */
export function assertReplaceable({ key, bytes }: Pick<ArchiveObject, 'key' | 'bytes'>): void {
  assertArchivable({ key, bytes, sha256: sha256Hex(bytes) });
  if (key.endsWith('/checkpoint')) return;
  throw new ArchiveError('invalid_key', `${key} is not replaced: only an object named "checkpoint" is.`, {
    key,
  });
}

/**
 * Checks before anything is sent: a digest that does not belong to the bytes is a mistake of the caller, and storing
 * them would make it permanent.
 */
export function assertArchivable({ key, bytes, sha256 }: ArchiveObject): void {
  assertArchiveKey(key);
  if (bytes.length > MAX_OBJECT_BYTES) {
    throw new ArchiveError(
      'object_too_large',
      `${key} has ${bytes.length} bytes; an archived object has at most ${MAX_OBJECT_BYTES}.`,
      { key, size: bytes.length },
    );
  }
  const actual = sha256Hex(bytes);
  if (actual !== sha256) {
    throw new ArchiveError(
      'digest_mismatch',
      `The bytes for ${key} have SHA-256 ${actual}, but came with ${sha256}; nothing was stored.`,
      { key, expected: sha256, found: actual },
    );
  }
}
