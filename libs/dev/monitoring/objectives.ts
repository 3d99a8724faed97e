import { type Area } from './alerts/alert.types';

/** Days over which the error budget is counted. */
export const ERROR_BUDGET_DAYS = 30;

/** Part of events, or of time, that is allowed to be bad is `1 - target`. */
export interface Objective {
  /** Label `slo` of its series. */
  readonly slo: string;
  /** Name of its alerts, of both severities. */
  readonly alert: string;
  readonly area: Area;
  readonly target: number;
  /** What is promised, for people. */
  readonly promise: string;
  readonly indicator: RequestIndicator | TimeIndicator;
}

/** Bad events among all: both as counters, over `$window`. */
interface RequestIndicator {
  readonly kind: 'events';
  readonly bad: string;
  readonly all: string;
}

/** 1 while it is bad, 0 while it is not; evaluated with the rules. */
interface TimeIndicator {
  readonly kind: 'time';
  readonly isBad: string;
}

/** Reads that people and services wait for. Streams, exports and proofs take as long as what they carry. */
const CORE_READS = [
  '/kernel/audit',
  '/kernel/audit/head',
  '/kernel/audit/{id}',
  '/kernel/keys',
  '/kernel/keys/{kid}',
  '/kernel/upgrade',
  '/kernel/upgrade/{id}',
  '/kernel/division',
  '/kernel/division/{id}',
  '/kernel/agent',
  '/kernel/agent/{id}',
  '/kernel/agent/{id}/state',
]
  .map((route) => route.replaceAll('{', '[{]').replaceAll('}', '[}]'))
  .join('|');

/** Events later than a bound of a histogram. Failures count for availability, not for latency. */
function slower(histogram: string, matchers: string, boundS: number): RequestIndicator {
  const all = `sum(rate(${histogram}_count{$scope${matchers}}[$window]))`;
  return {
    kind: 'events',
    all,
    bad: `(${all} - sum(rate(${histogram}_bucket{$scope${matchers}, le="${boundS}"}[$window])))`,
  };
}

/** Bad as well when nobody says how far the stage is. */
function behind(stage: string, boundS: number): string {
  const lag = `kernel_pipeline_lag_seconds{$scope, stage="${stage}"}`;
  return `max((max(${lag}) > bool ${boundS}) or absent(${lag}))`;
}

export const OBJECTIVES: readonly Objective[] = [
  {
    slo: 'reads',
    alert: 'KernelReadsSlowly',
    area: 'availability',
    target: 0.95,
    promise: '95 % of core reads are answered within 200 ms',
    indicator: slower(
      'http_request_duration_seconds',
      `, component="kernel", method="GET", route=~"${CORE_READS}", status!~"5.."`,
      0.2,
    ),
  },
  {
    slo: 'sign',
    alert: 'KernelSignsSlowly',
    area: 'availability',
    target: 0.95,
    promise: '95 % of signatures are answered within 200 ms',
    indicator: slower(
      'http_request_duration_seconds',
      ', component="kernel", method="POST", route="/kernel/sign", status!~"5.."',
      0.2,
    ),
  },
  {
    slo: 'append',
    alert: 'KernelAppendsSlowly',
    area: 'availability',
    target: 0.95,
    promise: '95 % of appends are committed within 500 ms',
    indicator: slower('audit_append_duration_seconds', '', 0.5),
  },
  {
    slo: 'availability',
    alert: 'KernelAnswersWithErrors',
    area: 'availability',
    target: 0.999,
    promise: '99.9 % of requests do not end with 5xx',
    indicator: {
      kind: 'events',
      bad: '(sum(rate(http_requests_total{$scope, component="kernel", status=~"5.."}[$window])) or vector(0))',
      all: 'sum(rate(http_requests_total{$scope, component="kernel"}[$window]))',
    },
  },
  {
    slo: 'index-freshness',
    alert: 'KernelIndexStale',
    area: 'pipeline',
    target: 0.99,
    promise: 'the index has every event within 60 s in 99 % of the time',
    indicator: { kind: 'time', isBad: behind('indexer', 60) },
  },
  {
    slo: 'archive-freshness',
    alert: 'KernelArchiveStale',
    area: 'pipeline',
    target: 0.99,
    promise: 'the archive has every event within 120 s in 99 % of the time',
    indicator: { kind: 'time', isBad: behind('archiver', 120) },
  },
  {
    slo: 'checkpoint-freshness',
    alert: 'KernelCheckpointStale',
    area: 'pipeline',
    target: 0.99,
    promise:
      'a published checkpoint has every event within 60 s, and the newest is not older than 15 minutes, in 99 % of the time',
    indicator: {
      kind: 'time',
      // KERNEL_LOG_REPUBLISH_SECONDS is at most 600, also when nothing is new.
      isBad: `clamp_max(${behind('log-publisher', 60)} + ((max(log_publisher_checkpoint_age_seconds{$scope}) > bool 900) or vector(0)), 1)`,
    },
  },
];

/** Two windows each: the long one says that it matters, the short one that it goes on. */
export const BURN_RATES = [
  { severity: 'page', rate: 14.4, long: '1h', short: '5m' },
  { severity: 'page', rate: 6, long: '6h', short: '30m' },
  { severity: 'ticket', rate: 3, long: '1d', short: '2h' },
  { severity: 'ticket', rate: 1, long: '3d', short: '6h' },
] as const;
