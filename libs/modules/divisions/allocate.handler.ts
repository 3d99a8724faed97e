import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type JsonObject } from '#evidence';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
  type StreamVersion,
} from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { allocationView } from './allocation.view';
import { DivisionReader } from './division.reader';
import { accountStream, balances, evolveAccount } from './domain/account';
import { agentStream, type Because } from './domain/agent';
import { type AllocationRequest, decideAllocation } from './domain/allocation.decider';
import { divisionStream } from './domain/division';
import { evalStream } from './domain/evaluation';
import { DivisionError } from './domain/division.error';

/** Grant an agent, or a division itself, something of the division's budget, or take it back. */
export class Allocate extends Command<CommandAnswer> {
  constructor(
    readonly holder: { agentId: string | null; divisionId: string | null },
    readonly request: Omit<AllocationRequest, 'agent'>,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(Allocate)
export class AllocateHandler implements ICommandHandler<Allocate, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
  ) {
    this.contended = new ContendedDecisions(store, DivisionError);
  }

  async execute(command: Allocate): Promise<CommandAnswer> {
    const divisionId = await this.divisionOf(command);
    const { evalId } = command.request;
    if (evalId !== null) await this.assertEval(evalId, command.holder.agentId);
    return this.contended.decide(accountStream(divisionId), command.asking.idempotency, () =>
      this.attempt(divisionId, command),
    );
  }

  /** The division that pays. An agent never moves to another, so this holds for every attempt. */
  private async divisionOf({ holder: { agentId, divisionId }, scope }: Allocate): Promise<string> {
    if (divisionId !== null) assertOwn(scope, divisionId, 'This budget');
    if (agentId === null) return divisionId as string;
    const { division } = (await this.reader.existingAgent(agentId)).state;
    assertOwn(scope, division, 'This agent');
    if (divisionId !== null && divisionId !== division) {
      throw new DivisionError(
        'agent_not_found',
        `There is no agent ${agentId} in the division ${divisionId}.`,
      );
    }
    return division;
  }

  private async assertEval(evalId: string, agentId: string | null): Promise<void> {
    const stored = await this.store.getById(evalId);
    if (agentId !== null && stored?.event.stream === evalStream(agentId)) return;
    throw new DivisionError(
      'eval_not_found',
      `There is no evaluation ${evalId} of ${agentId ?? 'no agent'}.`,
    );
  }

  private async attempt(
    divisionId: string,
    { holder: { agentId }, request, asking }: Allocate,
  ): Promise<CommandAnswer> {
    const [division, account, agent] = await Promise.all([
      this.reader.existing(divisionId),
      this.reader.account(divisionId),
      agentId === null ? null : this.reader.existingAgent(agentId),
    ]);
    const { actor, correlationId, idempotency } = asking;
    const { type, payload } = decideAllocation(account.state, division.state, {
      ...request,
      agent: agent?.state ?? null,
    });
    const { evalId } = request;
    const because: Because[] = [
      ...(evalId === null ? [] : [{ relation: 'evaluation', eventId: evalId }]),
      ...(agent === null ? [] : [{ relation: 'agent', eventId: agent.state.lastEvent }]),
      { relation: 'budget', eventId: division.state.eventId },
    ];
    const requires: StreamVersion[] = [{ stream: divisionStream(divisionId), version: division.version }];
    if (agent !== null) requires.push({ stream: agentStream(agent.state.id), version: agent.version });
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: because[0]?.eventId ?? null,
        writes: [
          {
            stream: accountStream(divisionId),
            expectedVersion: account.version,
            events: [
              { type, division: divisionId, payload: { ...payload, because } as unknown as JsonObject },
            ],
          },
        ],
        // At the commit, budget, agent and account are unchanged since the decision.
        requires,
      },
      idempotency,
      (committed, position) => {
        const after = committed.reduce((state, { event }) => evolveAccount(state, event), account.state);
        const [made] = committed;
        return answerBytes(200, {
          ok: true,
          allocation: made === undefined ? null : allocationView(made.event),
          balances: balances(after, division.state.budget),
          audit_id: made?.event.id,
          position,
        });
      },
    );
  }
}
