import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type JsonObject } from '#evidence';
import {
  type Asking,
  answerBytes,
  appendAndAnswer,
  type CommandAnswer,
  EventStore,
} from '#platform/event-store';
import { assertOwn, type Scope } from '#platform/edge';
import { DivisionReader } from './division.reader';
import { decideEval, type EvalReport, evalStream } from './domain/evaluation';

/** Record an evaluation of an agent. */
export class SubmitEval extends Command<CommandAnswer> {
  constructor(
    readonly agentId: string,
    readonly report: EvalReport,
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(SubmitEval)
export class SubmitEvalHandler implements ICommandHandler<SubmitEval, CommandAnswer> {
  constructor(
    private readonly store: EventStore,
    private readonly reader: DivisionReader,
  ) {}

  async execute({ agentId, report, scope, asking }: SubmitEval): Promise<CommandAnswer> {
    const { state: agent } = await this.reader.existingAgent(agentId);
    assertOwn(scope, agent.division, 'This agent');
    const { actor, correlationId, idempotency } = asking;
    const { type, payload } = decideEval(agent, report);
    return appendAndAnswer(
      this.store,
      {
        actor,
        correlationId,
        causationId: agent.lastEvent,
        writes: [
          {
            stream: evalStream(agentId),
            expectedVersion: 'any',
            events: [{ type, division: agent.division, payload: payload as unknown as JsonObject }],
          },
        ],
      },
      idempotency,
      ([committed], position) =>
        answerBytes(200, { ok: true, eval_id: committed?.event.id, audit_id: committed?.event.id, position }),
    );
  }
}
