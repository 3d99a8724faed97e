/** `page` wakes somebody now; `ticket` is looked at on the next working day. */
export type Severity = 'page' | 'ticket';
/** Where it belongs; integrity inhibits all other areas (k8s/monitoring/alertmanager.yaml). */
export type Area = 'integrity' | 'availability' | 'signing' | 'pipeline' | 'storage' | 'people' | 'duties';

export interface Alert {
  /** In CamelCase, beginning with `Kernel`; runbooks/<name>.md says what to do. */
  readonly name: string;
  readonly area: Area;
  readonly severity: Severity;
  /** PromQL; `$scope` stands for the matchers of this kernel and is in every selector. */
  readonly expr: string;
  /** Left out: it fires with the first evaluation. */
  readonly for?: string;
  /** One sentence, with Prometheus' templates. */
  readonly summary: string;
  /** Further labels, for routes and inhibitions. */
  readonly labels?: Readonly<Record<string, string>>;
}
