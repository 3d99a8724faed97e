import { Query } from '@nestjs/cqrs';
import { type SignerEntry, type SignerPurpose } from '#evidence';

export interface Candidates {
  /** Keys that the signing backend holds and the registry has never had, as entries of it. */
  candidates: SignerEntry[];
  /** By purpose, the key in force. */
  inForce: Partial<Record<SignerPurpose, string>>;
  /** Purposes whose keys are rotated without an upgrade. */
  directRotation: SignerPurpose[];
}

/** What could come in the place of what. */
export class GetCandidates extends Query<Candidates> {}
