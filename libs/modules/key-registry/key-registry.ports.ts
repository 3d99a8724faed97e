import { type Actor, type SignerEntry, type SignerPurpose } from '#evidence';
import { type EventStore } from '#platform/event-store';
import { type BackendKey } from './domain/registration';

/** The signing backend's view of its keys; bound to the signing proxy by the app. */
export abstract class BackendKeys {
  /** @throws SignerError `signing_unavailable` */
  abstract keys(): Promise<BackendKey[]>;
  /**
   * Has a key made, which signs nothing until it is registered. To ask again for the same gives the same key.
   * @throws KeyRegistryError `key_not_made`, SignerError `signing_unavailable`
   */
  abstract make(kid: string, purposes: readonly SignerPurpose[]): Promise<BackendKey>;
  abstract health(): Promise<{ ok: boolean; detail: string }>;
  /**
   * The counter-signature with which `to` comes in the place of another key (docs/spec/signers.md, section 4).
   * @throws SignerError when the backend does not hold the key, or cannot sign now
   */
  abstract provePossession(replaces: string, to: SignerEntry): Promise<string>;
}

/** Tells when the registry may have changed, in whatever process. */
export abstract class RegistryChanges {
  abstract onChange(listener: () => void): void;
}

/**
 * Opens a store whose events are signed by a key that the registry does not know yet. Only the registration of the
 * first keys needs it: the ordinary store signs with registered keys alone. The caller closes it.
 */
export abstract class RegistrationStores {
  abstract signedBy(key: BackendKey): EventStore;
}

/** The mode that the kernel is in, and since when (RFC 3339). */
export abstract class ModeSource {
  abstract current(): { mode: 'normal' | 'read-only' | 'safe-mode'; restoring: boolean; since: string };
}

/** Puts writing on hold while keys are in doubt. */
export abstract class WriteHold {
  /**
   * No process takes writes when it settles; what was being written is committed or refused.
   * @param cause the same for each attempt of the same step: what an attempt that broke off has left is taken over
   * @returns what ends the hold, as far as this step began it
   */
  abstract begin(
    cause: string,
    detail: string,
    actor: Actor,
  ): Promise<{ end(reason: string): Promise<void> }>;
}

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
