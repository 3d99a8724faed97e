import { type Actor } from '#evidence';

/** Puts writing on hold while keys are in doubt. */
export abstract class WriteHold {
  /**
   * No process takes writes when it settles; what was being written is committed or refused.
   * @param cause the same for each attempt of the same step: what an attempt that broke off has left is taken over
   * @returns what ends the hold, as far as this step began it
   */
  abstract begin(
    cause: string,
    detail: string,
    actor: Actor,
  ): Promise<{ end(reason: string): Promise<void> }>;
}
