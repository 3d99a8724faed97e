import { Command } from '@nestjs/cqrs';
import { type Scope } from '#libs/access';
import { type JsonObject } from '#libs/evidence';
import { type CommandAnswer } from '#libs/event-store';
import { type Asking } from '../../upgrade.decisions';

/** Register a division, or put its manifest at the next version: signed and recorded in one commit. */
export class RegisterDivision extends Command<CommandAnswer> {
  constructor(
    /** Its `version` is the one that it is based on. */
    readonly manifest: JsonObject & { id: string },
    readonly scope: Scope,
    readonly asking: Asking,
  ) {
    super();
  }
}
