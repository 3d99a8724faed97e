import { setTimeout as delay } from 'node:timers/promises';
import { CodedError } from '#evidence';
import { type EventStore } from '#platform/event-store';
import { type AuditIndex } from './audit-index';

/** Longest wait of a read until its source has a position (contract: `Kernel-Min-Position`). */
const WAIT_MS = 2_000;
const LOOK_EVERY_MS = 20;
const POSITION = /^(0|[1-9][0-9]{0,8}):(0|[1-9][0-9]{0,15})$/;

/**
 * - `invalid_position`: not a position, or one of a shard that does not exist
 * - `position_unavailable`: the source has not reached the position yet
 */
export type PositionErrorCode = 'invalid_position' | 'position_unavailable';

export class PositionError extends CodedError<PositionErrorCode> {}

interface Position {
  shard: number;
  seq: number;
}

/**
 * Read-your-writes: delays a read until its source has the position that the caller saw. The event store has it at
 * once, the index when the indexer has reached it.
 */
export class PositionReached {
  constructor(
    private readonly store: EventStore,
    private readonly index: AuditIndex,
  ) {}

  /** Waits for the event store. @throws PositionError `invalid_position`, `position_unavailable` after 2 s */
  async committed(wanted: string | undefined): Promise<void> {
    if (wanted === undefined) return;
    const { shard, seq } = parse(wanted);
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const head = (await this.store.heads()).find((candidate) => candidate.shard === shard);
      if (!head) throw noSuchShard(shard);
      if (head.seq >= seq) return;
      if (Date.now() >= deadline) {
        throw new PositionError(
          'position_unavailable',
          `Position ${wanted} is not there yet; the head is ${shard}:${head.seq}.`,
          { wanted, reached: `${shard}:${head.seq}` },
        );
      }
      await delay(LOOK_EVERY_MS);
    }
  }

  /** Waits for the index. @throws PositionError `invalid_position`, `position_unavailable` after 2 s */
  async indexed(wanted: string | undefined): Promise<void> {
    if (wanted === undefined) return;
    const position = parse(wanted);
    if (position.shard >= this.index.shards) throw noSuchShard(position.shard);
    const { shard, seq } = await this.index.reach(position, WAIT_MS);
    if (seq >= position.seq) return;
    throw new PositionError(
      'position_unavailable',
      `Position ${wanted} is not in the index yet; the index is at ${shard}:${seq}.`,
      { wanted, reached: `${shard}:${seq}` },
    );
  }
}

function parse(wanted: string): Position {
  const parsed = POSITION.exec(wanted);
  if (parsed) return { shard: Number(parsed[1]), seq: Number(parsed[2]) };
  throw new PositionError(
    'invalid_position',
    `Kernel-Min-Position must be "<shard>:<seq>", not "${wanted}".`,
  );
}

function noSuchShard(shard: number): PositionError {
  return new PositionError(
    'invalid_position',
    `Kernel-Min-Position names shard ${shard}, which is not there.`,
  );
}
