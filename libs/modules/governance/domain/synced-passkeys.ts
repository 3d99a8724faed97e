import {
  type ApproverKey,
  type ApproverPool,
  base64Decode,
  decidingPools,
  keyMaterial,
  type PoolState,
  type WebAuthnAssertion,
} from '#evidence';
import { GovernanceError } from './governance.error';

/** Whether passkeys may be used that their provider can copy to other devices of their owner. */
export type SyncedPasskeys = 'allow' | 'refuse';

/**
 * What registrations say of passkeys, by key material. What an authenticator says of itself is all that is known: no
 * attestation is asked for (docs/adr/0196-synced-passkeys-may-be-refused.md).
 */
export interface KnownPasskeys {
  /** Registered as staying in one device. */
  bound: ReadonlySet<string>;
  /** Registered as one that may be copied. */
  synced: ReadonlySet<string>;
}

/** Place of the flags in authenticator data, and the bits BE and BS (WebAuthn Level 3, section 6.1). */
const FLAGS_AT = 32;
const BACKUP_ELIGIBLE = 0x08;
const BACKED_UP = 0x10;

const INSTEAD =
  'This kernel takes passkeys that stay in one device only (KERNEL_WEBAUTHN_SYNCED=refuse): use a security key, or a device that does not copy its passkeys.';

/** @throws GovernanceError `synced_passkey` when the authenticator said that the credential may be copied */
export function refuseSyncedRegistration(made: { multiDevice: boolean; backedUp: boolean }): void {
  if (!made.multiDevice && !made.backedUp) return;
  throw new GovernanceError(
    'synced_passkey',
    `This passkey may be copied to other devices by its provider (its flag BE is set), and was not registered. ${INSTEAD}`,
  );
}

/**
 * Refuses a valid signature by a passkey that may be copied: its authenticator data, which is signed with it, says so, or its
 * registration did. Whoever has copied the key can sign other flags.
 * @throws GovernanceError `synced_passkey`
 */
export function refuseSyncedSignature(
  key: ApproverKey,
  signature: WebAuthnAssertion | string,
  known: KnownPasskeys,
): void {
  if (typeof signature === 'string') return;
  const flags = base64Decode(signature.authenticatorData)?.[FLAGS_AT] ?? 0;
  const isSynced = (flags & (BACKUP_ELIGIBLE | BACKED_UP)) !== 0 || known.synced.has(keyMaterial(key));
  if (!isSynced) return;
  throw new GovernanceError(
    'synced_passkey',
    `The passkey ${key.keyId} may be copied to other devices by its provider (its flag BE is set), so it signs nothing here. ${INSTEAD} Have that put into the pool, or sign with another key of yours.`,
    { keyId: key.keyId },
  );
}

/**
 * Refuses a pool with a new passkey that was not registered here as staying in one device. Keys of the pool in force are
 * left to their signatures: a pool has to be changeable while it has them.
 * @throws GovernanceError `synced_passkey` with the pointer to the key
 */
export function refuseSyncedPool(pool: ApproverPool, current: PoolState, known: KnownPasskeys): void {
  const present = new Set(
    decidingPools(current).flatMap((one) => one.pool.approvers.flatMap(({ keys }) => keys.map(keyMaterial))),
  );
  for (const [at, { id, keys }] of pool.approvers.entries()) {
    for (const [keyAt, key] of keys.entries()) {
      if (key.algorithm !== 'webauthn') continue;
      const material = keyMaterial(key);
      if (present.has(material) || (known.bound.has(material) && !known.synced.has(material))) continue;
      const why = known.synced.has(material)
        ? 'was registered as one that its provider may copy to other devices'
        : `has no registration for ${id} that says it stays in one device; have it registered first`;
      throw new GovernanceError('synced_passkey', `The passkey ${key.keyId} of ${id} ${why}. ${INSTEAD}`, {
        pointer: `/manifest/pool/approvers/${at}/keys/${keyAt}`,
        keyId: key.keyId,
      });
    }
  }
}
