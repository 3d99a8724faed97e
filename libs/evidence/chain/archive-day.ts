import { HEX_SHA256 } from './audit-event';
import { isTimestamp } from '../json/time';
import { isCount } from '../json/count';
import { exactObject } from '../json/exact-object';
import { type JsonValue } from '../json/json-value';
import { type DocumentFormat, type KernelDocument } from './kernel-document';
import { isOrigin } from './origin';

/** An event by its place and hash. */
export interface ChainPoint {
  seq: number;
  /** Hex. */
  hash: string;
}

/**
 * States what one shard has of one day (docs/spec/archive.md): every event whose `ts` is on that day. Since `ts` never
 * falls within a shard, these events are consecutive, and each day continues where the day before it ended.
 */
export interface ArchiveDay extends KernelDocument {
  shard: number;
  /** UTC, `YYYY-MM-DD`. */
  day: string;
  count: number;
  first: ChainPoint;
  last: ChainPoint;
  /** The last day before this one on which the shard had events, and SHA-256 of its stored manifest; null for the first. */
  previous: { day: string; sha256: string } | null;
}

export const ARCHIVE_DAY: DocumentFormat<ArchiveDay> = {
  payloadType: 'application/vnd.illuvrse.kernel.archive-day+json',
  type: 'illuvrse-kernel/archive-day/v1',
  name: 'the manifest of a day in the archive',
  members: {
    origin: isOrigin,
    shard: (value) => typeof value === 'number' && value >= 0 && Number.isSafeInteger(value),
    day: isDay,
    count: (value) => isCount(value, 1),
    first: isChainPoint,
    last: isChainPoint,
    previous: isPrevious,
    signedAt: isTimestamp,
  },
  contradiction({ day, count, first, last, previous }) {
    if (count !== last.seq - first.seq + 1) return 'count is not that of the positions from first to last';
    if (count === 1 && first.hash !== last.hash) return 'first and last are one event with two hashes';
    if ((first.seq === 1) !== (previous === null)) {
      return 'a day has a previous one exactly when it does not begin with position 1';
    }
    if (previous !== null && previous.day >= day) return 'the previous day is not before this one';
    return null;
  },
  position: ({ shard, last }) => ({ shard, seq: last.seq }),
};

/**
 * Explains why a manifest does not follow the one before it in the archive (null for the first of a shard); null when
 * it does.
 */
export function whyDayNotLinked(
  { previous, first }: ArchiveDay,
  before: { document: ArchiveDay; sha256: string } | null,
): string | null {
  if (before === null) return previous === null ? null : `the manifest of ${previous.day} is missing`;
  const { day, last } = before.document;
  if (previous === null) return `it says that it is the first, but there is one of ${day}`;
  if (previous.day > day) return `the manifest of ${previous.day} is missing`;
  if (previous.day !== day) return `it does not follow the manifest of ${day}`;
  if (previous.sha256 !== before.sha256) return `the manifest of ${day} is another one than it names`;
  if (first.seq !== last.seq + 1)
    return `it begins with ${first.seq}, the day before it ended with ${last.seq}`;
  return null;
}

/** Key of a day manifest in the archive. */
export function archiveDayKey({ shard, day }: Pick<ArchiveDay, 'shard' | 'day'>): string {
  return `${archiveDayPrefix(shard)}${day.replaceAll('-', '/')}.json`;
}

/** Prefix of the keys of all day manifests of a shard; the keys sort by day. */
export function archiveDayPrefix(shard: number): string {
  return `manifests/${shard}/`;
}

const DAY_KEY = /^manifests\/(0|[1-9]\d{0,8})\/(\d{4})\/(\d{2})\/(\d{2})\.json$/;

/** The shard and day of a key; null for any other key. */
export function parseArchiveDayKey(key: string): Pick<ArchiveDay, 'shard' | 'day'> | null {
  const match = DAY_KEY.exec(key);
  if (match === null) return null;
  const day = `${match[2]}-${match[3]}-${match[4]}`;
  return isDay(day) ? { shard: Number(match[1]), day } : null;
}

/** The UTC day of a `ts`. */
export function dayOf(ts: string): string {
  return ts.slice(0, 10);
}

export function isDay(value: unknown): value is string {
  return typeof value === 'string' && isTimestamp(`${value}T00:00:00.000Z`);
}

function isChainPoint(value: JsonValue | undefined): boolean {
  const point = exactObject(value, ['hash', 'seq']);
  return point !== null && isCount(point['seq'], 1) && isSha256(point['hash']);
}

function isPrevious(value: JsonValue | undefined): boolean {
  if (value === null) return true;
  const previous = exactObject(value, ['day', 'sha256']);
  return previous !== null && isDay(previous['day']) && isSha256(previous['sha256']);
}

function isSha256(value: JsonValue | undefined): boolean {
  return typeof value === 'string' && HEX_SHA256.test(value);
}
