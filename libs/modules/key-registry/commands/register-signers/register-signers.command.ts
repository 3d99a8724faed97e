import { Command } from '@nestjs/cqrs';
import { type SignerEntry } from '#evidence';
import { type BackendKey } from '../../domain/registration';

/** Record the first keys of a chain. */
export class RegisterSigners extends Command<void> {
  constructor(
    readonly signers: readonly SignerEntry[],
    /** The audit key that signs the registration. */
    readonly signedBy: BackendKey,
  ) {
    super();
  }
}
