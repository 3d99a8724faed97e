import { type ApproverPool, type LogCheckpoint, type SignerEntry } from '#evidence';
import { type GovernancePolicy } from './domain/governance.policy';

/** Makes a signing key prove that it is held here; bound to the signing proxy by the app. */
export abstract class KeyPossession {
  /**
   * The counter-signature with which `to` replaces another key (docs/spec/signers.md, section 4).
   * @param replaces the kid of the other key
   * @throws SignerError when the signing backend does not hold the key, or cannot sign now
   */
  abstract prove(replaces: string, to: SignerEntry): Promise<string>;
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
   * @returns the signed note
   * @throws SignerError `signing_unavailable`
   */
  abstract sign(checkpoint: LogCheckpoint): Promise<string>;
}
