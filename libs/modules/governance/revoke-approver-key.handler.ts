import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { decidingPools, keyMaterial, POOL_STREAM } from '#evidence';
import {
  type Asking,
  answerBytes,
  answerOnce,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
} from '#platform/event-store';
import { GovernanceError } from './domain/governance.error';
import { GovernanceReader } from './governance.reader';

/** Revoke a key of an approver, at once and permanently. It only takes power away, so it needs no quorum. */
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
  constructor(
    private readonly store: EventStore,
    private readonly reader: GovernanceReader,
  ) {}

  async execute({ approverId, keyId, reason, ownOnly, asking }: RevokeApproverKey): Promise<CommandAnswer> {
    const { actor, correlationId, idempotency } = asking;
    const { pool } = (await this.reader.governance()).governance;
    const approvers = decidingPools(pool).flatMap((one) =>
      one.pool.approvers.filter(({ id }) => id === approverId),
    );
    if (ownOnly && !approvers.some(({ principals }) => principals.includes(actor.id))) {
      throw new GovernanceError('not_the_approver', `"${actor.id}" is not the approver ${approverId}.`);
    }
    const key = approvers.flatMap(({ keys }) => keys).find((candidate) => candidate.keyId === keyId);
    if (key === undefined) {
      throw new GovernanceError('key_not_valid', `The approver ${approverId} has no key ${keyId}.`);
    }
    const material = keyMaterial(key);
    if (pool.revoked.has(material)) {
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
            // Twice is harmless; another change of the pool must not keep a lost key alive.
            expectedVersion: 'any',
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
