import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { samePublicKey, type SignerEntry } from '#evidence';
import { BackendKeys } from './backend-keys';
import { type BackendKey } from './domain/registration';
import { keyOf, signerStream } from './domain/key-registry.decider';
import { type KeyAsking, KeyDecisions } from './key-decisions';
import { RegisteredSigners } from './registered-signers';

/** The current entry, and a position of the chain at which it is in force. */
export type RetiredKey = SignerEntry & { position: string };

/** End a key that was replaced by another. */
export class RetireKey extends Command<RetiredKey> {
  constructor(
    readonly kid: string,
    readonly reason: string,
    readonly asking: KeyAsking,
  ) {
    super();
  }
}

@CommandHandler(RetireKey)
export class RetireKeyHandler implements ICommandHandler<RetireKey, RetiredKey> {
  constructor(
    private readonly decisions: KeyDecisions,
    private readonly registered: RegisteredSigners,
    private readonly store: EventStore,
    private readonly backend: BackendKeys,
  ) {}

  async execute({ kid, reason, asking }: RetireKey): Promise<RetiredKey> {
    const offered = await this.backend.keys();
    const [committed] = await this.decisions.decide(({ state }) => {
      const held = new Set<string>();
      for (const { entry } of state.keys.values()) {
        const same = (key: BackendKey): boolean =>
          key.kid === entry.signer_kid && samePublicKey(key.publicKeyPem, entry.public_key_pem);
        if (offered.some(same)) held.add(entry.signer_kid);
      }
      return { kind: 'retire', kid, reason, held };
    }, asking);
    // If it was already retired, the head is also a position that shows it.
    const { shard, seq } =
      committed?.event ?? (await this.store.recentHead(this.store.shardOf(signerStream(kid))));
    const { entry } = keyOf((await this.registered.registry({ fresh: true })).state, kid);
    return { ...entry, position: `${shard}:${seq}` };
  }
}
