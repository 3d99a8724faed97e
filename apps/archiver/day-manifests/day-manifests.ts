import { type Archive, ArchiveError } from '#platform/archive';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  archiveDayPrefix,
  archiveKey,
  type AuditEvent,
  dayOf,
  documentPayload,
  genesisHash,
  parseArchiveDayKey,
  parseEvent,
  sha256Hex,
  type SignerEntry,
  verifyDocument,
} from '#evidence';
import { type Logger } from '#platform/process';
import { type DocumentSigner } from '#platform/signer';
import { type ArchiverMetrics } from '../archiver.metrics';
import { type DayThatIsOver, type ShardDays } from './shard-days';

export interface DayManifestsOptions {
  readonly origin: string;
  readonly shards: number;
  readonly archive: Archive;
  readonly days: ShardDays;
  readonly signer: DocumentSigner;
  /** Every signer of the registry, to read existing manifests. */
  readonly registered: () => Promise<readonly SignerEntry[]>;
  readonly metrics: Pick<ArchiverMetrics, 'onManifest' | 'onManifestFailure' | 'manifestsAsOf'>;
  readonly logger: Logger;
  /** How often each shard is checked without being told of a new day. */
  readonly everyMs?: number;
  readonly now?: () => Date;
}

/** The last manifest in the archive. */
interface LastManifest {
  readonly document: ArchiveDay;
  readonly sha256: string;
}

/** A contradiction: a person has to look, and no manifest is built on top of it. */
export class ManifestFault extends Error {
  override readonly name = 'ManifestFault';
}

const EVERY_MS = 30_000;

/**
 * Writes the manifest of each day of each shard once the day is over, each linked to the one before it. Events never
 * wait for it: without the signing proxy, or without a key, manifests come later.
 */
export class DayManifests {
  private readonly last = new Map<number, LastManifest | null>();
  private readonly latestDay = new Map<number, string>();
  private readonly failing = new Map<number, string>();
  private readonly stopping = new AbortController();
  private wakeUp: (() => void) | undefined;
  private pending = true;
  private running: Promise<void> | undefined;

  constructor(private readonly options: DayManifestsOptions) {}

  start(): void {
    this.running ??= this.run();
  }

  /** An event was archived: with the first one of a day, the day before is over. */
  onArchived(shard: number, ts: string): void {
    const day = dayOf(ts);
    if (this.latestDay.get(shard) === day) return;
    this.latestDay.set(shard, day);
    this.pending = true;
    this.wakeUp?.();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.wakeUp?.();
    await this.running;
  }

