import { type TracedSpan } from '#platform/tracing';
import { type NumberedGroup } from './group-numbering';

/** Times of a group until it is signed, as `performance.now()`. */
export interface GroupTimes {
  readonly startedAt: number;
  readonly readMs: number;
  readonly hashMs: number;
}

/**
 * Spans of a group that commits something for a recorded trace. The group belongs to the first of them, and names the others in
 * links: its work is done once for all.
 */
export class GroupTrace {
  private constructor(private readonly group: TracedSpan) {}

  /** Undefined mostly: nothing of the group is recorded. */
  static of(numbered: NumberedGroup, shard: number, times: GroupTimes): GroupTrace | undefined {
    const owners = numbered.accepted.flatMap(({ pending }) => (pending.trace?.isRecorded ? [pending] : []));
    const [first, ...others] = owners;
    if (first?.trace === undefined) return undefined;
    const { startedAt, readMs, hashMs } = times;
    for (const { trace, enqueuedAt } of owners) {
      trace?.child('append queue', { startedAt: wall(enqueuedAt) }).end(null, wall(startedAt));
    }
    const group = first.trace.child('append group', {
      startedAt: wall(startedAt),
      links: others.flatMap(({ trace }) => (trace === undefined ? [] : [trace])),
      attributes: {
        'kernel.shard': shard,
        'kernel.group.first_seq': numbered.base.seq + 1,
        'kernel.group.events': numbered.head.seq - numbered.base.seq,
        'kernel.group.requests': numbered.accepted.length,
      },
    });
    const trace = new GroupTrace(group);
    trace.past('read heads and streams', startedAt, readMs);
    trace.past('number, canonicalize and hash', startedAt + readMs, hashMs);
    return trace;
  }

  /** Runs a step of the group, which ends when it settles. */
  step<T>(name: string, run: () => Promise<T>): Promise<T> {
    const span = this.group.child(name);
    return span.run(run).then(
      (value) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        span.end(error as Error);
        throw error;
      },
    );
  }

  /** @param failure why it committed nothing; null: it did */
  end(failure: Error | null): void {
    this.group.end(failure);
  }

  private past(name: string, from: number, ms: number): void {
    this.group.child(name, { startedAt: wall(from) }).end(null, wall(from + ms));
  }
}

/** Runs a step of a group, as a span where there is one for the group. */
export function stepOf<T>(trace: GroupTrace | undefined, name: string, run: () => Promise<T>): Promise<T> {
  return trace === undefined ? run() : trace.step(name, run);
}

/** Milliseconds since 1970 of a time by `performance.now()`. */
function wall(at: number): number {
  return Date.now() - (performance.now() - at);
}
