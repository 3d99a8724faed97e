import { type Archive, type ObjectVersion } from './archive';
import { ArchiveError } from './archive.error';

/**
 * Looks at the versions of an object that is not there, or not the one that was archived.
 * @param expected SHA-256 of what was archived, hex
 * @returns `object_hidden` or `object_covered`, naming the versions; null when no version explains it, or the store does
 *   not show them
 */
export async function coverOf(
  archive: Pick<Archive, 'versions'>,
  key: string,
  expected: string,
): Promise<ArchiveError | null> {
  let versions: ObjectVersion[];
  try {
    versions = await archive.versions(key);
  } catch (error) {
    if (error instanceof ArchiveError) return null;
    throw error;
  }
  const [top] = versions;
  if (top === undefined || top.sha256 === expected) return null;
  const archived = versions.find(({ sha256 }) => sha256 === expected);
  if (top.sha256 === null) {
    const below =
      archived === undefined
        ? 'no version below has the archived bytes'
        : `${named(archived)} below is the archived one`;
    return new ArchiveError(
      'object_hidden',
      `${key} is hidden by a delete marker, ${named(top)}; ${below}. ` +
        'Find out who deleted it, and remove the marker.',
      { key, expected, marker: top.id, version: archived?.id ?? null },
    );
  }
  if (archived === undefined) return null;
  return new ArchiveError(
    'object_covered',
    `A foreign object lies on top of ${key}: ${named(top)} with SHA-256 ${top.sha256}. The archived one, ${named(archived)} ` +
      `with SHA-256 ${expected}, is still there below it. Find out who stored the foreign version, and remove that version alone.`,
    { key, expected, found: top.sha256, version: archived.id },
  );
}

function named({ id, storedAt }: ObjectVersion): string {
  return `version ${id}${storedAt === null ? '' : ` of ${storedAt.toISOString()}`}`;
}
