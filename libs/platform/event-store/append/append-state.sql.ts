import { arrayOfPlain, arrayOfText, type Statement } from '#platform/postgres';

/** State of a shard that a group needs, in one snapshot. */
export interface AppendState {
  head: HeadPosition;
  /** Version of each stream asked for, 0 for a new one. */
  versions: ReadonlyMap<string, number>;
  /** Request hash of each idempotency key that has an answer, by `claimKey`. */
  claims: ReadonlyMap<string, string>;
  /** Those of the ids asked for that exist. */
  existingIds: ReadonlySet<string>;
  /** The key that signed the head; null when the shard is empty. */
  headKid: string | null;
  /** Position in shard 0 of the last change of the keys; 0 before the first, and in a store filled from the archive. */
  fence: number;
}

export interface HeadPosition {
  seq: number;
  /** Hex. */
  hash: string;
  /** Time of the last event, milliseconds since 1970; 0 when the shard is empty. */
  ms: number;
}

export interface AppendStateRequest {
  shard: number;
  streams: readonly string[];
  claims: readonly { caller: string; key: string }[];
  ids: readonly string[];
}

/** One text for a caller and its key; neither holds a control character. */
export function claimKey(caller: string, key: string): string {
  return `${caller}\n${key}`;
}

export const APPEND_STATE: Statement = {
  name: 'kernel_append_state',
  text: 'SELECT * FROM kernel.append_state($1, $2, $3, $4, $5)',
};

export interface AppendStateRow {
  /** Null when the shard does not exist. */
  head_seq: string | null;
  head_hash: string;
  head_ms: string | null;
  versions: string | null;
  claims: [number, string][] | null;
  existing: string | null;
  head_kid: string | null;
  head_fence: string | null;
}

export function appendStateValues({ shard, streams, claims, ids }: AppendStateRequest): unknown[] {
  return [
    shard,
    arrayOfText(streams),
    arrayOfText(claims.map(({ caller }) => caller)),
    arrayOfText(claims.map(({ key }) => key)),
    arrayOfPlain(ids),
  ];
}

/** Null when the shard does not exist. */
export function readAppendState(
  row: AppendStateRow | undefined,
  { streams, claims }: AppendStateRequest,
): AppendState | null {
  if (row === undefined || row.head_seq === null) return null;
  const versions = new Map<string, number>();
  const found = row.versions?.split(',') ?? [];
  streams.forEach((stream, index) => versions.set(stream, Number(found[index] ?? 0)));
  const hashes = new Map<string, string>();
  for (const [ordinal, requestHash] of row.claims ?? []) {
    const claim = claims[ordinal - 1];
    if (claim) hashes.set(claimKey(claim.caller, claim.key), requestHash);
  }
  return {
    head: { seq: Number(row.head_seq), hash: row.head_hash, ms: Number(row.head_ms ?? 0) },
    versions,
    claims: hashes,
    existingIds: new Set(row.existing?.split(',')),
    headKid: row.head_kid,
    fence: Number(row.head_fence ?? 0),
  };
}
