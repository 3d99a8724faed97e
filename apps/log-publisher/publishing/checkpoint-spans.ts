import { isTracing, placeOf, type TracedSpan } from '#platform/tracing';

/**
 * A checkpoint as a span of every trace whose events it is the first to contain. What is done for it, as its signing, belongs to
 * the first of them.
 */
export class CheckpointSpans {
  private readonly spans: readonly TracedSpan[];

  /** @param traces `traceparent` of each */
  constructor(shard: number, traces: readonly string[]) {
    this.spans = !isTracing()
      ? []
      : traces.flatMap((header) => {
          const place = placeOf(header);
          return place === undefined
            ? []
            : [
                place.child('publish checkpoint', {
                  kind: 'consumer',
                  attributes: { 'kernel.shard': shard },
                }),
              ];
        });
  }

  run<T>(publish: () => T): T {
    const [first] = this.spans;
    return first === undefined ? publish() : first.run(publish);
  }

  /** The checkpoint of this size is published. Spans of one that is not are never sent. */
  end(size: number): void {
    for (const span of this.spans) {
      span.set({ 'kernel.log.size': size });
      span.end();
    }
  }
}
