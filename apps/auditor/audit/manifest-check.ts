import { type Archive } from '#platform/archive';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  archiveDayPrefix,
  type ChainPoint,
  parseArchiveDayKey,
  parseEvent,
  sha256Hex,
  type SignerEntry,
  verifyDocument,
  whyDayNotLinked,
} from '#evidence';
import { type Finding } from './finding';
import { type StoredEvents } from './stored-events';

const DAY_MS = 86_400_000;
/** Time after its day by which a manifest must exist, whatever delayed the archiver or the signing proxy. */
const DEADLINE_MS = DAY_MS;

export interface ManifestCheckOptions {
  readonly origin: string;
  readonly archive: Archive;
  readonly stored: StoredEvents;
  /** Every signer that the chain registered. */
  readonly signers: readonly SignerEntry[];
  readonly found: (finding: Finding) => void;
  readonly now: () => Date;
}

/** Checks the manifests of days against each other and against the event store. */
export class ManifestCheck {
  constructor(private readonly options: ManifestCheckOptions) {}

  /**
   * @param archived the last position that the archiver says it has
   * @returns how many manifests the shard has
   */
  async check(shard: number, archived: number, signal: AbortSignal): Promise<number> {
    const { archive, origin, signers } = this.options;
    let before: { document: ArchiveDay; sha256: string } | null = null;
    let manifests = 0;
    for await (const { key } of archive.list(archiveDayPrefix(shard))) {
      signal.throwIfAborted();
      const place = parseArchiveDayKey(key);
      if (place === null) {
        this.found(shard, null, key, `${key} is not the key of a day manifest`);
        continue;
      }
      manifests++;
      const envelope = await archive.get(key);
      const { document, reasons } = verifyDocument(ARCHIVE_DAY, {
        envelope: envelope ?? new Uint8Array(),
        keys: signers,
        origin,
      });
      const seq = document?.first.seq ?? null;
      if (document === null || reasons.length > 0) {
        this.found(shard, seq, key, `${key} does not verify: ${reasons.join('; ')}`);
        continue;
      }
      if (archiveDayKey(document) !== key) {
        this.found(shard, seq, key, `${key} is the manifest of ${document.day} of shard ${document.shard}`);
        continue;
      }
      const unlinked = whyDayNotLinked(document, before);
      if (unlinked !== null) this.found(shard, seq, key, `${key}: ${unlinked}`);
      const wrong = await this.whyNotOfStore(document);
      if (wrong !== null) this.found(shard, seq, key, `${key}: ${wrong}`);
      before = { document, sha256: sha256Hex(envelope ?? new Uint8Array()) };
    }
    await this.checkOverdue(shard, before?.document ?? null, archived);
    return manifests;
  }

  private async whyNotOfStore({ shard, day, first, last }: ArchiveDay): Promise<string | null> {
    const { stored } = this.options;
    for (const point of [first, last]) {
      const wrong = await this.whyNotThere(shard, point);
      if (wrong !== null) return wrong;
    }
    const begin = await stored.firstSeqAt(shard, `${day}T00:00:00.000Z`);
    const end = await stored.firstSeqAt(shard, new Date(Date.parse(day) + DAY_MS).toISOString());
    if (begin !== first.seq || end !== last.seq + 1) {
      return `it lists ${first.seq} to ${last.seq}, in the event store the day has ${begin} to ${end - 1}`;
    }
    return null;
  }

  private async whyNotThere(shard: number, { seq, hash }: ChainPoint): Promise<string | null> {
    const [row] = await this.options.stored.some(shard, [seq]);
    if (row === undefined) return `the event store has no event ${shard}:${seq}`;
    return row.hash === hash ? null : `event ${shard}:${seq} has another hash in the event store`;
  }

  private async checkOverdue(shard: number, last: ArchiveDay | null, archived: number): Promise<void> {
    const seq = (last?.last.seq ?? 0) + 1;
    if (seq > archived) return;
    const [row] = await this.options.stored.some(shard, [seq]);
    if (row === undefined) return;
    const day = parseEvent(row.canonical).ts.slice(0, 10);
    if (this.options.now().getTime() < Date.parse(day) + DAY_MS + DEADLINE_MS) return;
    this.options.found({
      kind: 'manifest_missing',
      shard,
      seq,
      subject: archiveDayKey({ shard, day }),
      message: `the manifest of ${day} is overdue; see what the archiver says`,
    });
  }

  private found(shard: number, seq: number | null, key: string, message: string): void {
    this.options.found({ kind: 'manifest', shard, seq, subject: key, message });
  }
}
