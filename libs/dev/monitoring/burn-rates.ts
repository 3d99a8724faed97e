import { type Alert } from './alerts/alert.types';
import { BURN_RATES, ERROR_BUDGET_DAYS, OBJECTIVES, type Objective } from './objectives';

export interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
}

const WINDOWS = [...new Set(BURN_RATES.flatMap(({ short, long }) => [short, long]))];
const BAD_NOW = 'kernel:slo_bad:bool';

const ratioOver = (window: string): string => `kernel:slo_errors:ratio_${window}`;
const seriesOf = ({ slo }: Objective, name: string): string => `${name}{$scope, slo="${slo}"}`;
/** 1 - 0.999 without what floating point adds. */
const budgetOf = ({ target }: Objective): number => Number((1 - target).toFixed(6));
const times = (rate: number, budget: number): number => Number((rate * budget).toFixed(6));

/** Ratios of bad events or time over each window, and what is left of the budget. */
function recordingsOf(objective: Objective): Recording[] {
  const { indicator, target } = objective;
  // Rules of the same objective in other kernels are other series.
  const labels = { namespace: '$namespace', slo: objective.slo };
  const errorsOver = (window: string): string =>
    indicator.kind === 'time'
      ? `avg_over_time(${seriesOf(objective, BAD_NOW)}[${window}])`
      : // Without requests there is no ratio; NaN would stay in every average over it.
        `clamp_min(${indicator.bad} / ${indicator.all}, 0) >= 0`.replaceAll('$window', window);
  const period = `${ERROR_BUDGET_DAYS}d`;
  return [
    ...(indicator.kind === 'time' ? [{ record: BAD_NOW, expr: indicator.isBad, labels }] : []),
    ...WINDOWS.map((window) => ({ record: ratioOver(window), expr: errorsOver(window), labels })),
    {
      record: `kernel:slo_errors:ratio_${period}`,
      expr: `avg_over_time(${seriesOf(objective, ratioOver('5m'))}[${period}])`,
      labels,
    },
    {
      record: 'kernel:slo_budget_left:ratio',
      expr: `1 - ${seriesOf(objective, `kernel:slo_errors:ratio_${period}`)} / ${budgetOf(objective)}`,
      labels,
    },
    { record: 'kernel:slo_target:ratio', expr: `vector(${target})`, labels },
  ];
}

/** One alert for each severity. */
function burnAlertsOf(objective: Objective): Alert[] {
  return (['page', 'ticket'] as const).map((severity) => ({
    name: objective.alert,
    area: objective.area,
    severity,
    labels: { slo: objective.slo },
    expr: BURN_RATES.filter((burn) => burn.severity === severity)
      .map(({ rate, long, short }) => {
        const above = (window: string): string =>
          `${seriesOf(objective, ratioOver(window))} > ${times(rate, budgetOf(objective))}`;
        return `(max(${above(short)}) and max(${above(long)}))`;
      })
      .join(' or '),
    summary: `${objective.promise}: now {{ $value | humanizePercentage }} are not, which uses up the budget of ${ERROR_BUDGET_DAYS} days too fast.`,
  }));
}

export const SLO_RECORDINGS: readonly Recording[] = OBJECTIVES.flatMap(recordingsOf);
export const BURN_ALERTS: readonly Alert[] = OBJECTIVES.flatMap(burnAlertsOf);
