import { type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';

type Result = Parameters<Parameters<SpanExporter['export']>[1]>[0];
/** As ExportResultCode of @opentelemetry/core, of which only the type comes with the SDK. */
const SUCCESS = 0;

/** Tells how many spans the collector took, and how many it did not. */
export class CountingExporter implements SpanExporter {
  constructor(
    private readonly exporter: SpanExporter,
    private readonly exported: (spans: number, failure: Error | null) => void,
  ) {}

  export(spans: ReadableSpan[], done: (result: Result) => void): void {
    this.exporter.export(spans, (result) => {
      this.exported(
        spans.length,
        Number(result.code) === SUCCESS ? null : (result.error ?? new Error('the collector took no spans')),
      );
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.exporter.forceFlush?.();
  }
}
