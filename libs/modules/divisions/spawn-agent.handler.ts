import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type JsonObject } from '#evidence';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  ContendedDecisions,
  EventStore,
} from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { agentView } from './agent.view';
import { DivisionReader } from './division.reader';
import { type AgentProfile, agentStream, decideSpawn } from './domain/agent';
import { divisionStream } from './domain/division';
import { DivisionError } from './domain/division.error';
import { SignedTemplates, type TemplateSource } from './signed-templates';

/** Spawn an agent of a division from a template that this kernel has signed. */
export class SpawnAgent extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly divisionId: string,
    readonly template: TemplateSource,
    readonly profile: AgentProfile,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(SpawnAgent)
export class SpawnAgentHandler implements ICommandHandler<SpawnAgent, CommandAnswer> {
  private readonly contended: ContendedDecisions;

  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
    private readonly templates: SignedTemplates,
  ) {
    this.contended = new ContendedDecisions(store, DivisionError);
  }

  async execute(command: SpawnAgent): Promise<CommandAnswer> {
    assertOwn(command.scope, command.divisionId, 'This agent');
    const { agentId, asking } = command;
    return this.contended.decide(agentStream(agentId), asking.idempotency, () => this.attempt(command));
  }

  private async attempt({
    agentId,
    divisionId,
    template,
    profile,
    asking,
  }: SpawnAgent): Promise<CommandAnswer> {
    const [division, agent] = await Promise.all([
      this.reader.existing(divisionId),
      this.reader.agent(agentId),
    ]);
    const verified = await this.templates.verified(template, divisionId);
    const payload = decideSpawn(agent.state, agentId, division.state, verified, profile);
    const { actor, correlationId, idempotency } = asking;
    const stream = agentStream(agentId);
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: verified.signedBy,
        writes: [
          {
            stream,
            expectedVersion: agent.version,
            events: [
              { type: 'agent.spawned', division: divisionId, payload: payload as unknown as JsonObject },
            ],
          },
        ],
        // Pausing or retiring a division and spawning an agent in it cannot miss each other.
        requires: [{ stream: divisionStream(divisionId), version: division.version }],
      },
      idempotency,
      (committed, position) =>
        answerBytes(201, { ...agentView(this.reader.agentAfter(agent.state, committed)), position }),
    );
  }
}
