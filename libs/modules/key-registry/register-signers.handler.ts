import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  FOUNDING_STREAM,
  FOUNDING_TYPE,
  foundingPayload,
  importPublicKey,
  type SignerEntry,
} from '#evidence';
import { isVersionConflict, KERNEL_ACTOR, type StreamWrite } from '#platform/event-store';
import { signerStream } from './domain/key-registry.decider';
import { type BackendKey } from './domain/registration';
import { foundingOf } from './founding';
import { KeyRegistryOptions } from './key-registry.options';
import { RegisteredSigners } from './registered-signers';
import { RegistrationStores } from './registration-stores';

/**
 * Record the first key of a purpose. In an empty store this founds the kernel: its first events say who it is and which
 * keys it begins with, in one commit.
 */
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
  constructor(
    private readonly stores: RegistrationStores,
    private readonly registered: RegisteredSigners,
    private readonly options: KeyRegistryOptions,
  ) {}

  async execute({ signers, signedBy }: RegisterSigners): Promise<void> {
    // A weak public key would make forged signatures verify: refuse it before it is in the chain permanently.
    for (const signer of signers) importPublicKey(signer.public_key_pem);
    const { state, fence } = await this.registered.registry({ fresh: true });
    const store = this.stores.signedBy(signedBy);
    try {
      // Another replica may have founded it since; it must not be anything else.
      if (state.founding === null && (await foundingOf(store)) !== null) return;
      await store.append({
        actor: KERNEL_ACTOR,
        writes: [...(state.founding === null ? [this.founding()] : []), ...signers.map(added)],
        keysAsOf: fence,
      });
    } catch (error) {
      // Another replica was first: its registration is valid.
      if (!isVersionConflict(error)) throw error;
    } finally {
      await store.close();
    }
  }

  private founding(): StreamWrite {
    return {
      stream: FOUNDING_STREAM,
      expectedVersion: 0,
      events: [{ type: FOUNDING_TYPE, payload: foundingPayload(this.options) }],
    };
  }
}

function added(signer: SignerEntry): StreamWrite {
  return {
    stream: signerStream(signer.signer_kid),
    expectedVersion: 0,
    events: [{ type: 'signer.added', payload: { signer: { ...signer } } }],
  };
}
