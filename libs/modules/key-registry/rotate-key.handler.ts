import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type RotatedKey } from '#openapi/kernel';
import { type SignerPurpose } from '#evidence';
import { candidates, keyInForce, successorOf } from './domain/candidates';
import { type KeyCommand } from './domain/key-registry.decider';
import { KeyRegistryError } from './domain/key-registry.error';
import { type KeyAsking, KeyDecisions } from './key-decisions';
import { BackendKeys } from './backend-keys';
import { KeyRegistryOptions } from './key-registry.options';
import { SigningKeys } from './signing-keys';

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

@CommandHandler(RotateKey)
export class RotateKeyHandler implements ICommandHandler<RotateKey, RotatedKey> {
  constructor(
    private readonly decisions: KeyDecisions,
    private readonly backend: BackendKeys,
    private readonly keys: SigningKeys,
    private readonly options: KeyRegistryOptions,
  ) {}

  async execute({ purpose, to, asking }: RotateKey): Promise<RotatedKey> {
    if (!this.options.directRotation.includes(purpose)) {
      throw new KeyRegistryError(
        'quorum_needed',
        `A key for "${purpose}" is rotated by an upgrade of type signer_rotation, which ./kernel keys rotate proposes; KERNEL_DIRECT_KEY_ROTATION names the purposes that need none.`,
      );
    }
    const offered = await this.backend.keys();
    const [committed] = await this.decisions.decide(async ({ state }): Promise<KeyCommand> => {
      const old = keyInForce(state, purpose);
      const now = this.options.now().toISOString();
      const entry = successorOf(old, candidates(state, offered), to, now);
      const counterSignature = await this.backend.prove(old.signer_kid, entry);
      return { kind: 'rotate', from: old.signer_kid, to: entry, counterSignature };
    }, asking);
    if (committed === undefined) throw new TypeError('a rotation is decided once');
    // From here on this process signs with the new key, and the others follow what it signs.
    await this.keys.lookAgain();
    const { id, shard, seq, ts, payload } = committed.event;
    return {
      from: payload['from'] as string,
      to: (payload['to'] as { signer_kid: string }).signer_kid,
      auditId: id,
      position: `${shard}:${seq}`,
      retireAfter: new Date(Date.parse(ts) + this.options.overlapMs).toISOString(),
    };
  }
}
