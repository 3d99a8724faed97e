import { type FirstPool, type LogTrust, type SignerEntry, type SignerPurpose } from '#evidence';

export abstract class KeyRegistryOptions {
  abstract readonly origin: string;
  abstract readonly shards: number;
  /** The approver pool of the configuration, by its digest: a new chain names it in its first event. */
  abstract readonly approverPool: FirstPool | null;
  /** The trust root; null: the keys with which the kernel was founded are trusted. */
  abstract readonly roots: readonly SignerEntry[] | null;
  /** Whose cosignatures verifiers are told to ask for; undefined: nobody's. */
  abstract readonly log?: LogTrust | undefined;
  /** The audit key with which a new chain begins; by default the first that the backend holds. */
  abstract readonly firstAuditKid?: string | undefined;
  /** Purposes whose keys a SuperAdmin rotates without an upgrade. */
  abstract readonly directRotation: readonly SignerPurpose[];
  /** Shortest time that a replaced key stays valid. */
  abstract readonly overlapMs: number;
  /** Age at which a key is due for rotation. */
  abstract readonly maxKeyAgeMs: number;
  /** SHA-256 of the admin UI that this process serves, in hex; null where it serves none. */
  abstract readonly adminUiSha256: string | null;
  abstract now(): Date;
}
