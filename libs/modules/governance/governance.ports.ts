import { type ApproverPool, type KeyRegistryState, type SignerEntry } from '#evidence';
import { type GovernancePolicy } from './domain/governance.policy';
import { type SyncedPasskeys } from './domain/synced-passkeys';

/** Makes a signing key prove that it is held here; bound to the signing proxy by the app. */
export abstract class KeyPossession {
  /**
   * The counter-signature with which `to` replaces another key (docs/spec/signers.md, section 5).
   * @param replaces the kid of the other key
   * @throws SignerError when the signing backend does not hold the key, or cannot sign now
   */
  abstract prove(replaces: string, to: SignerEntry): Promise<string>;
}

/** The kernel's own signing keys as the chain registers them; bound to the key registry by the app. */
export abstract class SigningKeyRegistry {
  /**
   * @returns the registry right now, and the fence of the keys (`AppendRequest.keysAsOf`), at least as old as that
   */
  abstract registry(how: { fresh: true }): Promise<{ state: KeyRegistryState; fence: number }>;
}

export abstract class GovernanceOptions {
  /** This kernel's name inside every approval, e.g. `kernel.example.com/prod`. */
  abstract readonly origin: string;
  /** The policy until an upgrade changes it. */
  abstract readonly policy: GovernancePolicy;
  /** The pool of a chain that has none yet; null when the deployment names none. */
  abstract readonly firstPool: ApproverPool | null;
  /** Types of upgrades that the organisation has beside the kernel's own; null: none. */
  abstract readonly ownTypes: RegExp | null;
  abstract readonly syncedPasskeys: SyncedPasskeys;
  abstract now(): Date;
}
