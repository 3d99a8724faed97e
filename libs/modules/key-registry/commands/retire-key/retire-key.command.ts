import { Command } from '@nestjs/cqrs';
import { type SignerEntry } from '#evidence';
import { type KeyAsking } from '../../key-decisions';

/** The entry as it is now, and a position of the chain at which it is so. */
export type RetiredKey = SignerEntry & { position: string };

/** End a key that another one has taken the place of. */
export class RetireKey extends Command<RetiredKey> {
  constructor(
    readonly kid: string,
    readonly reason: string,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}
