import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { EventStore } from '#platform/event-store';
import { keyOf, signerStream } from '../../domain/key-registry.decider';
import { KeyDecisions } from '../../key-decisions';
import { RegisteredSigners } from '../../registered-signers';
import { RetireKey, type RetiredKey } from './retire-key.command';

@CommandHandler(RetireKey)
export class RetireKeyHandler implements ICommandHandler<RetireKey, RetiredKey> {
  constructor(
    private readonly decisions: KeyDecisions,
    private readonly registered: RegisteredSigners,
    private readonly store: EventStore,
  ) {}

  async execute({ kid, reason, asking }: RetireKey): Promise<RetiredKey> {
    const [committed] = await this.decisions.decide(() => ({ kind: 'retire', kid, reason }), asking);
    // When it was retired before, the head is a position that shows it too.
    const { shard, seq } =
      committed?.event ?? (await this.store.recentHead(this.store.shardOf(signerStream(kid))));
    const { entry } = keyOf((await this.registered.registry({ fresh: true })).state, kid);
    return { ...entry, position: `${shard}:${seq}` };
  }
}
