import { type Archive, ArchiveError, coverOf } from '#platform/archive';
import { archiveKey, EvidenceError, parseEvent, sha256Hex } from '#evidence';
import { type Finding } from './finding';
import { type StoredEvents, type StoredRow } from './stored-events';

/** Errors that prevent an audit; anything else that is wrong with an object is a finding. */
const PASSING = new Set(['unavailable', 'access_denied', 'bucket_missing', 'closed', 'unsupported']);
const KEY =
  /^audit\/(\d{4}\/\d{2}\/\d{2})\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.json$/;
/** Keys of the archive that are looked up in the store at a time. */
const CHUNK = 1_000;

/** Compares the archive with the event store, in both directions. */
export class ArchiveCheck {
  constructor(
    private readonly archive: Archive,
    private readonly stored: StoredEvents,
    private readonly found: (finding: Finding) => void,
  ) {}

  /** Checks that each of these events has its object, with these bytes. The archive limits the reads at a time. */
  async checkEvents(shard: number, rows: readonly StoredRow[]): Promise<void> {
    await Promise.all(
      rows.map(async ({ seq, id, canonical }) => {
        const key = keyOf(canonical);
        // A row without a key cannot be looked up; another check finds that it is no event.
        if (key === null) return;
        const problem = await this.compare(key, canonical);
        if (problem !== null) this.found({ shard, seq, subject: id, ...problem });
      }),
    );
  }

  private async compare(key: string, canonical: Buffer): Promise<Pick<Finding, 'kind' | 'message'> | null> {
    try {
      const bytes = await this.archive.get(key);
      if (bytes !== null && canonical.equals(bytes)) return null;
      // The versions of a bucket say whether the archived object is still there, and what hides it.
      const cover = await coverOf(this.archive, key, sha256Hex(canonical));
      if (bytes === null) {
        const message = cover?.message ?? `there is no ${key} in the archive`;
        return { kind: 'archive_missing', message };
      }
      return {
        kind: 'archive_different',
        message: cover?.message ?? `${key} has other bytes than the event store`,
      };
    } catch (error) {
      if (!(error instanceof ArchiveError) || PASSING.has(error.code)) throw error;
      return { kind: 'archive_different', message: error.message };
    }
  }

  /**
   * Checks that each object below audit/ is an event of the store, under its key.
   * @returns how many objects there are
   */
  async checkObjects(signal: AbortSignal): Promise<number> {
    let objects = 0;
    let keys: { key: string; day: string; id: string }[] = [];
    const look = async (): Promise<void> => {
      const days = await this.stored.daysOf(keys.map(({ id }) => id));
      for (const { key, day, id } of keys) {
        const right = days.get(id);
        if (right === undefined) this.extra(key, id, 'the event store has no such event');
        else if (right !== day) this.extra(key, id, `the event belongs to ${right}`);
      }
      keys = [];
    };
    for await (const { key } of this.archive.list('audit/')) {
      signal.throwIfAborted();
      objects++;
      const match = KEY.exec(key);
      if (match === null) this.extra(key, null, 'it is no key of an event');
      else keys.push({ key, day: match[1] ?? '', id: match[2] ?? '' });
      if (keys.length >= CHUNK) await look();
    }
    await look();
    return objects;
  }

  private extra(key: string, id: string | null, why: string): void {
    this.found({
      kind: 'archive_extra',
      shard: null,
      seq: null,
      subject: id ?? key,
      message: `${key} is in the archive, but ${why}`,
    });
  }
}

function keyOf(canonical: Buffer): string | null {
  try {
    return archiveKey(parseEvent(canonical));
  } catch (error) {
    if (error instanceof EvidenceError) return null;
    throw error;
  }
}
