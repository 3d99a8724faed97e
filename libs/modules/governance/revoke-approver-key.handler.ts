import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { POOL_STREAM } from '#evidence';
import {
  type Asking,
  answerBytes,
  answerOnce,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
} from '#platform/event-store';
import { decideRevocation } from './domain/able-approvers';
import { GovernanceError } from './domain/governance.error';
import { GovernanceReader } from './governance.reader';

/**
 * Revoke a key of an approver, at once and permanently. It only takes power away, so it needs no quorum, as long as
 * enough approvers for one are left.
 */
export class RevokeApproverKey extends Command<CommandAnswer> {
  constructor(
    readonly approverId: string,
    readonly keyId: string,
    readonly reason: string,
    /** A person may revoke only their own keys. */
    readonly ownOnly: boolean,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(RevokeApproverKey)
export class RevokeApproverKeyHandler implements ICommandHandler<RevokeApproverKey, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
  ) {
    this.contended = new ContendedDecisions(store, GovernanceError);
  }

  async execute(command: RevokeApproverKey): Promise<CommandAnswer> {
    return this.contended.decide(POOL_STREAM, command.asking.idempotency, () => this.attempt(command));
  }

  private async attempt({
    approverId,
    keyId,
    reason,
    ownOnly,
    asking,
  }: RevokeApproverKey): Promise<CommandAnswer> {
    const { actor, correlationId, idempotency } = asking;
    const { pool } = (await this.reader.governance()).governance;
    const principal = ownOnly ? actor.id : null;
    const material = decideRevocation(pool, { approverId, keyId, principal });
    if (material === null) {
      const done = await answerOnce(this.store, idempotency, async () =>
        answerBytes(200, { approverId, keyId, revoked: true }),
      );
      return { ...done, replayed: false, eventIds: [] };
    }
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        writes: [
          {
            stream: POOL_STREAM,
            // Two revocations at the same moment must not both be the last one that the pool can take.
            expectedVersion: pool.events,
            events: [
              {
                type: 'approver_pool.key_revoked',
                payload: { approverId, keyId, keyMaterial: material, reason },
              },
            ],
          },
        ],
      },
      idempotency,
      (_, position) => answerBytes(200, { approverId, keyId, revoked: true, position }),
    );
  }
}
