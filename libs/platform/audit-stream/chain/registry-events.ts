import { GOVERNANCE_SHARD } from '#evidence';
import { type RegistryRow, registryRowsOf } from '#platform/event-store';
import { type SqlSource } from '../positions/stream-positions';

/**
 * Registry events (docs/spec/signers.md, section 3) of the event store: canonical bytes, unchecked but for their place.
 * One that claims another place than its row is left out: it would come before what was registered first.
 */
export async function registryEventsOf(sql: SqlSource): Promise<Uint8Array[]> {
  const rows = await registryRowsOf((text, values) => sql.query(text, values));
  return rows.filter(claimsItsPlace).map(({ bytes }) => bytes);
}

function claimsItsPlace({ seq, bytes }: RegistryRow): boolean {
  try {
    const event = JSON.parse(Buffer.from(bytes).toString('utf8')) as {
      shard?: unknown;
      seq?: unknown;
    } | null;
    return event?.shard === GOVERNANCE_SHARD && event.seq === seq;
  } catch {
    return false;
  }
}
