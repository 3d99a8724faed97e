import { setTimeout as delay } from 'node:timers/promises';
import {
  type CommandAnswer,
  type EventStore,
  EventStoreError,
  findStoredAnswer,
  type IdempotencyClaim,
} from '#platform/event-store';
import { GovernanceError } from './domain/governance.error';
import { Turns } from './turns';

/**
 * How often a decision is made anew because somebody else, in another process, was first. Two replicas that contend for
 * the same thing get through in turn; far more than that is a fault.
 */
const MAX_ATTEMPTS = 20;
/** Random, up to this: so that two do not meet again and again. */
const PAUSE_MS = 15;

/** Decisions about things that others decide about at the same time: each is made on what holds when it is committed. */
export class ContendedDecisions {
  private readonly turns = new Turns();

  constructor(private readonly store: EventStore) {}

  /**
   * @param about what the decision is about; those about the same thing take turns
   * @param attempt loads, decides and commits; made anew when another process was first
   * @throws GovernanceError `contended`, and what `attempt` throws
   */
  async decide(
    about: string,
    idempotency: IdempotencyClaim | null,
    attempt: () => Promise<CommandAnswer>,
  ): Promise<CommandAnswer> {
    const stored = await findStoredAnswer(this.store, idempotency);
    if (stored) return stored;
    return this.turns.take(about, async () => {
      for (let n = 1; ; n++) {
        try {
          return await attempt();
        } catch (error) {
          if (error instanceof GovernanceError) return await this.answeredMeanwhile(error, idempotency);
          if (!(error instanceof EventStoreError && error.code === 'version_conflict')) throw error;
          if (n >= MAX_ATTEMPTS) {
            throw new GovernanceError(
              'contended',
              `Others decided about ${about} at the same time, ${n} times in a row; try again.`,
              {},
              { cause: error },
            );
          }
          await delay(Math.random() * PAUSE_MS);
        }
      }
    });
  }

  /** The same request may have been decided while this one waited, and then of course it is refused a second time. */
  private async answeredMeanwhile(
    refusal: GovernanceError,
    idempotency: IdempotencyClaim | null,
  ): Promise<CommandAnswer> {
    const stored = await findStoredAnswer(this.store, idempotency);
    if (stored) return stored;
    throw refusal;
  }
}
