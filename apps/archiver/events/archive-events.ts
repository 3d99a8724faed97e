import { type Archive, archivedEvent, ArchiveError, type PutOutcome } from '#platform/archive';
import {
  IntegrityFault,
  type ShardHandler,
  type StreamPosition,
  type StreamPositions,
  type VerifiedEvent,
} from '#platform/audit-stream';
import { type ArchiverMetrics } from '../archiver.metrics';

/** Reads what else must be known of events before the position may pass them. */
export interface EventReader {
  read(events: readonly VerifiedEvent[]): Promise<void>;
}

/**
 * Stores events in the archive: as many at once as the archive allows; the position moves behind them only when all up
 * to it are durable. What was stored before the position moved is found there by the next attempt.
 */
export class ArchiveEvents implements ShardHandler {
  constructor(
    private readonly archive: Archive,
    private readonly positions: StreamPositions,
    private readonly holds: EventReader,
    private readonly metrics: Pick<ArchiverMetrics, 'onStored' | 'onFailure'>,
    /** Called after the position moved. */
    private readonly onMoved: (shard: number, last: VerifiedEvent) => void,
  ) {}

  position(shard: number): Promise<StreamPosition> {
    return this.positions.read(shard);
  }

  async apply(shard: number, events: readonly VerifiedEvent[]): Promise<void> {
    const outcomes = await Promise.allSettled(events.map((event) => this.store(event)));
    const failed = outcomes.findIndex(({ status }) => status === 'rejected');
    const durable = failed === -1 ? events : events.slice(0, failed);
    const last = durable.at(-1);
    if (last !== undefined) {
      await this.holds.read(durable);
      await this.positions.move(durable);
      this.onMoved(shard, last);
    }
    if (failed === -1) return;
    const failures = outcomes.flatMap((outcome, at) =>
      outcome.status === 'rejected' ? [{ error: outcome.reason as unknown, event: events[at] }] : [],
    );
    for (const { error } of failures) this.metrics.onFailure(error);
    // The first one decides, because the position is right before it.
    const [first] = failures;
    throw faultOf(first?.error, shard, first?.event);
  }

  private async store({ event, bytes }: VerifiedEvent): Promise<PutOutcome> {
    const outcome = await this.archive.put(archivedEvent(event, bytes));
    this.metrics.onStored(outcome);
    return outcome;
  }
}

const CONTRADICTIONS: ReadonlySet<string> = new Set(['different_object', 'object_covered']);

/** Another object under an event's key contradicts the chain; any other failure may pass. */
function faultOf(error: unknown, shard: number, event: VerifiedEvent | undefined): unknown {
  if (!(error instanceof ArchiveError) || !CONTRADICTIONS.has(error.code)) return error;
  return new IntegrityFault('different_object', shard, event?.event.seq ?? null, error.message, {
    cause: error,
  });
}
