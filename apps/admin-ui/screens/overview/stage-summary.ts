import { type components } from '#openapi/kernel';

type Shard = components['schemas']['PipelineShard'];
type Stage = components['schemas']['PipelineStage'];

/** A stage over all shards. */
export interface StageSummary {
  readonly stage: Stage['stage'];
  readonly events: number;
  /** Age of the oldest event that waits. */
  readonly seconds: number;
  /** Shards in which something waits. */
  readonly shards: number;
  /** When it last moved in any shard; null: it never ran. */
  readonly movedAt: string | null;
  readonly isLate: boolean;
}

/** Somebody should look when an event waits for so long: every stage promises seconds. */
const LATE_S = 60;

export function summaries(shards: readonly Shard[]): StageSummary[] {
  const all = shards.flatMap(({ stages }) => stages);
  return [...new Set(all.map(({ stage }) => stage))].map((stage) => {
    const own = all.filter((one) => one.stage === stage);
    const seconds = Math.max(...own.map((one) => one.seconds));
    const moved = own.flatMap(({ movedAt }) => (movedAt === null ? [] : [movedAt])).sort();
    return {
      stage,
      events: own.reduce((sum, { events }) => sum + events, 0),
      seconds,
      shards: own.filter(({ events }) => events > 0).length,
      movedAt: moved.at(-1) ?? null,
      isLate: seconds >= LATE_S,
    };
  });
}
