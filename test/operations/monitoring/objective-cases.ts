import { OBJECTIVES, type Objective } from '#dev/monitoring';
import { type RuleCase, series, type Series } from './rule-case';

type Labels = Readonly<Record<string, string>>;
type Phase = readonly [minutes: number, ratio: number];

/** Bad parts that use up the budget at each rate of docs/slos.md, between it and the next higher one. */
const RATES = [
  { rate: 16, severity: 'page', fires: true },
  { rate: 8, severity: 'page', fires: true },
  { rate: 4, severity: 'page', fires: false },
  { rate: 4, severity: 'ticket', fires: true },
  { rate: 1.5, severity: 'ticket', fires: true },
  { rate: 0.5, severity: 'ticket', fires: false },
] as const;

const COMPONENT: Labels = { component: 'kernel', instance: 'kernel-0' };
const READ: Labels = { ...COMPONENT, method: 'GET', route: '/kernel/audit/{id}', status: '200' };
const SIGN: Labels = { ...COMPONENT, method: 'POST', route: '/kernel/sign', status: '200' };
const PER_MINUTE = 10_000;
const BURST = 16;

/** A counter with this many more each minute, phase by phase. */
function counter(name: string, labels: Labels, phases: readonly (readonly [number, number])[]): Series {
  let value = 0;
  const values = phases.flatMap(([minutes, perMinute]) =>
    Array.from({ length: minutes }, () => (value += perMinute)),
  );
  return series(name, labels, values.join(' '));
}

function histogram(name: string, labels: Labels, le: string, phases: readonly Phase[]): Series[] {
  return [
    counter(
      `${name}_count`,
      labels,
      phases.map(([minutes]) => [minutes, PER_MINUTE]),
    ),
    counter(
      `${name}_bucket`,
      { ...labels, le },
      phases.map(([minutes, bad]) => [minutes, PER_MINUTE * (1 - bad)]),
    ),
  ];
}

/** A lag that is over its bound in this part of the minutes, spread evenly. */
function lag(stage: string, boundS: number, phases: readonly Phase[]): Series {
  let owed = 0;
  const values = phases.flatMap(([minutes, bad]) =>
    Array.from({ length: minutes }, () => {
      owed += bad;
      if (owed < 1) return boundS;
      owed -= 1;
      return boundS + 1;
    }),
  );
  return series('kernel_pipeline_lag_seconds', { stage, shard: '0' }, values.join(' '));
}

const SERIES: Readonly<Record<string, (phases: readonly Phase[]) => Series[]>> = {
  reads: (phases) => histogram('http_request_duration_seconds', READ, '0.2', phases),
  sign: (phases) => histogram('http_request_duration_seconds', SIGN, '0.2', phases),
  append: (phases) => histogram('audit_append_duration_seconds', COMPONENT, '0.5', phases),
  availability: (phases) => [
    counter(
      'http_requests_total',
      { ...READ, status: '200' },
      phases.map(([minutes, bad]) => [minutes, PER_MINUTE * (1 - bad)]),
    ),
    counter(
      'http_requests_total',
      { ...READ, status: '503' },
      phases.map(([minutes, bad]) => [minutes, PER_MINUTE * bad]),
    ),
  ],
  'index-freshness': (phases) => [lag('indexer', 60, phases)],
  'archive-freshness': (phases) => [lag('archiver', 120, phases)],
  'checkpoint-freshness': (phases) => [lag('log-publisher', 60, phases)],
};

function casesOf(objective: Objective): RuleCase[] {
  const { alert, slo, target, indicator } = objective;
  const make = SERIES[slo];
  if (make === undefined) throw new Error(`There are no series for the objective ${slo}.`);
  const byAbsence = indicator.kind === 'time';
  // Long enough that time that is bad now and then is in every short window as in the long one.
  const minutes = byAbsence ? 200 : 20;
  const budget = 1 - target;
  const burst = Math.max(10, Math.ceil(BURST * budget * 60));
  const one = (
    severity: RuleCase['severity'],
    what: string,
    phases: readonly Phase[],
    fires: boolean,
  ): RuleCase => ({
    alert,
    severity,
    what,
    series: make(phases),
    at: `${phases.reduce((sum, [length]) => sum + length, 0) - 1}m`,
    fires: fires ? [{ slo }] : [],
    byAbsence,
  });
  return [
    ...RATES.map(({ rate, severity, fires }) =>
      one(severity, `at ${rate} times the budget`, [[minutes, rate * budget]], fires),
    ),
    // Uses up 16 times the budget of an hour, and of six hours too little for the slower rate.
    one(
      'page',
      'in a burst',
      [
        [350, 0],
        [burst, Math.min(1, (BURST * budget * 60) / burst)],
      ],
      true,
    ),
    one(
      'page',
      'and ends when its short windows are good',
      [
        [10, 0],
        [60, 1],
        [32, 0],
      ],
      false,
    ),
  ];
}

export const OBJECTIVE_CASES: readonly RuleCase[] = [
  ...OBJECTIVES.flatMap(casesOf),
  // Lag is told by the stage itself: when nobody tells it, it is not fresh.
  ...['KernelIndexStale', 'KernelArchiveStale', 'KernelCheckpointStale'].map((alert): RuleCase => ({
    alert,
    severity: 'page',
    what: 'when the stage says nothing',
    series: [],
    at: '10m',
    fires: [{}],
    byAbsence: true,
  })),
  {
    alert: 'KernelCheckpointStale',
    severity: 'page',
    what: 'when the newest checkpoint is old',
    series: [
      lag('log-publisher', 60, [[20, 0]]),
      series('log_publisher_checkpoint_age_seconds', { shard: '0' }, '901x20'),
    ],
    at: '19m',
    fires: [{}],
    byAbsence: true,
  },
  // Nobody asks: there is no ratio, and no alert.
  ...['reads', 'sign', 'append', 'availability'].map((slo): RuleCase => {
    const { alert } = OBJECTIVES.find((objective) => objective.slo === slo) as Objective;
    return {
      alert,
      severity: 'page',
      what: 'without requests',
      series: SERIES[slo]?.([[1, 1]]).map((single) => ({ ...single, values: '7x20' })) ?? [],
      at: '19m',
      fires: [],
    };
  }),
];
