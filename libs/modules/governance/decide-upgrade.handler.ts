import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { type AnswerBytes, answerBytes, type Asking, type CommandAnswer } from '#platform/event-store';
import { type UpgradeCommand } from './domain/upgrade.decider';
import { type Decided, UpgradeDecisions } from './upgrade.decisions';
import { shownQuorum } from './domain/upgrade.quorum';
import { approvalView, upgradeDetail } from './upgrade.view';

/** Put a command to an upgrade: propose, sign, apply and so on (domain/upgrade.decider.ts). */
export class DecideUpgrade extends Command<CommandAnswer> {
  constructor(
    readonly upgradeId: string,
    readonly command: UpgradeCommand,
    readonly asking: Asking,
  ) {
    super();
  }
}

@CommandHandler(DecideUpgrade)
export class DecideUpgradeHandler implements ICommandHandler<DecideUpgrade, CommandAnswer> {
  constructor(private readonly decisions: UpgradeDecisions) {}

  async execute({ upgradeId, command, asking }: DecideUpgrade): Promise<CommandAnswer> {
    return this.decisions.decide(upgradeId, command, asking, (decided) => answerTo(command, decided));
  }
}

/** Answer to the caller; the position is missing if everything was already done. */
function answerTo(command: UpgradeCommand, { state, governance, now, position }: Decided): AnswerBytes {
  const upgrade = upgradeDetail(state, governance, now);
  const written = position === null ? {} : { position };
  switch (command.kind) {
    case 'propose':
      return answerBytes(201, { upgrade, ...written });
    case 'sign': {
      const given = state.approvals.find(({ id }) => id === command.approvalId);
      const approval = given === undefined ? null : approvalView(given);
      return answerBytes(201, { approval, upgrade, quorum: shownQuorum(state, governance, now), ...written });
    }
    case 'apply': {
      const { approvers, required } = state.application ?? { approvers: [], required: state.pool.threshold };
      return answerBytes(200, { upgrade, quorum: { approvers, required }, ...written });
    }
    default:
      return answerBytes(200, { upgrade, ...written });
  }
}