  /** @throws Error naming each shard whose manifests do not continue: for /ready, only what a person has to look at. */
  check(): void {
    if (this.failing.size > 0) throw new Error([...this.failing.values()].join(' '));
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.pending = false;
      for (let shard = 0; shard < this.options.shards && !signal.aborted; shard++)
        await this.closeDays(shard);
      if (!this.pending && !signal.aborted) await this.pause();
    }
  }

  private async pause(): Promise<void> {
    const { everyMs = EVERY_MS } = this.options;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wakeUp = undefined;
  }

  /** Writes the manifests of all days of a shard that are over. Never rejects. */
  async closeDays(shard: number): Promise<void> {
    const { days, metrics, logger } = this.options;
    let waiting: DayThatIsOver | null = null;
    try {
      let last = this.last.get(shard);
      if (last === undefined) last = await this.readLast(shard);
      while (!this.stopping.signal.aborted) {
        this.last.set(shard, last);
        waiting = await days.next(shard, last?.document ?? null);
        if (waiting === null) break;
        last = await this.write(shard, waiting, last);
        metrics.onManifest(shard);
        logger.info(
          { shard, day: last.document.day, events: last.document.count, last: last.document.last.seq },
          'wrote the manifest of a day',
        );
      }
      this.failing.delete(shard);
      metrics.manifestsAsOf(shard, this.last.get(shard)?.document.day ?? null, null);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      metrics.onManifestFailure(error);
      metrics.manifestsAsOf(shard, this.last.get(shard)?.document.day ?? null, waiting?.overSince ?? null);
      // What was read from the archive may be what is wrong: the next attempt reads it again.
      this.last.delete(shard);
      if (error instanceof ManifestFault) this.failing.set(shard, `Shard ${shard}: ${message}`);
      const level = error instanceof ManifestFault ? 'error' : 'warn';
      logger[level]({ shard, err: error }, 'could not write the manifest of a day; tries again');
    }
  }

  private async readLast(shard: number): Promise<LastManifest | null> {
    let key: string | null = null;
    for await (const object of this.options.archive.list(archiveDayPrefix(shard))) {
      if (parseArchiveDayKey(object.key) !== null) key = object.key;
    }
    return key === null ? null : this.readManifest(shard, key);
  }

  private async readManifest(shard: number, key: string): Promise<LastManifest> {
    const { archive, origin } = this.options;
    const envelope = await archive.get(key);
    if (envelope === null) throw new ManifestFault(`${key} is listed in the archive but not there.`);
    const keys = await this.options.registered();
    const { document, reasons } = verifyDocument(ARCHIVE_DAY, { envelope, keys, origin });
    if (document === null || reasons.length > 0) {
      throw new ManifestFault(`${key} does not verify (${reasons.join('; ')}); find out who wrote it.`);
    }
    if (document.shard !== shard || archiveDayKey(document) !== key) {
      throw new ManifestFault(`${key} is the manifest of ${document.day} of shard ${document.shard}.`);
    }
    return { document, sha256: sha256Hex(envelope) };
  }

  private async write(
    shard: number,
    over: DayThatIsOver,
    previous: LastManifest | null,
  ): Promise<LastManifest> {
    const { origin, archive, signer, now = () => new Date() } = this.options;
    const { day, first, last } = over;
    const link = previous?.document.last.hash ?? genesisHash(origin, shard);
    if (first.prevHash !== link) {
      throw new ManifestFault(
        `Event ${shard}:${first.seq} does not follow the last event of the manifest before it: the store and the archive hold different chains.`,
      );
    }
    // The manifest says what the archive has, so the archive is asked.
    await Promise.all([this.assertArchived(first), this.assertArchived(last)]);
    const document: ArchiveDay = {
      origin,
      shard,
      day,
      count: last.seq - first.seq + 1,
      first: { seq: first.seq, hash: first.hash },
      last: { seq: last.seq, hash: last.hash },
      previous: previous === null ? null : { day: previous.document.day, sha256: previous.sha256 },
      signedAt: now().toISOString(),
    };
    const key = archiveDayKey(document);
    const bytes = await signer.sign('archive-day', ARCHIVE_DAY, document);
    try {
      await archive.putDocument(key, bytes);
      return { document, sha256: sha256Hex(bytes) };
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code !== 'different_object') throw error;
      // Another archiver was first, at another time, maybe with another key: it must say the same.
      const there = await this.readManifest(shard, key);
      if (saysTheSame(there.document, document)) return there;
      throw new ManifestFault(
        `${key} says something else than the event store: ${there.document.first.seq} to ${there.document.last.seq}, not ${first.seq} to ${last.seq}.`,
        { cause: error },
      );
    }
  }

  private async assertArchived(event: AuditEvent): Promise<void> {
    const key = archiveKey(event);
    const bytes = await this.options.archive.get(key);
    if (bytes !== null && parseEvent(bytes).hash === event.hash) return;
    throw new ManifestFault(
      `Event ${event.shard}:${event.seq} is ${bytes === null ? 'not in the archive' : 'another one in the archive'} (${key}), although the archiver's position is past it.`,
    );
  }
}

/** Compares everything but the time of signing. */
function saysTheSame(a: ArchiveDay, b: ArchiveDay): boolean {
  const payload = (day: ArchiveDay): string =>
    sha256Hex(documentPayload(ARCHIVE_DAY, { ...day, signedAt: a.signedAt }));
  return payload(a) === payload(b);
}
