import { type CommandAnswer, findStoredAnswer, type IdempotencyClaim } from '../idempotency/append-answer';
import { type EventStore } from '../event-store';
import { EventStoreError } from '../event-store.error';
import { decideAnew, isVersionConflict } from './decide-anew';
import { Turns } from './turns';

/**
 * How often a decision is made again because another process was first. Two replicas that contend for the same thing
 * succeed in turn; far more attempts than that are a fault.
 */
const MAX_ATTEMPTS = 20;

/** Decisions about things that others decide about at the same time: each is based on the state at its commit. */
export class ContendedDecisions {
  private readonly turns = new Turns();

  constructor(
    private readonly store: EventStore,
    /** The error with which the rules of the domain refuse. */
    private readonly refusal: abstract new (...args: never[]) => Error,
  ) {}

  /**
   * @param about what the decision is about; those about the same thing take turns
   * @param attempt loads, decides and commits; called again when another process was first
   * @throws EventStoreError `contended`, and what `attempt` throws
   */
  async decide(
    about: string,
    idempotency: IdempotencyClaim | null,
    attempt: () => Promise<CommandAnswer>,
  ): Promise<CommandAnswer> {
    const stored = await findStoredAnswer(this.store, idempotency);
    if (stored) return stored;
    return this.turns.take(about, async () => {
      try {
        return await decideAnew(MAX_ATTEMPTS, attempt);
      } catch (error) {
        if (isVersionConflict(error)) {
          throw new EventStoreError(
            'contended',
            `Others decided about ${about} at the same time, ${MAX_ATTEMPTS} times in a row; try again.`,
            {},
            { cause: error },
          );
        }
        // The same request may have been decided while this one waited, and is then refused the second time.
        const answered = error instanceof this.refusal && (await findStoredAnswer(this.store, idempotency));
        if (answered) return answered;
        throw error;
      }
    });
  }
}
