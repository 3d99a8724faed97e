import { gunzipSync } from 'node:zlib';
import { type BucketReader, openBucketReader } from '#platform/archive';
import { type BackupPlace } from './backup-settings';
import { historyTimeline, isSegment, neededSegments, numberOf, readHistory, timelineOf } from './wal-names';

/** A base backup, as its `backup.info` describes it. */
export interface BaseBackup {
  /** For example 20261130T020000. */
  readonly id: string;
  /** `DONE` for one that is whole; one that was broken off stays `STARTED` for ever. */
  readonly status: string;
  readonly beginTime: Date | null;
  readonly endTime: Date | null;
  /** The first write-ahead log file that recovery reads, and the last without which it is not consistent. */
  readonly beginWal: string | null;
  readonly endWal: string | null;
}

export interface NewestWal {
  readonly name: string;
  readonly storedAt: Date;
}

export interface RestorePlan {
  /** Files that recovery from this backup to the newest one reads, and that are not there; oldest first. */
  readonly missing: readonly string[];
  readonly newest: NewestWal;
}

interface StoredWal extends NewestWal {
  readonly key: string;
}

/** A backup.info is two or three KiB, a history some lines. */
const MOST_BYTES = 1 << 20;
/** Endings that barman gives a file which it compresses. */
const COMPRESSED = /\.(gz|bz2|xz|snappy|zst|lz4)$/;

/** The backups of one server in a bucket: `<destination>/<server>/base/<id>/` and `<destination>/<server>/wals/`. */
export class BackupCatalogue {
  private constructor(
    private readonly bucket: BucketReader,
    private readonly prefix: string,
  ) {}

  static async open({
    destination,
    serverName,
    endpoint,
    region,
    credentials,
  }: BackupPlace): Promise<BackupCatalogue> {
    const { host, pathname } = new URL(destination);
    const bucket = await openBucketReader({
      bucket: host,
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(credentials === undefined ? {} : { credentials }),
    });
    const path = pathname.replaceAll(/^\/+|\/+$/g, '');
    return new BackupCatalogue(bucket, `${path === '' ? '' : `${path}/`}${serverName}/`);
  }

  /** All base backups, newest first. @throws ArchiveError */
  async bases(): Promise<BaseBackup[]> {
    const { prefixes } = await this.bucket.level(`${this.prefix}base/`);
    const bases: BaseBackup[] = [];
    for (const folder of prefixes) {
      const bytes = await this.bucket.get(`${folder}backup.info`, MOST_BYTES);
      const id = folder.slice(0, -1).split('/').at(-1) ?? '';
      bases.push(readBackupInfo(id, bytes === null ? '' : Buffer.from(bytes).toString('utf8')));
    }
    // An id is the time of its beginning.
    return bases.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** The newest write-ahead log file of the newest timeline; null when there is none. @throws ArchiveError */
  async newestWal(): Promise<NewestWal | null> {
    const { prefixes } = await this.bucket.level(`${this.prefix}wals/`);
    // Folders are named by timeline and log, so the order of their names is that of time.
    for (const folder of prefixes.toReversed()) {
      const newest = (await this.segments(folder)).at(-1);
      if (newest !== undefined) return { name: newest.name, storedAt: newest.storedAt };
    }
    return null;
  }

  /** What recovery from this backup to the newest file needs. Null when there is no such file. @throws ArchiveError */
  async planFrom(base: BaseBackup): Promise<RestorePlan | null> {
    const { beginWal } = base;
    if (beginWal === null) return null;
    const { prefixes, keys } = await this.bucket.level(`${this.prefix}wals/`);
    const stored = new Map<string, StoredWal>();
    for (const folder of prefixes) {
      for (const segment of await this.segments(folder)) stored.set(segment.name, segment);
    }
    const target = Math.max(timelineOf(beginWal), ...[...stored.keys()].map(timelineOf));
    const newest = [...stored.values()]
      .filter(({ name }) => timelineOf(name) === target)
      .reduce<StoredWal | undefined>(
        (last, one) => (last === undefined || last.name < one.name ? one : last),
        undefined,
      );
    if (newest === undefined) return null;
    const history = await this.history(target, [
      ...keys.map(({ key }) => key),
      ...(await this.historyKeys(prefixes)),
    ]);
    const needed = neededSegments(beginWal, target, numberOf(newest.name), history);
    return {
      missing: needed.filter((name) => !stored.has(name)),
      newest: { name: newest.name, storedAt: newest.storedAt },
    };
  }

  close(): void {
    this.bucket.close();
  }

  private async segments(folder: string): Promise<StoredWal[]> {
    const { keys } = await this.bucket.level(folder);
    return keys
      .map(({ key, storedAt }) => ({ key, storedAt, name: nameOf(key) }))
      .filter(({ name }) => isSegment(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private async historyKeys(folders: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (const folder of folders) {
      const { keys } = await this.bucket.level(folder);
      found.push(...keys.map(({ key }) => key).filter((key) => historyTimeline(nameOf(key)) !== null));
    }
    return found;
  }

  private async history(timeline: number, keys: readonly string[]): Promise<ReturnType<typeof readHistory>> {
    const key = keys.find((one) => historyTimeline(nameOf(one)) === timeline);
    if (key === undefined) return [];
    const bytes = await this.bucket.get(key, MOST_BYTES);
    if (bytes === null) return [];
    return readHistory((key.endsWith('.gz') ? gunzipSync(bytes) : Buffer.from(bytes)).toString('utf8'));
  }
}

function nameOf(key: string): string {
  return (key.split('/').at(-1) ?? '').replace(COMPRESSED, '');
}

/** Reads barman's `backup.info`: lines of `name=value`. What is missing or damaged counts as a backup that is not whole. */
export function readBackupInfo(id: string, text: string): BaseBackup {
  const values = new Map(
    text.split('\n').map((line) => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const time = (name: string): Date | null => {
    const at = new Date(values.get(name) ?? '');
    return Number.isNaN(at.getTime()) ? null : at;
  };
  const wal = (name: string): string | null => {
    const value = values.get(name) ?? '';
    return isSegment(value) ? value : null;
  };
  return {
    id,
    status: values.get('status') ?? 'UNREADABLE',
    beginTime: time('begin_time'),
    endTime: time('end_time'),
    beginWal: wal('begin_wal'),
    endWal: wal('end_wal'),
  };
}
