import { type PartitionRoom } from '#platform/event-store';
import { Counter, Gauge, type Logger, type Registry } from '#platform/process';

/** Interval at which a failure that goes on is logged again. */
const REPEAT_MS = 60_000;

export interface PartitionState {
  /** The shard with the least room, and its room in events; null before the first look. */
  readonly tightest: PartitionRoom | null;
  /** Why no partition could be made, at the last attempt; null when it worked. */
  readonly failure: string | null;
}

/** Tells operators how much room the event log's partitions have, and when no more can be made (runbooks/partitions.md). */
export class PartitionWatch {
  private readonly room: Gauge<'shard'>;
  private readonly failures: Counter;
  private tightest: PartitionRoom | null = null;
  private failure: string | null = null;
  /** Milliseconds since 1970. */
  private loggedAt = 0;

  constructor(
    registry: Registry,
    private readonly logger: Pick<Logger, 'error'>,
  ) {
    this.room = new Gauge({
      name: 'kernel_partition_room_events',
      help: 'Events that the existing partitions of a shard still have room for; at least half a partition unless no more can be made.',
      labelNames: ['shard'],
      registers: [registry],
    });
    this.failures = new Counter({
      name: 'kernel_partition_failures_total',
      help: 'Attempts to make partitions that failed.',
      registers: [registry],
    });
  }

  note(rooms: readonly PartitionRoom[], failure: Error | null): void {
    for (const { shard, room } of rooms) this.room.set({ shard: String(shard) }, room);
    const [first, ...others] = rooms;
    if (first) {
      this.tightest = others.reduce((least, other) => (other.room < least.room ? other : least), first);
    }
    this.failure = failure?.message ?? null;
    if (failure === null) return;
    this.failures.inc();
    const now = Date.now();
    if (now - this.loggedAt < REPEAT_MS) return;
    this.loggedAt = now;
    this.logger.error(
      { failure: failure.message, ...this.tightest },
      'no partition of the event log can be made; events are written until the room is used up (runbooks/partitions.md)',
    );
  }

  get state(): PartitionState {
    return { tightest: this.tightest, failure: this.failure };
  }
}
