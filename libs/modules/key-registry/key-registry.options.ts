import { type SignerPurpose } from '#evidence';

export abstract class KeyRegistryOptions {
  abstract readonly origin: string;
  /** The audit key with which a new chain begins; by default the first that the backend holds. */
  abstract readonly firstAuditKid?: string | undefined;
  /** Purposes whose keys a SuperAdmin rotates without an upgrade. */
  abstract readonly directRotation: readonly SignerPurpose[];
  /** Shortest time that a replaced key stays valid. */
  abstract readonly overlapMs: number;
  /** Age at which a key is due for rotation. */
  abstract readonly maxKeyAgeMs: number;
  abstract now(): Date;
}
