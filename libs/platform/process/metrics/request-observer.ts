import { Counter, Gauge, type Histogram, type Metric, register, type Registry } from 'prom-client';
import { type Logger } from '../logs/logger';
import { observeTraced, tracedHistogram } from './traced-histogram';

/** One answered request. The route is a template (`/kernel/audit/{id}`), never the path itself. */
export interface RequestRecord {
  readonly requestId: string;
  readonly traceId?: string | undefined;
  /** Whether this process records that trace. */
  readonly traceRecorded?: boolean;
  readonly method: string;
  readonly route: string;
  readonly status: number;
  /** Time from the end of the request's head to the end of the answer. */
  readonly ms: number;
  readonly principalId?: string | undefined;
  /** Events that the request wrote; the log line names the first and counts them. */
  readonly eventIds?: readonly string[];
  readonly errorId?: string | undefined;
  /** The connection was gone before the answer was complete. */
  readonly aborted?: boolean;
}

/** From 1 ms to 10 s, closest together near the promises (40 ms, 100 ms); 200 ms is the bound of objectives (docs/slos.md). */
const LATENCY_BUCKETS_S = [
  0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2.5,
  5, 10,
];
const LABELS = ['method', 'route', 'status'] as const;
type Label = (typeof LABELS)[number];

/** Writes one log line and the metrics of each request. */
export class RequestObserver {
  private readonly total: Counter<Label>;
  private readonly duration: Histogram<Label>;
  private readonly inFlight: Gauge;
  private readonly handshakeFailures: Counter;
  private readonly malformed: Counter<'status'>;

  constructor(
    private readonly logger: Logger,
    registry: Registry = register,
  ) {
    const registers = [registry];
    // A server that is started again in its process continues counting.
    const kept = <C extends { name: string }, M extends Metric>(Kind: new (metric: C) => M, metric: C): M =>
      (registry.getSingleMetric(metric.name) as M | undefined) ?? new Kind(metric);
    this.total = kept(Counter<Label>, {
      name: 'http_requests_total',
      help: 'Answered requests.',
      labelNames: LABELS,
      registers,
    });
    this.duration = tracedHistogram(
      {
        name: 'http_request_duration_seconds',
        help: 'From the head of a request to the end of its answer.',
        labelNames: LABELS,
        buckets: LATENCY_BUCKETS_S,
      },
      registry,
    );
    this.inFlight = kept(Gauge, {
      name: 'http_requests_in_flight',
      help: 'Requests that have not been answered yet.',
      registers,
    });
    this.malformed = kept(Counter<'status'>, {
      name: 'http_malformed_requests_total',
      help: 'What never became a request: too slow, too large a head, no HTTP.',
      labelNames: ['status'],
      registers,
    });
    this.handshakeFailures = kept(Counter, {
      name: 'tls_handshake_failures_total',
      help: 'Connections refused in the TLS handshake, for instance for want of a client certificate.',
      registers,
    });
  }

  setInFlight(count: number): void {
    this.inFlight.set(count);
  }

  answered(record: RequestRecord): void {
    const labels = { method: record.method, route: record.route, status: record.status };
    this.total.inc(labels);
    const traceId = record.traceRecorded === true ? record.traceId : undefined;
    observeTraced(this.duration, labels, record.ms / 1000, traceId);
    const level = record.status >= 500 ? 'warn' : 'info';
    if (!this.logger.isLevelEnabled(level)) return;
    this.logger[level](
      {
        request_id: record.requestId,
        trace_id: record.traceId,
        principal_id: record.principalId,
        method: record.method,
        route: record.route,
        status: record.status,
        ms: Math.round(record.ms * 100) / 100,
        event_id: record.eventIds?.[0],
        events: record.eventIds?.length || undefined,
        error_id: record.errorId,
        aborted: record.aborted,
      },
      'request',
    );
  }

  /** Counts an answer with this status to input that never became a request. */
  refusedRaw(status: number): void {
    this.malformed.inc({ status });
    this.logger.debug({ status }, 'refused what is no request');
  }

  handshakeFailed(remoteAddress: string | undefined, error: Error): void {
    this.handshakeFailures.inc();
    const { code } = error as { code?: unknown };
    this.logger.debug({ remote: remoteAddress, code, reason: error.message }, 'TLS handshake failed');
  }
}
