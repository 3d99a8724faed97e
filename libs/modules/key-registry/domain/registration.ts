import { type SignerEntry, type SignerPurpose } from '#evidence';

/** A key as reported by its backend. */
export interface BackendKey {
  kid: string;
  keyVersion: string;
  publicKeyPem: string;
  purposes: SignerPurpose[];
  backend: string;
}

/** The purposes without which the kernel can neither record nor sign. */
export const NEEDED_PURPOSES = ['audit', 'manifest'] as const satisfies readonly SignerPurpose[];

/**
 * The purposes whose first key registers itself, in this order. Without a checkpoint key everything is still recorded
 * and signed; only the manifests of the archive's days and the reports of audits wait for one.
 */
export const REGISTERED_PURPOSES = [
  ...NEEDED_PURPOSES,
  'checkpoint',
] as const satisfies readonly SignerPurpose[];

/**
 * The keys to register on a first start: for each of these purposes that no key was ever registered for, the backend's
 * first key with it; for audit the named one, if any. The audit key comes first, since it signs its own registration
 * and all that follow. A purpose that has, or had, a registered key is left alone: replacing a key is a rotation and
 * needs a decision.
 */
export function keysToRegister(
  registered: readonly SignerEntry[],
  offered: readonly BackendKey[],
  deployedAt: string,
  firstAuditKid?: string,
): SignerEntry[] {
  const entries = new Map<string, SignerEntry>();
  for (const purpose of REGISTERED_PURPOSES) {
    if (registered.some((signer) => signer.purposes.includes(purpose))) continue;
    const key = offered.find(
      ({ kid, purposes }) =>
        purposes.includes(purpose) &&
        (purpose !== 'audit' || firstAuditKid === undefined || kid === firstAuditKid),
    );
    if (key) entries.set(key.kid, entryOf(key, deployedAt, 'registered at first start'));
  }
  return [...entries.values()];
}

/** The backend's key that may sign for this purpose now: registered, active, and the very same public key. */
export function activeKey(
  purpose: SignerPurpose,
  registered: readonly SignerEntry[],
  offered: readonly BackendKey[],
): BackendKey | null {
  const active = registered.filter(
    (signer) => signer.status === 'active' && signer.purposes.includes(purpose),
  );
  // The newest registration wins: during a rotation's overlap the old key is still active.
  for (const signer of active.toReversed()) {
    const key = offered.find(
      ({ kid, purposes, publicKeyPem }) =>
        kid === signer.signer_kid &&
        purposes.includes(purpose) &&
        samePem(publicKeyPem, signer.public_key_pem),
    );
    if (key) return key;
  }
  return null;
}

/** @param how the way it came into the registry, for people */
export function entryOf(key: BackendKey, deployedAt: string, how: string): SignerEntry {
  return {
    signer_kid: key.kid,
    algorithm: 'ed25519',
    public_key_pem: key.publicKeyPem,
    deployedAt,
    description: `${key.backend} key for ${key.purposes.join(' and ')}, ${how}`,
    purposes: key.purposes,
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
  };
}

function samePem(a: string, b: string): boolean {
  return a.replaceAll(/\s/g, '') === b.replaceAll(/\s/g, '');
}
