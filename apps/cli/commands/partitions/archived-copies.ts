import { archiveKey } from '#evidence';
import { type Archive, ArchiveError } from '#platform/archive';
import { type StoredEvent } from '#platform/event-store';

/** Looks whether the archive has each event with its very bytes: what it says of itself is not enough to let others go. */
export function archivedCopies(
  archive: Pick<Archive, 'get'>,
): (events: readonly StoredEvent[]) => Promise<string | null> {
  return async (events) => {
    const problems = await Promise.all(
      events.map(async ({ event, bytes }) => {
        const key = archiveKey(event);
        const place = `${event.shard}:${event.seq}`;
        try {
          const copy = await archive.get(key);
          if (copy === null) return `The archive does not have the event ${place} (${key}).`;
          return Buffer.from(bytes).equals(copy)
            ? null
            : `The archive has other bytes for the event ${place} (${key}).`;
        } catch (error) {
          if (!(error instanceof ArchiveError)) throw error;
          return `The archive's copy of the event ${place} cannot be read: ${error.message}`;
        }
      }),
    );
    return problems.find((problem) => problem !== null) ?? null;
  };
}
