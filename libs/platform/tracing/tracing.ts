import { readFileSync } from 'node:fs';
import {
  type Attributes,
  context,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { CountingExporter } from './counting-exporter';
import { FORCED, KernelIds, KernelSampler } from './sampling';
import { formatTraceParent, parseTraceParent } from './trace-parent';

/** Where spans go: OTLP over HTTP, Protobuf (OpenTelemetry Protocol 1.x). */
export interface CollectorPlace {
  /** Base of the collector; spans go to `/v1/traces` under it. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM files for a collector behind TLS, read once. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

export interface TracingOptions {
  /** Name of the process. */
  readonly app: string;
  readonly instance: string;
  readonly collector: CollectorPlace | SpanExporter;
  /** Part of the traces that begin here which is recorded, 0 to 1. */
  readonly ratio: number;
  /** The collector took so many spans, or refused them. */
  readonly exported: (spans: number, failure: Error | null) => void;
}

/** Spans wait in memory; more are dropped. */
const MAX_WAITING_SPANS = 8_192;
const EXPORT_SPANS = 512;
const EXPORT_EVERY_MS = 1_000;
const EXPORT_TIMEOUT_MS = 5_000;

const ids = new KernelIds();
/** Undefined while nothing is recorded in this process. */
let tracer: Tracer | undefined;
let followsContext = false;

/**
 * Records spans of this process from now on, and sends them to a collector. Without it, traces of callers are passed on and
 * nothing is recorded.
 * @returns ends it, after what waits was sent or the collector did not answer
 */
export function startTracing(options: TracingOptions): () => Promise<void> {
  const { app, instance, collector, ratio, exported } = options;
  const exporter = new CountingExporter('url' in collector ? exporterTo(collector) : collector, exported);
  const provider = new TracerProvider({
    sampler: new KernelSampler(ratio),
    idGenerator: ids,
    resource: resourceFromAttributes({
      'service.namespace': 'illuvrse-kernel',
      'service.name': app,
      'service.instance.id': instance,
    }),
    spanLimits: { attributeCountLimit: 32, attributeValueLengthLimit: 1_024, linkCountLimit: 256 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: MAX_WAITING_SPANS,
        maxExportBatchSize: EXPORT_SPANS,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  tracer = provider.getTracer('illuvrse-kernel');
  return async () => {
    tracer = undefined;
    // A collector that is away must not keep a process from ending.
    await provider.shutdown().catch(() => undefined);
  };
}

function exporterTo({ url, headers, caFile, certFile, keyFile }: CollectorPlace): SpanExporter {
  const pem = (file: string | undefined): string | undefined => file && readFileSync(file, 'utf8');
  return new OTLPTraceExporter({
    url: `${url.replace(/\/+$/, '')}/v1/traces`,
    ...(headers === undefined ? {} : { headers: { ...headers } }),
    timeoutMillis: EXPORT_TIMEOUT_MS,
    httpAgentOptions: { keepAlive: true, ca: pem(caFile), cert: pem(certFile), key: pem(keyFile) },
  });
}

/** Lets contexts follow what is asynchronous: only once there is a trace, since it costs where there is none too. */
function withContext<T>(at: Context, run: () => T): T {
  if (!followsContext) {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    followsContext = true;
  }
  return context.with(at, run);
}

/** A place in a trace, to be carried to where its work goes on. */
export class TracePlace {
  constructor(private readonly at: Context) {}

  get traceId(): string {
    return this.spanContext.traceId;
  }

  get isRecorded(): boolean {
    return trace.getSpan(this.at)?.isRecording() === true;
  }

  /** Whether some process records it: the caller, or this one. */
  get isSampled(): boolean {
    return (this.spanContext.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  /** The header that makes another process continue here. */
  get traceparent(): string {
    const { traceId, spanId } = this.spanContext;
    return formatTraceParent({ traceId, spanId, isSampled: this.isSampled });
  }

  /** Runs something, and everything asynchronous that it starts, at this place. */
  run<T>(work: () => T): T {
    return withContext(this.at, work);
  }

  /** Begins a span under this one. It records nothing where this one does not. */
  child(name: string, options: SpanOptions = {}): TracedSpan {
    return startedSpan(name, this.at, options);
  }

  protected get spanContext(): SpanContext {
    return trace.getSpanContext(this.at) as SpanContext;
  }

  /** For links. */
  get link(): Link {
    return { context: this.spanContext };
  }
}

export interface SpanOptions {
  readonly kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  readonly attributes?: Attributes;
  /** Others that it is done for, too. */
  readonly links?: readonly TracePlace[];
  /** Milliseconds since 1970; default now. */
  readonly startedAt?: number;
}

/** Something that takes time, and that this process does. */
export class TracedSpan extends TracePlace {
  constructor(
    private readonly span: Span,
    at: Context,
  ) {
    super(trace.setSpan(at, span));
  }

  rename(name: string): void {
    this.span.updateName(name);
  }

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  /** @param failure why it failed; null: it did not */
  end(failure: Error | null = null, endedAt?: number): void {
    if (failure !== null) {
      this.span.setAttribute('error.type', (failure as { code?: string }).code ?? failure.name);
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message.slice(0, 256) });
    }
    this.span.end(endedAt);
  }
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

function startedSpan(name: string, at: Context, options: SpanOptions): TracedSpan {
  const { kind = 'internal', attributes, links, startedAt } = options;
  const span = tracer?.startSpan(
    name,
    {
      kind: KINDS[kind],
      ...(attributes === undefined ? {} : { attributes }),
      ...(links === undefined ? {} : { links: links.map(({ link }) => link) }),
      ...(startedAt === undefined ? {} : { startTime: startedAt }),
    },
    at,
  );
  // Nothing is recorded here, but the trace goes on.
  return new TracedSpan(span ?? trace.wrapSpanContext(trace.getSpanContext(at) as SpanContext), at);
}

/** Place of what a header (`traceparent`) says is called; undefined without one. */
export function placeOf(header: unknown): TracePlace | undefined {
  const parent = parseTraceParent(header);
  if (parent === undefined) return undefined;
  return new TracePlace(trace.setSpanContext(ROOT_CONTEXT, { ...remote(parent), isRemote: true }));
}

function remote({
  traceId,
  spanId,
  isSampled,
}: NonNullable<ReturnType<typeof parseTraceParent>>): SpanContext {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

/** Place of what runs now; undefined where no trace is known. */
export function currentPlace(): TracePlace | undefined {
  if (!followsContext) return undefined;
  const at = context.active();
  return trace.getSpanContext(at) === undefined ? undefined : new TracePlace(at);
}

/** The trace of what runs now, for a log line. */
export function currentTraceId(): string | undefined {
  return followsContext ? trace.getSpanContext(context.active())?.traceId : undefined;
}

/**
 * Begins what serves a request: under the caller's span where it names one. Undefined where nobody would ever see it: no
 * caller's trace, and nothing recorded here.
 */
export function beginServing(name: string, header: unknown): TracedSpan | undefined {
  const caller = placeOf(header);
  if (caller !== undefined) return caller.child(name, { kind: 'server' });
  return tracer === undefined ? undefined : startedSpan(name, ROOT_CONTEXT, { kind: 'server' });
}

/**
 * Records a request that failed although its trace was not to be recorded: one span, with the ids that the logs and the answer
 * have.
 * @param header the caller's
 * @returns whether this process records at all
 */
export function recordFailure(
  name: string,
  served: TracePlace,
  header: unknown,
  { startedAt, attributes, failure }: { startedAt: number; attributes: Attributes; failure: Error },
): boolean {
  if (tracer === undefined) return false;
  if (served.isRecorded) return true;
  const caller = parseTraceParent(header);
  const root = caller === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote(caller));
  const [, traceId = '', spanId = ''] = served.traceparent.split('-');
  const span = ids.with({ traceId, spanId }, () =>
    startedSpan(name, root.setValue(FORCED, true), { kind: 'server', attributes, startedAt }),
  );
  span.end(failure);
  return true;
}

/** The trace of a place, or of what runs now, where this process records it: what an exemplar may name. */
export function recordedTraceId(place: TracePlace | undefined = currentPlace()): string | undefined {
  return place?.isRecorded === true ? place.traceId : undefined;
}

/** Whether this process records traces. */
export function isTracing(): boolean {
  return tracer !== undefined;
}

/** Records a part of somebody's trace that is over now. @param header `traceparent` of what it belongs to, unchecked */
export function recordPart(name: string, header: string, options: SpanOptions): void {
  if (tracer !== undefined) placeOf(header)?.child(name, options).end();
}

/** Runs a part of what is recorded as a span of its own; without a recorded trace just runs it. */
export function traced<T>(name: string, run: () => T, attributes?: Attributes): T {
  const place = tracer === undefined ? undefined : currentPlace();
  if (place?.isRecorded !== true) return run();
  const span = place.child(name, attributes === undefined ? {} : { attributes });
  return ended(span, () => span.run(run));
}

/** Ends a span when what it stands for has settled. */
export function ended<T>(span: TracedSpan, run: () => T): T {
  let result: T;
  try {
    result = run();
  } catch (error) {
    span.end(error as Error);
    throw error;
  }
  if (result instanceof Promise) {
    return result.then(
      (value: unknown) => {
        span.end();
        return value;
      },
      (error: unknown) => {
        span.end(error as Error);
        throw error;
      },
    ) as T;
  }
  span.end();
  return result;
}
