import { Command } from '@nestjs/cqrs';
import { type SignerPurpose } from '#evidence';
import { type KeyAsking } from '../../key-decisions';

export interface RotatedKey {
  from: string;
  to: string;
  auditId: string;
  /** `"<shard>:<seq>"` */
  position: string;
  /** RFC 3339: from when on the old key may be retired. */
  retireAfter: string;
}

/** Put a new key in the place of the one in force for a purpose, where that needs no upgrade. */
export class RotateKey extends Command<RotatedKey> {
  constructor(
    readonly purpose: SignerPurpose,
    /** The new key; null takes the first that the signing backend holds for the purpose. */
    readonly to: string | null,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}
