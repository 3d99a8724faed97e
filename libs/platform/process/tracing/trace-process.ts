import { hostname } from 'node:os';
import { Counter, register } from 'prom-client';
import { startTracing } from '#platform/tracing';
import { type Logger } from '../logs/logger';
import { headersOf, type TracingSettings } from './tracing-settings';

/** A collector that is away says so once a minute, not with every second's spans. */
const SAY_AGAIN_MS = 60_000;

/**
 * Sends spans of this process to the collector that its settings name.
 * @returns ends it, after the waiting spans were sent; does nothing without a collector
 */
export function traceProcess(
  app: string,
  settings: Partial<TracingSettings>,
  logger: Logger,
): () => Promise<void> {
  const { otelExporterOtlpEndpoint: url, otelTracesSamplerArg: ratio = 0 } = settings;
  const spans = sentSpans();
  if (url === undefined) return () => Promise.resolve();
  let saidAt = -Infinity;
  return startTracing({
    app,
    instance: `${hostname()}/${process.pid}`,
    ratio,
    collector: {
      url,
      headers: headersOf(settings.otelExporterOtlpHeaders),
      caFile: settings.otelExporterOtlpCertificate,
      certFile: settings.otelExporterOtlpClientCertificate,
      keyFile: settings.otelExporterOtlpClientKey,
    },
    exported: (count, failure) => {
      spans.inc({ result: failure === null ? 'taken' : 'lost' }, count);
      if (failure === null || performance.now() - saidAt < SAY_AGAIN_MS) return;
      saidAt = performance.now();
      logger.warn({ err: failure, spans: count }, 'the collector of traces took no spans; they are lost');
    },
  });
}

/** Registered without a collector too, so that its absence is no missing series. */
function sentSpans(): Counter<'result'> {
  const existing = register.getSingleMetric('kernel_trace_spans_total') as Counter<'result'> | undefined;
  if (existing !== undefined) return existing;
  const spans = new Counter({
    name: 'kernel_trace_spans_total',
    help: 'Spans that were sent to the collector, by whether it took them.',
    labelNames: ['result'],
    registers: [register],
  });
  for (const result of ['taken', 'lost'] as const) spans.inc({ result }, 0);
  return spans;
}
