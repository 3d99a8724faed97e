import { type StoredEvent } from '#platform/event-store';
import { placeOf, type TracedSpan } from '#platform/tracing';

/** Spans of the events of a batch that belong to a trace; each goes on in the record's header. */
export class PublishingSpans {
  private readonly spans = new Map<number, TracedSpan>();

  /** @param traces `traceparent` by position; empty mostly */
  constructor(batch: readonly StoredEvent[], traces: ReadonlyMap<number, string>) {
    if (traces.size === 0) return;
    for (const { event } of batch) {
      const { shard, seq, id } = event;
      const span = placeOf(traces.get(seq))?.child('publish event', {
        kind: 'producer',
        attributes: { 'kernel.event_id': id, 'kernel.shard': shard, 'kernel.seq': seq },
      });
      if (span !== undefined) this.spans.set(seq, span);
    }
  }

  headerOf(seq: number): string | undefined {
    return this.spans.get(seq)?.traceparent;
  }

  /** The records are in the stream. A span of a batch that never gets there is never sent. */
  end(): void {
    for (const span of this.spans.values()) span.end();
  }
}
