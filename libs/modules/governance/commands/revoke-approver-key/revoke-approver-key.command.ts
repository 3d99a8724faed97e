import { Command } from '@nestjs/cqrs';
import { type CommandAnswer } from '#platform/event-store';
import { type Asking } from '../../upgrade.decisions';

/** Make a key of an approver worthless, at once and for good. It only takes power away, so it needs no quorum. */
export class RevokeApproverKey extends Command<CommandAnswer> {
  constructor(
    readonly approverId: string,
    readonly keyId: string,
    readonly reason: string,
    /** A person may revoke their own keys alone. */
    readonly ownOnly: boolean,
    readonly asking: Asking,
  ) {
    super();
  }
}
