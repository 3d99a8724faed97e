import { existsSync } from 'node:fs';
import { describeWith } from './describe-with';

/** Where Debian's packages `prometheus` and `prometheus-alertmanager` put them. */
const PROGRAMS = {
  promtool: '/usr/bin/promtool',
  prometheus: '/usr/bin/prometheus',
  alertmanager: '/usr/bin/prometheus-alertmanager',
  amtool: '/usr/bin/amtool',
} as const;

/** Path of a program of Prometheus or Alertmanager; guard the suite with describeWithPrometheus. */
export function prometheusProgram(name: keyof typeof PROGRAMS): string {
  return PROGRAMS[name];
}

/** Why Prometheus and Alertmanager cannot be used here; null when they can. */
export function prometheusMissing(): string | null {
  const missing = Object.values(PROGRAMS).filter((path) => !existsSync(path));
  if (missing.length === 0) return null;
  return `${missing.join(', ')} are not installed (Debian: RUNLEVEL=1 apt-get install prometheus prometheus-alertmanager)`;
}

/** A suite that needs real programs of Prometheus and Alertmanager (describeWith). */
export function describeWithPrometheus(name: string, suite: () => void): void {
  describeWith({ missing: prometheusMissing() }, name, suite);
}
