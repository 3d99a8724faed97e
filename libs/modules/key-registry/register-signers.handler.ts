import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { importPublicKey, type SignerEntry } from '#evidence';
import { isVersionConflict, KERNEL_ACTOR } from '#platform/event-store';
import { RegistrationStores } from './registration-stores';
import { type BackendKey } from './domain/registration';

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

@CommandHandler(RegisterSigners)
export class RegisterSignersHandler implements ICommandHandler<RegisterSigners, void> {
  constructor(private readonly stores: RegistrationStores) {}

  async execute({ signers, signedBy }: RegisterSigners): Promise<void> {
    // A weak public key would make forged signatures verify: refuse it before it is in the chain permanently.
    for (const signer of signers) importPublicKey(signer.public_key_pem);
    const store = this.stores.signedBy(signedBy);
    try {
      for (const signer of signers) {
        await store
          .append({
            actor: KERNEL_ACTOR,
            writes: [
              {
                stream: `signer/${signer.signer_kid}`,
                expectedVersion: 0,
                events: [{ type: 'signer.added', payload: { signer: { ...signer } } }],
              },
            ],
          })
          .catch((error: unknown) => {
            // Another replica was first: its registration is valid.
            if (!isVersionConflict(error)) throw error;
          });
      }
    } finally {
      await store.close();
    }
  }
}
