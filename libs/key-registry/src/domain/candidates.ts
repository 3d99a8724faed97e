import { type KeyRegistryState, samePublicKey, type SignerEntry, type SignerPurpose } from '#libs/evidence';
import { type BackendKey, entryOf } from './registration';
import { KeyRegistryError } from './key-registry.error';

/** The keys that the backend holds and that no registry event has ever named, nor another name of theirs. */
export function candidates(state: KeyRegistryState, offered: readonly BackendKey[]): BackendKey[] {
  const known = [...state.keys.values()].map(({ entry }) => entry);
  return offered.filter(
    ({ kid, publicKeyPem }) =>
      !known.some((entry) => entry.signer_kid === kid || samePublicKey(entry.public_key_pem, publicKeyPem)),
  );
}

/**
 * The key that is to come in the place of another, as the registry will have it: the one that is named, or the first that
 * is for everything that the old one is for.
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
      ? `The signing proxy holds no new key for ${old.purposes.join(' and ')} (new keys there: ${kids}); make one and name it in KERNEL_SIGNING_KEYS.`
      : `The signing proxy holds no new key "${named}" (new keys there: ${kids}); make it and name it in KERNEL_SIGNING_KEYS.`,
    { candidates: found.map(({ kid }) => kid) },
  );
}

/** The key in force for a purpose, as the registry has it: the one registered last of those that are active. */
export function keyInForce(state: KeyRegistryState, purpose: SignerPurpose): SignerEntry {
  const entry = [...state.keys.values()]
    .map((key) => key.entry)
    .findLast(({ status, purposes }) => status === 'active' && purposes.includes(purpose));
  if (entry !== undefined) return entry;
  throw new KeyRegistryError('signer_not_found', `There is no active key for "${purpose}".`);
}
