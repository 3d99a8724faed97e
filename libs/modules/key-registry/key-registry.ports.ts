import { type Actor } from '#evidence';

/** Puts writing on hold while keys are in doubt. */
export abstract class WriteHold {
  /**
   * When it settles, no process takes writes, and writes in progress are committed or refused.
   * @param cause the same for each attempt of the same step: the hold of an interrupted attempt is taken over
   * @returns a function that ends the hold, if this step began it
   */
  abstract begin(
    cause: string,
    detail: string,
    actor: Actor,
  ): Promise<{ end(reason: string): Promise<void> }>;
}
