import { type KeyRegistryState, KeyTrust, type SignerEntry } from '#evidence';
import { type SqlSource } from '../positions/stream-positions';
import { registryEventsOf } from './registry-events';

/** The keys that the chain registered by keys that are trusted, as the event store has them now. */
export async function registryOfChain(
  { origin, roots }: { readonly origin: string; readonly roots: readonly SignerEntry[] | null },
  sql: SqlSource,
): Promise<KeyRegistryState> {
  const trust = new KeyTrust(origin, roots);
  trust.learn(await registryEventsOf(sql));
  return trust.registry;
}
