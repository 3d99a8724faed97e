import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { EventStore } from '#libs/event-store';
import { AuditError } from './domain/audit.error';

/** How long a read waits for the read side to have a position (contract: `Kernel-Min-Position`). */
const WAIT_MS = 2_000;
const LOOK_EVERY_MS = 20;
const POSITION = /^(0|[1-9][0-9]{0,8}):(0|[1-9][0-9]{0,15})$/;

/** Read-your-writes: holds a read back until what it reads from has the position that the caller saw. */
@Injectable()
export class PositionReached {
  constructor(private readonly store: EventStore) {}

  /** @throws AuditError `invalid_position`, `position_unavailable` after 2 s */
  async reached(position: string | undefined): Promise<void> {
    if (position === undefined) return;
    const parsed = POSITION.exec(position);
    if (!parsed) {
      throw new AuditError(
        'invalid_position',
        `Kernel-Min-Position must be "<shard>:<seq>", not "${position}".`,
      );
    }
    const [shard, seq] = [Number(parsed[1]), Number(parsed[2])];
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      const head = (await this.store.heads()).find((candidate) => candidate.shard === shard);
      if (!head)
        throw new AuditError(
          'invalid_position',
          `Kernel-Min-Position names shard ${shard}, which is not there.`,
        );
      if (head.seq >= seq) return;
      if (Date.now() >= deadline) {
        throw new AuditError(
          'position_unavailable',
          `Position ${position} is not there yet; the head is ${shard}:${head.seq}.`,
        );
      }
      await delay(LOOK_EVERY_MS);
    }
  }
}
