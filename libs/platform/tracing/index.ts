/** Traces: the caller's trace is continued and passed on, spans go to a collector (OpenTelemetry). */
export { parseTraceParent } from './trace-parent';
export {
  beginServing,
  type CollectorPlace,
  currentPlace,
  currentTraceId,
  ended,
  isTracing,
  placeOf,
  recordFailure,
  recordPart,
  recordedTraceId,
  type SpanOptions,
  startTracing,
  traced,
  TracedSpan,
  TracePlace,
} from './tracing';
