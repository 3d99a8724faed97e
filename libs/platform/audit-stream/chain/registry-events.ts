import { FOUNDING_STREAM, GOVERNANCE_SHARD, REGISTRY_TYPES } from '#evidence';
import { type SqlSource } from '../positions/stream-positions';

/** A registry changes a few times a year; more events than this are an attack or a mistake. */
const MOST = 10_000;

/**
 * Registry events (docs/spec/signers.md, section 3) of the event store: canonical bytes, unchecked but for their place.
 * One that claims another place than its row is left out: it would come before what was registered first.
 */
export async function registryEventsOf(sql: SqlSource): Promise<Uint8Array[]> {
  const rows = (await sql.query(
    `SELECT shard, seq, canonical FROM kernel.events
     WHERE shard = $1 AND type = ANY($2) AND (stream = $3 OR stream LIKE 'signer/%')
     ORDER BY seq LIMIT ${MOST + 1}`,
    [GOVERNANCE_SHARD, REGISTRY_TYPES, FOUNDING_STREAM],
  )) as { shard: number; seq: string; canonical: Buffer }[];
  if (rows.length > MOST) {
    throw new RangeError(`The event store holds more than ${MOST} registry events; they are not all read.`);
  }
  return rows
    .filter(({ shard, seq, canonical }) => claims(canonical, shard, Number(seq)))
    .map(({ canonical }) => canonical);
}

function claims(canonical: Buffer, shard: number, seq: number): boolean {
  try {
    const event = JSON.parse(canonical.toString('utf8')) as { shard?: unknown; seq?: unknown } | null;
    return event?.shard === shard && event.seq === seq;
  } catch {
    return false;
  }
}
