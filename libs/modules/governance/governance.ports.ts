import { type ApproverPool, type KeyRegistryState, type LogCheckpoint, type SignerEntry } from '#evidence';
import { type GovernancePolicy } from './domain/governance.policy';

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
  /** @returns the registry right now, and the version of each `signer/...` stream that it was folded from */
  abstract registry(how: {
    fresh: true;
  }): Promise<{ state: KeyRegistryState; versions: ReadonlyMap<string, number> }>;
}

export abstract class GovernanceOptions {
  /** This kernel's name inside every approval, e.g. `kernel.example.com/prod`. */
  abstract readonly origin: string;
  /** The policy until an upgrade changes it. */
  abstract readonly policy: GovernancePolicy;
  /** The pool of a chain that has none yet; null when the deployment names none. */
  abstract readonly firstPool: ApproverPool | null;
  abstract now(): Date;
}

/** Signs checkpoints of the log with the checkpoint key in force; bound to the signing proxy by the app. */
export abstract class CheckpointSigner {
  /**
   * The last checkpoint of the shard that was signed, by whomever; null before the first.
   * @throws SignerError `signing_unavailable`
   */
  abstract last(shard: number): Promise<{ size: number } | null>;

  /**
   * @param consistency proof from the last checkpoint to this one; null where there is none, and for the last once more
   * @returns the signed note
   * @throws SignerError `signing_unavailable`, `signing_refused` (with `checkpoint_conflict` in `details.error` when
   *   another one was signed meanwhile)
   */
  abstract sign(
    checkpoint: LogCheckpoint,
    consistency: { from: number; hashes: readonly Uint8Array[] } | null,
  ): Promise<string>;
}
