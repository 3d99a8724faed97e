import { Command } from '@nestjs/cqrs';
import { type SignerEntry, type SignerPurpose } from '#evidence';
import { type KeyAsking } from '../../key-decisions';

/** As the registry would have it, and where the chain says that it was made. */
export type MadeKey = SignerEntry & { auditId: string; position: string };

/** Have the signing backend make a key, to rotate to or to keep for the day on which one is lost. It signs nothing yet. */
export class MakeKey extends Command<MadeKey> {
  constructor(
    readonly purpose: SignerPurpose,
    /** Null takes the next of the series that the key in force is of. */
    readonly kid: string | null,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}
