/** The audit index: what lists and filters read. Filled from the stream, rebuilt by replay, never the truth (docs/pipeline.md). */
export { AuditIndex, type AuditIndexOptions, type IndexPosition } from './audit-index';
export { IndexRebuild, type IndexRebuildOptions, type RebuiltHead } from './index-rebuild';
export { INDEX_CONSUMER, IndexWriter, type IndexWriterOptions } from './index-writer';
export { type DivisionOf } from './index-rows';
export { PositionError, type PositionErrorCode, PositionReached } from './position-reached';
