import { type Alert } from './alerts/alert.types';
import { AVAILABILITY_ALERTS } from './alerts/availability';
import { DUTY_ALERTS } from './alerts/duties';
import { INTEGRITY_ALERTS } from './alerts/integrity';
import { PEOPLE_ALERTS } from './alerts/people';
import { PIPELINE_ALERTS } from './alerts/pipeline';
import { SIGNING_ALERTS } from './alerts/signing';
import { STORAGE_ALERTS } from './alerts/storage';
import { BURN_ALERTS, SLO_RECORDINGS } from './burn-rates';

/** Where the runbooks can be read, unless somebody has them elsewhere. */
export const RUNBOOK_BASE = 'https://git.example.com/illuvrse/kernel/-/blob/main/runbooks';

export interface RuleOptions {
  /** Label `namespace` of this kernel's series. */
  readonly namespace: string;
  /** URL of the folder of the runbooks. */
  readonly runbooks: string;
}

/** A rule as Prometheus reads it. */
export interface WrittenRule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly WrittenRule[];
}

/** Groups of a rule file of Prometheus (`{ groups }`), which are those of a PrometheusRule too. */
export function ruleGroups({ namespace, runbooks }: RuleOptions): readonly RuleGroup[] {
  const filled = (text: string): string =>
    text.replaceAll('$scope', `namespace="${namespace}"`).replaceAll('$namespace', namespace);
  const alert = ({ name, area, severity, expr, for: lasting, summary, labels }: Alert): WrittenRule => ({
    alert: name,
    expr: filled(expr),
    ...(lasting === undefined ? {} : { for: lasting }),
    // Many expressions aggregate the namespace away, and inhibitions go by it.
    labels: { namespace, area, severity, ...labels },
    annotations: { summary, runbook_url: `${runbooks.replace(/\/$/, '')}/${name}.md` },
  });
  const alerts = (name: string, list: readonly Alert[]): RuleGroup => ({
    name: `kernel-${name}`,
    rules: list.map(alert),
  });
  return [
    alerts('integrity', INTEGRITY_ALERTS),
    {
      name: 'kernel-objectives',
      rules: SLO_RECORDINGS.map(({ record, expr, labels }) => ({
        record,
        expr: filled(expr),
        labels: { ...labels, namespace },
      })),
    },
    alerts('burn-rates', BURN_ALERTS),
    alerts('availability', AVAILABILITY_ALERTS),
    alerts('signing', SIGNING_ALERTS),
    alerts('pipeline', PIPELINE_ALERTS),
    alerts('storage', STORAGE_ALERTS),
    alerts('people', PEOPLE_ALERTS),
    alerts('duties', DUTY_ALERTS),
  ];
}
