/** Objectives and alerts of a kernel as Prometheus rules: the one source of k8s/monitoring and of the chart's rules (docs/slos.md). */
export { type Alert, type Area, type Severity } from './alerts/alert.types';
export { RUNBOOK_BASE, ruleGroups, type RuleGroup, type RuleOptions, type WrittenRule } from './rule-groups';
export { BURN_RATES, ERROR_BUDGET_DAYS, OBJECTIVES, type Objective } from './objectives';
export { shortened } from './shortened';
