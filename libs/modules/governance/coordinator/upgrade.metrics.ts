import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Registry } from '#platform/process';
import { type CoordinatorPass } from './upgrade-coordinator';

/** Metrics of the coordinator of upgrades for Prometheus. Only the leader knows the values; the others report 0. */
@Injectable()
export class UpgradeMetrics {
  private readonly leading: Gauge;
  private readonly open: Gauge;
  private readonly unratified: Gauge;
  private readonly overdue: Gauge;
  private readonly steps: Counter<'step'>;
  private readonly alarms: Counter<'kind'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.leading = new Gauge({
      name: 'kernel_upgrade_coordinator_leading',
      help: '1 in the process that applies, expires and settles upgrades.',
      registers,
    });
    this.open = new Gauge({
      name: 'kernel_upgrades_open',
      help: 'Upgrades that are proposed, approved, or applied in an emergency and not ratified.',
      registers,
    });
    this.unratified = new Gauge({
      name: 'kernel_upgrades_unratified',
      help: 'Upgrades that were applied in an emergency and wait for their ratification. Alert on any.',
      registers,
    });
    this.overdue = new Gauge({
      name: 'kernel_upgrades_overdue',
      help: 'Upgrades about which something is due that could not be done at the last look.',
      registers,
    });
    this.steps = new Counter({
      name: 'kernel_upgrade_coordinator_steps_total',
      help: 'What the coordinator did.',
      labelNames: ['step'],
      registers,
    });
    this.alarms = new Counter({
      name: 'kernel_upgrade_alarms_total',
      help: 'Emergencies that nobody ratified: rolled back by the kernel, or to be rolled back by people.',
      labelNames: ['kind'],
      registers,
    });
  }

  onTerm(leading: boolean): void {
    this.leading.set(leading ? 1 : 0);
    if (leading) return;
    this.open.set(0);
    this.unratified.set(0);
    this.overdue.set(0);
  }

  onPass(pass: CoordinatorPass): void {
    this.open.set(pass.open);
    this.unratified.set(pass.unratified);
    this.overdue.set(pass.failed.length);
    this.steps.inc({ step: 'apply' }, pass.applied.length);
    this.steps.inc({ step: 'expire' }, pass.expired.length);
    this.alarms.inc({ kind: 'rolled_back' }, pass.rolledBack.length);
    this.alarms.inc({ kind: 'rollback_required' }, pass.rollbackRequired.length);
  }
}
