import {
  type ApproverKey,
  base64Decode,
  type JsonObject,
  type JsonValue,
  keyMaterial,
  rawKeyOfPem,
  sha256Hex,
} from '#evidence';
import { type AuditEvent } from '../../api/queries';
import { type Typed } from '../upgrades/proposal';
import { poolDocument } from '../upgrades/in-force';
import { type Approvers, type PoolMember } from '../upgrades/upgrade-queries';

export type Key = PoolMember['keys'][number];

/** Kind of a key, and the digest by which people compare it; the digest is null when the key cannot be read. */
export function describeKey(key: Key): { kind: 'passkey' | 'key file or token'; sha256: string | null } {
  const { algorithm, publicKey, publicKeyPem } = key as Record<string, unknown>;
  try {
    if (algorithm === 'webauthn') {
      const bytes = typeof publicKey === 'string' ? base64Decode(publicKey) : null;
      return { kind: 'passkey', sha256: bytes === null ? null : sha256Hex(bytes) };
    }
    const raw = typeof publicKeyPem === 'string' ? rawKeyOfPem(publicKeyPem) : null;
    return { kind: 'key file or token', sha256: raw === null ? null : sha256Hex(raw) };
  } catch {
    return { kind: algorithm === 'webauthn' ? 'passkey' : 'key file or token', sha256: null };
  }
}

/** A passkey that was registered: it gives nobody a vote until it is in the pool. */
export interface Registered {
  readonly approverId: string;
  readonly key: JsonObject;
  readonly keyId: string;
  readonly sha256: string;
  readonly position: string;
  /** BE and BS; null where they are not known. */
  readonly backupEligible: boolean | null;
  readonly backedUp: boolean | null;
  readonly registeredAt: string | null;
  readonly eventId: string | null;
}

/** A registration as the chain has it; null when the event is something else. */
export function readRegistered(event: AuditEvent): Registered | null {
  const { approverId, key, sha256, multiDevice, backedUp } = event.payload as Record<string, unknown>;
  if (typeof key !== 'object' || key === null || typeof approverId !== 'string' || typeof sha256 !== 'string')
    return null;
  const { keyId } = key as Record<string, unknown>;
  if (typeof keyId !== 'string') return null;
  return {
    approverId,
    key: key as JsonObject,
    keyId,
    sha256,
    position: `${event.shard}:${event.seq}`,
    backupEligible: typeof multiDevice === 'boolean' ? multiDevice : null,
    backedUp: typeof backedUp === 'boolean' ? backedUp : null,
    registeredAt: event.ts,
    eventId: event.id,
  };
}

function materialOf(key: unknown): string | null {
  try {
    return keyMaterial(key as ApproverKey);
  } catch {
    return null;
  }
}

/** What became of a registered passkey: whether the pool in force has it. */
export function standingOf({ key }: Registered, pool: Approvers): 'in-pool' | 'revoked' | 'not-voted' {
  const material = materialOf(key);
  for (const { keys, revokedKeys } of pool.approvers) {
    const found = keys.find((one) => materialOf(one) === material);
    if (found !== undefined) return revokedKeys.includes(found.keyId) ? 'revoked' : 'in-pool';
  }
  return 'not-voted';
}

/** The form of a proposal that puts a registered passkey into the pool in force. */
export function proposalFor({ approverId, key, keyId, sha256 }: Registered, pool: Approvers): Typed {
  const document = poolDocument(pool);
  const people = document['approvers'] as JsonObject[];
  const member = people.find(({ id }) => id === approverId);
  const approvers: JsonValue[] =
    member === undefined
      ? [...people, { id: approverId, name: approverId, contact: null, principals: [], keys: [key] }]
      : people.map((one) =>
          one === member ? { ...one, keys: [...(one['keys'] as JsonValue[]), key] } : one,
        );
  return {
    upgradeId: `pool-v${pool.version + 1}`,
    type: 'approver_pool',
    target: '',
    rationale: `Adds the passkey ${keyId} of ${approverId}, whose public key has the SHA-256 ${sha256}.`,
    more: JSON.stringify({ pool: { ...document, approvers } }, null, 2),
  };
}
