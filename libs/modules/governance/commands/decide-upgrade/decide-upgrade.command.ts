import { Command } from '@nestjs/cqrs';
import { type CommandAnswer } from '#platform/event-store';
import { type UpgradeCommand } from '../../domain/upgrade.decider';
import { type Asking } from '../../upgrade.decisions';

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
