import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type SignerEntry } from '#libs/evidence';
import { keyOf } from '../../domain/key-registry.decider';
import { KeyDecisions } from '../../key-decisions';
import { RegisteredSigners } from '../../registered-signers';
import { RetireKey } from './retire-key.command';

@CommandHandler(RetireKey)
export class RetireKeyHandler implements ICommandHandler<RetireKey, SignerEntry> {
  constructor(
    private readonly decisions: KeyDecisions,
    private readonly registered: RegisteredSigners,
  ) {}

  async execute({ kid, reason, asking }: RetireKey): Promise<SignerEntry> {
    await this.decisions.decide(() => ({ kind: 'retire', kid, reason }), asking);
    return keyOf((await this.registered.registry({ fresh: true })).state, kid).entry;
  }
}
