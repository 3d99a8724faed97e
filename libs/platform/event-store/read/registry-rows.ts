import { FOUNDING_STREAM, GOVERNANCE_SHARD, REGISTRY_TYPES } from '#evidence';

/** A registry changes a few times a year; more rows than this are an attack or a mistake. */
const MOST = 10_000;

/** A row that says it changes the registry of keys, unread: what its bytes say is not known yet. */
export interface RegistryRow {
  /** Position in the shard of governance. */
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads the rows of registry events (docs/spec/signers.md, section 3) by their columns and as they are, in `seq` order: for a
 * reader that verifies each event before it believes it.
 */
export async function registryRowsOf(
  query: (sql: string, values: unknown[]) => Promise<unknown>,
): Promise<RegistryRow[]> {
  const rows = (await query(
    `SELECT seq, canonical FROM kernel.events
     WHERE shard = $1 AND type = ANY($2) AND (stream = $3 OR stream LIKE 'signer/%')
     ORDER BY seq LIMIT ${MOST + 1}`,
    [GOVERNANCE_SHARD, REGISTRY_TYPES, FOUNDING_STREAM],
  )) as { seq: string; canonical: Buffer }[];
  if (rows.length > MOST) {
    throw new RangeError(`The event store holds more than ${MOST} registry events; they are not all read.`);
  }
  return rows.map(({ seq, canonical }) => ({ seq: Number(seq), bytes: canonical }));
}
