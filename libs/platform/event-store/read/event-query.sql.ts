import { type IndexFilters, type EventQuery } from '../event-store.types';

/** Statement for a page per shard: the rows after its bound, one more than the page holds. */
export interface QueryStatement {
  text: string;
  values: unknown[];
}

/** The members of `IndexFilters` are for the index alone: the event store has no columns for them. */
export type EventFilter = Omit<EventQuery, 'cursor' | 'limit' | 'order'> & IndexFilters;

/** What readers ask for who follow whole shards and get no cursors: also events of several types. */
export type FollowedFilter = EventFilter & { types?: readonly string[] };

/** Schema of a query: the log itself, or the audit index, which has the same columns and searches. */
export type QuerySchema = 'kernel' | 'kernel_index';

export interface PageRequest {
  schema: QuerySchema;
  filter: FollowedFilter;
  order: 'oldest' | 'newest';
  /** Shard -> last returned place (exclusive); omitted shards start at the beginning of the order. */
  bounds: ReadonlyMap<number, number>;
  shards: readonly number[];
  rows: number;
  /** The place of an event is its `seq`, also in a query of one stream: for readers that follow whole shards. */
  bySeq?: boolean;
}

export interface PageRow {
  shard: number;
  /** Place in the order of the query: `seq`, or `stream_version` for a query of one stream. */
  place: string;
  ts_ms: string;
  canonical: Buffer;
}

/**
 * Builds one lateral scan per shard, each in index order, so that a page costs its rows and not the log. Binary search
 * turns times into places first. Of several types, each is read in the order of its own index, as far as the page needs.
 * A query for one stream uses the stream's own index: in the log that is the table of keys,
 * which also has what was detached.
 */
export function eventQuery({
  schema,
  filter,
  order,
  bounds,
  shards,
  rows,
  bySeq,
}: PageRequest): QueryStatement {
  const { stream, type, types, actor, division, from, to, sha256, signerKid, correlationId, subject } =
    filter;
  const values: unknown[] = [
    shards,
    shards.map((shard) => bounds.get(shard) ?? (order === 'oldest' ? 0 : Number.MAX_SAFE_INTEGER)),
    rows,
  ];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const place = stream === undefined || bySeq === true ? 'seq' : 'stream_version';
  const byKeys = stream !== undefined && schema === 'kernel';
  const key = byKeys ? 'k' : 'e';
  const where = [`${key}.${place} ${order === 'oldest' ? '>' : '<'} s.bound`];
  if (place === 'seq') where.push(`${key}.shard = s.shard`);
  if (stream !== undefined && place === 'seq' && !byKeys) {
    // The collation of the index that has a stream's events of a shard in their order.
    where.push(`(e.stream COLLATE "C") = ${bind(stream)}`);
  } else if (stream !== undefined) where.push(`${key}.stream = ${bind(stream)}`);
  if (type !== undefined) where.push(`e.type = ${bind(type)}`);
  if (types !== undefined) where.push('e.type = t.type');
  if (actor !== undefined) where.push(`e.actor_id = ${bind(actor)}`);
  if (division !== undefined) where.push(`e.division = ${bind(division)}`);
  if (sha256 !== undefined) where.push(`e.sha256 = decode(${bind(sha256)}, 'hex')`);
  if (signerKid !== undefined) where.push(`e.signer_kid = ${bind(signerKid)}`);
  if (correlationId !== undefined) where.push(`e.correlation_id = ${bind(correlationId)}::uuid`);
  if (subject !== undefined) {
    // Two conditions, one for each of two indexes: a whole aggregate is read in its order, a few of its streams by name.
    where.push(`split_part(e.stream, '/', 1) = ${bind(subject.slice(0, subject.indexOf('/')))}`);
    where.push(`(e.stream COLLATE "C") ^@ ${bind(subject)}`);
  }
  const firstAt = (time: string): string =>
    stream === undefined || place === 'seq'
      ? `(SELECT ${schema}.first_seq_at(s.shard, ${bind(time)}::timestamptz))`
      : `(SELECT ${schema}.first_version_at(${bind(stream)}, ${bind(time)}::timestamptz))`;
  if (from !== undefined) where.push(`${key}.${place} >= ${firstAt(from)}`);
  if (to !== undefined) where.push(`${key}.${place} < ${firstAt(to)}`);
  const direction = order === 'oldest' ? 'ASC' : 'DESC';
  const scan = `
        SELECT ${key}.shard, ${key}.${place} AS place, (extract(epoch FROM e.ts) * 1000)::bigint AS ts_ms, e.canonical
        FROM ${byKeys ? 'kernel.event_keys k, kernel.event_at(k.shard, k.seq) e' : `${schema}.events e`}
        WHERE ${where.join(' AND ')}
        ORDER BY ${key}.${place} ${direction}
        LIMIT $3`;
  const scans =
    types === undefined
      ? scan
      : `
        SELECT o.* FROM unnest(${bind([...new Set(types)])}::text[]) AS t(type), LATERAL (${scan}) o
        ORDER BY o.place ${direction}
        LIMIT $3`;
  return {
    text: `
      SELECT p.shard, p.place, p.ts_ms, p.canonical
      FROM unnest($1::integer[], $2::bigint[]) AS s(shard, bound),
      LATERAL (${scans}
      ) p`,
    values,
  };
}
