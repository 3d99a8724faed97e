import { Query } from '@nestjs/cqrs';
import { type Scope } from '#platform/edge';

/** Canonical event bytes, page by page, in seq order. */
export type ExportPages = AsyncIterable<readonly Uint8Array[]>;

/** A range of one shard, both ends inclusive; without an upper end, up to the head when the export began. */
export class ExportEvents extends Query<ExportPages> {
  constructor(
    readonly range: { shard: number; fromSeq: number; toSeq?: number },
    readonly scope: Scope,
  ) {
    super();
  }
}
