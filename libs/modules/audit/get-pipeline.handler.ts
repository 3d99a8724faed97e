import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { PipelineLag } from '#platform/audit-stream';
import { type PipelineShard } from '#openapi/kernel';
import { EventStore } from '#platform/event-store';

/** How far stream, index, archive and published log are behind the store. */
export class GetPipeline extends Query<PipelineShard[]> {}

@QueryHandler(GetPipeline)
export class GetPipelineHandler implements IQueryHandler<GetPipeline, PipelineShard[]> {
  constructor(
    private readonly store: EventStore,
    private readonly lag: PipelineLag,
  ) {}

  async execute(): Promise<PipelineShard[]> {
    // The stages first: what they lack is never more than the head says.
    const stages = await this.lag.read();
    const heads = await this.store.heads();
    return heads.map(({ shard, seq, ts }) => ({
      shard,
      seq,
      ts,
      stages: stages.filter((one) => one.shard === shard).map(({ shard: _, ...stage }) => stage),
    }));
  }
}
