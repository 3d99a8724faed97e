import { setTimeout as delay } from 'node:timers/promises';
import { type Behind, type ShardHead, KERNEL_ACTOR } from '#platform/event-store';
import { type Logger } from '#platform/process';
import { type HighWaterMark, SignerError } from '#platform/signer';
import { type ModeStore } from './mode-store';
import { type ModeWatch } from './mode-watch';

/** Retry delay while the signing proxy does not answer; nothing can be signed then either. */
const RETRY_MS = 1_000;

/**
 * Notices that the database was restored to an older state: the signing proxy remembers positions that the store has
 * lost. Going on would fork the chain, so the kernel goes to safe-mode and says what to do.
 */
export class RestoredStore {
  private entering: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly modes: Pick<ModeStore, 'change'>,
    private readonly watch: Pick<ModeWatch, 'current' | 'look'>,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Puts safe-mode into force, unless it already is. */
  notice(behind: Behind): void {
    if (this.watch.current.mode === 'safe-mode') return;
    this.entering ??= this.enter(behind).finally(() => (this.entering = undefined));
  }

  /**
   * Checks once, as soon as the proxy answers: readers should not have to wait for the first write to learn that part of
   * the store is lost.
   */
  async look(
    marks: () => Promise<readonly HighWaterMark[]>,
    heads: () => Promise<readonly ShardHead[]>,
  ): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        // The marks first: later commits only move the heads further ahead.
        const known = await marks();
        const seqs = new Map((await heads()).map(({ shard, seq }) => [shard, seq]));
        const lost = known.find(({ shard, seq }) => seq > (seqs.get(shard) ?? 0));
        if (lost !== undefined) {
          this.notice({ shard: lost.shard, head: seqs.get(lost.shard) ?? 0, mark: lost.seq });
        }
        return;
      } catch (error) {
        // The service at KMS_ENDPOINT keeps no marks.
        if (error instanceof SignerError && error.details['status'] === 404) return;
        await delay(RETRY_MS, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.entering;
  }

  private async enter(behind: Behind): Promise<void> {
    const reason = whatToDo(behind);
    this.logger.error({ ...behind }, reason);
    try {
      await this.modes.change('safe-mode', reason, KERNEL_ACTOR);
      await this.watch.look();
    } catch (error) {
      // The next write will notice it again.
      this.logger.error({ err: error }, 'safe-mode could not be put into force');
    }
  }
}

function whatToDo({ shard, head, mark }: Behind): string {
  return (
    `The database ends at ${shard}:${head}, but signed events build on ${shard}:${mark}: it was put back to an older state. ` +
    'Fill it from the archive (./kernel replay --from archive --to store), which loses nothing. ' +
    `Only if the events after ${shard}:${head} are gone for good, open a restore window ` +
    `(./kernel keys restore-window --shard ${shard} --seq ${head}), then ./kernel mode normal. See docs/keys.md.`
  );
}
