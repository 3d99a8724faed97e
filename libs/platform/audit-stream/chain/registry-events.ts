import { REGISTRY_TYPES } from '#evidence';
import { type SqlSource } from '../positions/stream-positions';

/** A registry changes a few times a year; more events than this are an attack or a mistake. */
const MOST = 10_000;

/** Registry events (docs/spec/signers.md, section 3) of the event store: canonical bytes, unchecked. */
export async function registryEventsOf(sql: SqlSource): Promise<Uint8Array[]> {
  const rows = (await sql.query(
    `SELECT canonical FROM kernel.events
     WHERE type = ANY($1) AND stream LIKE 'signer/%'
     ORDER BY shard, seq LIMIT ${MOST + 1}`,
    [REGISTRY_TYPES],
  )) as { canonical: Buffer }[];
  if (rows.length > MOST) {
    throw new RangeError(`The event store holds more than ${MOST} registry events; they are not all read.`);
  }
  return rows.map(({ canonical }) => canonical);
}
