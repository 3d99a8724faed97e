import { type Database, PostgresError } from '#platform/postgres';
import { unavailable } from '#platform/event-store';
import { type PipelineStage } from './pipeline-progress';

/** How far a stage is behind the store in a shard. */
export interface StageLag {
  readonly stage: PipelineStage;
  readonly shard: number;
  /** The last event that the stage has; 0: none. */
  readonly seq: number;
  /** Events that are committed and that it does not have. */
  readonly events: number;
  /** Age of the oldest of them; 0 when there are none. */
  readonly seconds: number;
  /** When it last moved; null: it never ran here. */
  readonly movedAt: string | null;
}

interface Row {
  stage: PipelineStage;
  shard: number;
  seq: string;
  events: string;
  seconds: number;
  moved_at: Date | null;
}

const LAG = {
  name: 'pipeline_stage_lag',
  text: `
    WITH positions AS (
      SELECT 'published' AS stage, shard, seq, updated_at FROM kernel.relay_cursors
      UNION ALL
      SELECT CASE consumer WHEN 'indexer' THEN 'indexed' WHEN 'archiver' THEN 'archived' ELSE 'logged' END,
             shard, seq, updated_at
      FROM kernel.stream_positions WHERE consumer IN ('indexer', 'archiver', 'log-publisher'))
    SELECT s.stage, h.shard, coalesce(p.seq, 0) AS seq, greatest(h.seq - coalesce(p.seq, 0), 0) AS events,
           coalesce(greatest(extract(epoch FROM clock_timestamp() - e.ts), 0), 0)::float8 AS seconds,
           p.updated_at AS moved_at
    FROM kernel.shard_head h
    CROSS JOIN unnest(ARRAY['published', 'indexed', 'archived', 'logged']) WITH ORDINALITY AS s(stage, n)
    LEFT JOIN positions p ON p.stage = s.stage AND p.shard = h.shard
    LEFT JOIN kernel.events e ON e.shard = h.shard AND e.seq = coalesce(p.seq, 0) + 1
    ORDER BY h.shard, s.n`,
};

/** Positions of the pipeline's stages as the database has them, whoever runs them and whether they run or not. */
export class PipelineLag {
  private reading: Promise<StageLag[]> | undefined;

  constructor(private readonly database: Pick<Database, 'query'>) {}

  /**
   * Stages of each shard, in the order of the pipeline; one look for all who ask meanwhile.
   * @throws EventStoreError `store_unavailable`
   */
  read(): Promise<StageLag[]> {
    this.reading ??= this.look().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async look(): Promise<StageLag[]> {
    try {
      const rows = await this.database.query<Row & object>(LAG, []);
      return rows.map(({ stage, shard, seq, events, seconds, moved_at }) => ({
        stage,
        shard,
        seq: Number(seq),
        events: Number(events),
        seconds,
        movedAt: moved_at?.toISOString() ?? null,
      }));
    } catch (cause) {
      throw cause instanceof PostgresError ? unavailable(cause) : cause;
    }
  }
}
