import { type EventStore } from '#libs/event-store';
import { type BackendKey } from './domain/registration';

/** The signing backend's view of its keys; bound to the signing proxy by the app. */
export abstract class BackendKeys {
  /** @throws SignerError `signing_unavailable` */
  abstract keys(): Promise<BackendKey[]>;
  abstract health(): Promise<{ ok: boolean; detail: string }>;
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

export abstract class KeyRegistryOptions {
  abstract readonly origin: string;
  /** The audit key that a new chain begins with; without it, the first that the backend holds. */
  abstract readonly firstAuditKid?: string | undefined;
  abstract now(): Date;
}
