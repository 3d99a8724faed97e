import { type Database } from '#platform/postgres';
import { Gauge, type Registry } from '#platform/process';
import { PipelineProgress, type PipelineStage } from './pipeline-progress';

/** Serves the edge's Kernel-Await from the positions of relay, archiver and log publisher. */
export class PipelineDurability {
  private readonly progress: PipelineProgress;

  constructor(
    database: Database,
    registry: Registry,
    readonly maxWaitMs: number,
    maxWaiters: number,
  ) {
    const progress = new PipelineProgress({ database, maxWaiters });
    this.progress = progress;
    new Gauge({
      name: 'kernel_await_waiting',
      help: 'Writes that are committed and wait until they are published, archived or in the log (Kernel-Await).',
      registers: [registry],
      collect() {
        this.set(progress.depth);
      },
    });
  }

  reached(
    durability: PipelineStage,
    position: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const [shard, seq] = position.split(':').map(Number) as [number, number];
    return this.progress.reached(durability, { shard, seq }, timeoutMs, signal);
  }

  release(): Promise<void> {
    return this.progress.close();
  }
}
