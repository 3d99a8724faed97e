import { type KeyRegistryState, samePublicKey, type SignerEntry, type SignerPurpose } from '#evidence';
import { type BackendKey, entryOf } from './registration';
import { KeyRegistryError } from './key-registry.error';

/** The keys that the backend holds and that no registry event has ever named, under this name or another. */
export function candidates(state: KeyRegistryState, offered: readonly BackendKey[]): BackendKey[] {
  const known = [...state.keys.values()].map(({ entry }) => entry);
  return offered.filter(
    ({ kid, publicKeyPem }) =>
      !known.some((entry) => entry.signer_kid === kid || samePublicKey(entry.public_key_pem, publicKeyPem)),
  );
}

/**
 * The key that will replace another, as the registry will have it: the named one, or the first that has all purposes of
 * the old one.
 * @throws KeyRegistryError `no_candidate`
 */
export function successorOf(
  old: SignerEntry,
  found: readonly BackendKey[],
  named: string | null,
  deployedAt: string,
): SignerEntry {
  const fits = ({ purposes }: BackendKey): boolean =>
    old.purposes.every((purpose) => purposes.includes(purpose));
  const key = found.find((one) => (named === null ? fits(one) : one.kid === named));
  if (key !== undefined) return entryOf(key, deployedAt, `in the place of ${old.signer_kid}`);
  const kids = found.map(({ kid }) => kid).join(', ') || 'none';
  throw new KeyRegistryError(
    'no_candidate',
    named === null
      ? `The signing proxy holds no new key for ${old.purposes.join(' and ')} (new keys there: ${kids}); make one (./kernel keys create), or name one in its KERNEL_SIGNING_KEYS.`
      : `The signing proxy holds no new key "${named}" (new keys there: ${kids}); make it (./kernel keys create --kid), or name it in its KERNEL_SIGNING_KEYS.`,
    { candidates: found.map(({ kid }) => kid) },
  );
}

/** Name of a key in a series: `kernel-audit-ed25519-v2` comes after `kernel-audit-ed25519-v1`. */
const SERIES = /^(.*?)(\d{1,9})$/;

/**
 * Name and purposes of a key that will replace the one in force for a purpose: it has the same purposes, and the next
 * name of the series after all known ones.
 * @param named the name of the new key; null takes the next of the series
 * @throws KeyRegistryError `signer_exists` when the registry has this name
 */
export function keyToMake(
  state: KeyRegistryState,
  offered: readonly BackendKey[],
  purpose: SignerPurpose,
  named: string | null,
): { kid: string; purposes: SignerPurpose[] } {
  const entries = [...state.keys.values()].map(({ entry }) => entry);
  const old = entries.findLast(({ status, purposes }) => status === 'active' && purposes.includes(purpose));
  const purposes = old?.purposes ?? [purpose];
  if (named !== null) {
    if (!entries.some(({ signer_kid }) => signer_kid === named)) return { kid: named, purposes };
    throw new KeyRegistryError('signer_exists', `The name ${named} is registered: choose another one.`);
  }
  const latest = old?.signer_kid ?? `kernel-${purpose}-ed25519-v0`;
  const [, stem = `${latest}-v`, number = '1'] = SERIES.exec(latest) ?? [];
  const taken = [...entries.map(({ signer_kid }) => signer_kid), ...offered.map(({ kid }) => kid)]
    .filter((kid) => kid.startsWith(stem) && /^\d{1,9}$/.test(kid.slice(stem.length)))
    .map((kid) => Number(kid.slice(stem.length)));
  return { kid: `${stem}${Math.max(Number(number), ...taken) + 1}`, purposes };
}

/** The key in force for a purpose, as the registry has it: the one registered last of those that are active. */
export function keyInForce(state: KeyRegistryState, purpose: SignerPurpose): SignerEntry {
  const entry = [...state.keys.values()]
    .map((key) => key.entry)
    .findLast(({ status, purposes }) => status === 'active' && purposes.includes(purpose));
  if (entry !== undefined) return entry;
  throw new KeyRegistryError('signer_not_found', `There is no active key for "${purpose}".`);
}
