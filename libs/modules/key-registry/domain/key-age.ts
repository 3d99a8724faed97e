import { type KeyRegistryState, type SignerPurpose } from '#evidence';

export interface KeyAge {
  kid: string;
  purposes: readonly SignerPurpose[];
  /** Time of registration, RFC 3339. */
  since: string;
  ageMs: number;
  /** Whether it is the key in force for one of its purposes, and old enough to be replaced. */
  due: boolean;
}

/** Ages of the active keys. One that was already replaced and only waits for its end is not due. */
export function keyAges({ keys }: KeyRegistryState, now: number, maxAgeMs: number): KeyAge[] {
  const active = [...keys.values()].filter(({ entry }) => entry.status === 'active');
  return active.map(({ entry, added }) => {
    const inForce = entry.purposes.some(
      (purpose) => active.findLast((other) => other.entry.purposes.includes(purpose))?.entry === entry,
    );
    const ageMs = Math.max(0, now - Date.parse(added.ts));
    return {
      kid: entry.signer_kid,
      purposes: entry.purposes,
      since: added.ts,
      ageMs,
      due: inForce && ageMs >= maxAgeMs,
    };
  });
}
