/** A series as promtool's tests have it: one value a minute from time 0 on, in the notation of its `values`. */
export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly values: string;
}

export function series(name: string, labels: Readonly<Record<string, string>>, values: string): Series {
  return { name, labels, values };
}

export interface RuleCase {
  readonly alert: string;
  readonly severity: 'page' | 'ticket';
  /** What is special about it, where an alert has several. */
  readonly what?: string;
  readonly series: readonly Series[];
  /** When it is looked at: `10m`. */
  readonly at: string;
  /** Labels of each alert that fires then, besides its name and severity; none: it must be quiet. */
  readonly fires: readonly Readonly<Record<string, string>>[];
  /** It fires for want of series, so that series of another kernel do not silence it. */
  readonly byAbsence?: boolean;
}

const NAMESPACE = 'illuvrse-kernel';

const written = ({ name, labels, values }: Series, namespace: string): object => ({
  series: `${name}{${Object.entries({ namespace, ...labels })
    .map(([label, value]) => `${label}="${value}"`)
    .join(', ')}}`,
  values,
});

/** The case as an entry of `tests` in a file for `promtool test rules`. */
export function promtoolTest(one: RuleCase, namespace = NAMESPACE): object {
  const labels = [...new Set(one.fires.flatMap((fired) => Object.keys(fired)))];
  const matchers = `alertstate="firing", alertname="${one.alert}", severity="${one.severity}"`;
  return {
    name: [one.alert, one.severity, one.what, one.fires.length > 0 ? 'fires' : 'is quiet', namespace].join(
      ', ',
    ),
    interval: '1m',
    input_series: one.series.map((single) => written(single, namespace)),
    promql_expr_test: [
      {
        expr: `count by (${['alertname', ...labels].join(', ')}) (ALERTS{${matchers}})`,
        eval_time: one.at,
        exp_samples: one.fires.map((fired) => ({
          labels: `{${Object.entries({ alertname: one.alert, ...fired })
            .map(([label, value]) => `${label}="${value}"`)
            .join(', ')}}`,
          value: 1,
        })),
      },
    ],
  };
}
