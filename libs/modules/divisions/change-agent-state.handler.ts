import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type JsonObject } from '#evidence';
import {
  type Asking,
  answerBytes,
  answerOnce,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
  type StreamWrite,
} from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { agentView } from './agent.view';
import { DivisionReader } from './division.reader';
import { accountStream } from './domain/account';
import { type AgentLifecycleState, agentStream, decideAgentState } from './domain/agent';
import { releaseAll } from './domain/allocation.decider';
import { divisionStream } from './domain/division';
import { DivisionError } from './domain/division.error';

/** Move an agent to another state of its life; one that is retired gives back what it holds in the same commit. */
export class ChangeAgentState extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly to: AgentLifecycleState,
    readonly reason: string | null,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(ChangeAgentState)
export class ChangeAgentStateHandler implements ICommandHandler<ChangeAgentState, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
  ) {
    this.contended = new ContendedDecisions(store, DivisionError);
  }

  async execute(command: ChangeAgentState): Promise<CommandAnswer> {
    const { agentId, scope, asking } = command;
    // An agent never moves to another division, so this holds for every attempt.
    assertOwn(scope, (await this.reader.existingAgent(agentId)).state.division, 'This agent');
    return this.contended.decide(agentStream(agentId), asking.idempotency, () => this.attempt(command));
  }

  private async attempt({ agentId, to, reason, asking }: ChangeAgentState): Promise<CommandAnswer> {
    const agent = await this.reader.existingAgent(agentId);
    const divisionId = agent.state.division;
    const [division, account] = await Promise.all([
      this.reader.existing(divisionId),
      this.reader.account(divisionId),
    ]);
    const { actor, correlationId, idempotency } = asking;
    const change = decideAgentState(agent.state, to, reason, division.state);
    if (change === null) {
      const done = await answerOnce(this.store, idempotency, async () =>
        answerBytes(200, agentView(agent.state)),
      );
      return { ...done, replayed: false, eventIds: [] };
    }
    const written = ({ type, payload }: { type: string; payload: object }) => ({
      type,
      division: divisionId,
      payload: payload as JsonObject,
    });
    const writes: StreamWrite[] = [
      { stream: agentStream(agentId), expectedVersion: agent.version, events: [written(change)] },
    ];
    const released = to === 'retired' ? releaseAll(account.state, agent.state, actor.id) : [];
    if (released.length > 0) {
      const events = released.map(written);
      writes.push({ stream: accountStream(divisionId), expectedVersion: account.version, events });
    }
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: agent.state.lastEvent,
        writes,
        // At the commit, nothing has been granted to it meanwhile, and the division in which it runs is active.
        requires: [
          ...(to === 'running' ? [{ stream: divisionStream(divisionId), version: division.version }] : []),
          ...(to === 'retired' && released.length === 0
            ? [{ stream: accountStream(divisionId), version: account.version }]
            : []),
        ],
      },
      idempotency,
      (committed, position) =>
        answerBytes(200, { ...agentView(this.reader.agentAfter(agent.state, committed)), position }),
    );
  }
}
