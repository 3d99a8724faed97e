import { type SignerPurpose } from '#evidence';

export abstract class KeyRegistryOptions {
  abstract readonly origin: string;
  /** The audit key that a new chain begins with; without it, the first that the backend holds. */
  abstract readonly firstAuditKid?: string | undefined;
  /** Purposes whose keys a SuperAdmin rotates without an upgrade. */
  abstract readonly directRotation: readonly SignerPurpose[];
  /** How long a replaced key stays valid at least. */
  abstract readonly overlapMs: number;
  /** Age at which a key is due for rotation. */
  abstract readonly maxKeyAgeMs: number;
  abstract now(): Date;
}
