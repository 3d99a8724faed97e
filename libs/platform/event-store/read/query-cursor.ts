import { createHash } from 'node:crypto';
import { type EventFilter } from './event-query.sql';
import { EventStoreError } from '../event-store.error';

/**
 * Position of a query: the last returned place in each shard. Each shard is a log read in its own order, so nothing is
 * skipped or returned twice while events arrive, whatever their clocks say.
 */
export type QueryPlaces = ReadonlyMap<number, number>;

/** Opaque to callers; bound to filters and order, so that it cannot continue another query by mistake. */
export function encodeCursor(filter: EventFilter, order: string, places: QueryPlaces): string {
  const content = JSON.stringify([1, queryDigest(filter, order), [...places]]);
  return Buffer.from(content).toString('base64url');
}

/** @throws EventStoreError `invalid_cursor` */
export function decodeCursor(
  cursor: string,
  filter: EventFilter,
  order: string,
  shards: number,
): QueryPlaces {
  const [version, digest, places] = parse(cursor);
  if (version !== 1 || !Array.isArray(places) || !places.every((entry) => isPlace(entry, shards))) {
    throw invalid('it was not given out by this kernel');
  }
  if (digest !== queryDigest(filter, order))
    throw invalid('it belongs to a query with other filters or order');
  return new Map(places);
}

function parse(cursor: string): unknown[] {
  if (!/^[A-Za-z0-9_-]{1,65536}$/.test(cursor)) throw invalid('it is no cursor');
  let content: unknown;
  try {
    content = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (cause) {
    throw invalid('it is no cursor', cause);
  }
  if (!Array.isArray(content)) throw invalid('it is no cursor');
  return content;
}

function isPlace(entry: unknown, shards: number): entry is [number, number] {
  if (!Array.isArray(entry) || entry.length !== 2) return false;
  const [shard, place] = entry as unknown[];
  const counts = [shard, place].every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0);
  return counts && (shard as number) < shards;
}

function queryDigest(filter: EventFilter, order: string): string {
  const { stream, type, actor, division, from, to, sha256, signerKid, correlationId, subject } = filter;
  const members = [stream, type, actor, division, from, to].map((member) => member ?? null);
  // Added only where they are used, so that cursors from before they existed continue.
  const ofIndex = [sha256, signerKid, correlationId, subject].map((member) => member ?? null);
  if (ofIndex.some((member) => member !== null)) members.push(...ofIndex);
  return createHash('sha256')
    .update(JSON.stringify([...members, order]))
    .digest('base64url')
    .slice(0, 16);
}

function invalid(why: string, cause?: unknown): EventStoreError {
  return new EventStoreError(
    'invalid_cursor',
    `The cursor cannot be used: ${why}. Use nextCursor of the page before, with the same query, or start again without one.`,
    { pointer: '/cursor' },
    { cause },
  );
}
