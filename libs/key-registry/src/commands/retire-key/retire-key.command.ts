import { Command } from '@nestjs/cqrs';
import { type SignerEntry } from '#libs/evidence';
import { type KeyAsking } from '../../key-decisions';

/** End a key that another one has taken the place of. */
export class RetireKey extends Command<SignerEntry> {
  constructor(
    readonly kid: string,
    readonly reason: string,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}
