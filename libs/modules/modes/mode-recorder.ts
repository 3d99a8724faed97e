import { Injectable } from '@nestjs/common';
import { EventStore, EventStoreError } from '#platform/event-store';
import { type ModeChange } from './domain/kernel-mode';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';

/** Delay after a failure (mostly: nothing can be signed now). */
const RETRY_MS = 1_000;

/**
 * Records every change of the mode in the chain, in order and exactly once: as soon as it happens, or as soon as
 * signing is possible again. Every kernel process tries; the id of the event decides which was first.
 */
@Injectable()
export class ModeRecorder {
  private running: Promise<void> | undefined;
  private again = false;
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;
  /** Number of changes that are not in the chain yet, as known to this process. */
  unrecorded = 0;

  constructor(
    private readonly modes: ModeStore,
    private readonly events: EventStore,
    private readonly watch: ModeWatch,
  ) {}

  /** Settles when the pending changes are recorded, or could not be for now. */
  async record(): Promise<void> {
    this.again = true;
    this.running ??= (async () => {
      clearTimeout(this.retry);
      try {
        while (this.again && !this.stopped) {
          this.again = false;
          await this.recordAll();
        }
      } catch {
        // Signer or database unreachable; the mode itself is in force anyway.
        if (!this.stopped) {
          this.retry = setTimeout(() => void this.record(), RETRY_MS);
          this.retry.unref();
        }
      } finally {
        this.running = undefined;
      }
    })();
    await this.running;
  }

  private async recordAll(): Promise<void> {
    const changes = await this.modes.unrecorded();
    this.unrecorded = changes.length;
    // An event appended to a store that is being rebuilt would begin a second chain.
    if (changes.length === 0 || this.watch.current.restoring) return;
    for (const change of changes) {
      await this.append(change);
      await this.modes.recorded(change.eventId);
      this.unrecorded--;
    }
  }

  private async append({ eventId, from, to, reason, actor, changedAt }: ModeChange): Promise<void> {
    try {
      await this.events.append({
        actor,
        whateverTheMode: true,
        writes: [
          {
            stream: 'mode/kernel',
            expectedVersion: 'any',
            events: [{ id: eventId, type: 'mode.changed', payload: { from, to, reason, changedAt } }],
          },
        ],
      });
    } catch (error) {
      if (error instanceof EventStoreError && error.code === 'duplicate_event_id') return;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    await this.running;
  }
}
