import { Command } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';
import { type JsonObject } from '#evidence';
import { type CommandAnswer } from '#platform/event-store';
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
