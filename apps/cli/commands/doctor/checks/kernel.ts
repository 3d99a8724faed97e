import { seen } from '../facts';
import { type Finding } from '../finding';
import { samplesOf, sumOf } from '../gather/metrics-text';
import { type Check, duration, measured } from './check';

const mode: Check = {
  name: 'mode',
  look(facts) {
    const known = seen(facts.database)?.mode;
    const byMetrics = measured(facts)
      .flatMap(({ metrics }) => samplesOf(metrics, 'kernel_mode'))
      .find(({ labels, value }) => value === 1 && labels['mode'] !== 'normal');
    const name = known?.mode ?? byMetrics?.labels['mode'];
    if (name === undefined || name === 'normal') return [];
    const restoring = known?.restoring === true;
    return [
      {
        code: restoring ? 'mode_restoring' : 'mode_not_normal',
        severity: 'critical',
        what: restoring
          ? 'The store is being rebuilt from the archive: the kernel answers nothing until that is done.'
          : `The kernel is in ${name}: it writes nothing. ${known?.reason ?? ''}`.trim(),
        where: 'kernel.mode',
        action: restoring
          ? './kernel replay --from archive --to store --signers signers.json, then ./kernel mode normal.'
          : './kernel mode says who changed it and why; ./kernel mode normal --reason ... ends it, once that reason is gone.',
        ...(name === 'safe-mode' ? { runbook: 'restore-drill.md' } : {}),
        explains: ['mode'],
      },
    ];
  },
};

const clocks: Check = {
  name: 'clocks',
  look(facts) {
    const { limits } = facts;
    const findings: Finding[] = [];
    const base = {
      action:
        'Compare date -u there and here with a third clock, and set the one that is wrong (chronyc makestep).',
      runbook: 'clock-jumped.md',
    };
    for (const { name, url, health, metrics } of seen(facts.endpoints) ?? []) {
      const ahead = sumOf(metrics, 'audit_clock_ahead_seconds');
      if (ahead !== undefined && ahead > limits.clockSeconds) {
        findings.push({
          ...base,
          code: 'clock_ahead',
          severity: 'critical',
          what: `The clock of ${name} is ${duration(ahead)} ahead of the database server's.`,
          where: url,
          explains: ['clock'],
        });
        continue;
      }
      if (health.clock === undefined) continue;
      // The header has whole seconds.
      const apart = (health.clock.there - health.clock.here) / 1000;
      if (Math.abs(apart) <= limits.clockSeconds + 1) continue;
      findings.push({
        ...base,
        code: 'clock_skewed',
        severity: 'warning',
        what: `The clock of ${name} is ${duration(Math.abs(apart))} ${apart > 0 ? 'ahead of' : 'behind'} this machine's.`,
        where: url,
        explains: ['clock'],
      });
    }
    return findings;
  },
};

const keys: Check = {
  name: 'keys',
  look(facts) {
    const due = measured(facts).flatMap(({ metrics }) =>
      samplesOf(metrics, 'kernel_key_rotation_due').filter(({ value }) => value === 1),
    );
    const kids = new Set(due.map(({ labels }) => labels['kid'] ?? ''));
    const findings = [...kids].map((kid): Finding => ({
      code: 'key_rotation_due',
      severity: 'warning',
      what: `The key ${kid} is older than a key may become here.`,
      where: kid,
      action: './kernel keys rotate replaces it; docs/keys.md has the steps.',
    }));
    const signers = facts.signers;
    if (signers.kind === 'seen' && signers.value.differences.length > 0) {
      findings.push({
        code: 'signers_differ',
        severity: 'critical',
        what: `The trust root is not what the registry says: ${signers.value.differences.join('; ')}.`,
        where: signers.value.file,
        action:
          './kernel keys list shows the registry. Where a rotation is missing in the file, it has to come by the way in which you trust it; another public key under a known name is an attack until proved otherwise.',
        runbook: 'key-compromise.md',
      });
    } else if (signers.kind === 'failed') {
      findings.push({
        code: 'signers_unseen',
        severity: 'unknown',
        what: `The trust root could not be compared with the registry: ${signers.why}`,
        where: 'signers.json',
        action: './kernel keys signers prints what the registry says.',
        effectOf: ['process:kernel', 'postgres', 'certificates'],
      });
    }
    return findings;
  },
};

const deliveries: Check = {
  name: 'deliveries',
  look(facts) {
    const dead = (metric: string, label: string) =>
      measured(facts).flatMap(({ metrics }) =>
        samplesOf(metrics, metric)
          .filter(({ labels, value }) => labels['state'] === 'dead' && value > 0)
          .map(({ labels, value }) => ({ to: labels[label] ?? '', value })),
      );
    return [
      ...dead('kernel_notifications_undelivered', 'endpoint').map(({ to, value }): Finding => ({
        code: 'notifications_dead',
        severity: 'warning',
        what: `${value} notification(s) to ${to} were given up.`,
        where: to,
        action:
          './kernel upgrade notifications lists them; ./kernel upgrade redeliver sends one again, when the receiver answers.',
      })),
      ...dead('kernel_webhook_undelivered', 'webhook').map(({ to, value }): Finding => ({
        code: 'webhooks_dead',
        severity: 'warning',
        what: `${value} event(s) for the webhook ${to} were given up.`,
        where: to,
        action:
          './kernel webhook deliveries lists them; ./kernel webhook redeliver sends them again, when the receiver answers.',
      })),
    ];
  },
};

const upgrades: Check = {
  name: 'upgrades',
  look(facts) {
    const most = (metric: string) =>
      Math.max(0, ...measured(facts).map(({ metrics }) => sumOf(metrics, metric) ?? 0));
    const findings: Finding[] = [];
    const unratified = most('kernel_upgrades_unratified');
    const overdue = most('kernel_upgrades_overdue');
    if (unratified > 0) {
      findings.push({
        code: 'upgrades_unratified',
        severity: 'warning',
        what: `${unratified} upgrade(s) were applied in an emergency and are not ratified.`,
        where: 'governance',
        action: './kernel upgrade list shows them; the approvers decide with ./kernel upgrade ratify.',
      });
    }
    if (overdue > 0) {
      findings.push({
        code: 'upgrades_overdue',
        severity: 'warning',
        what: `Something is due about ${overdue} upgrade(s) and could not be done.`,
        where: 'governance',
        action: './kernel upgrade list shows them, the log of the kernel says why.',
        effectOf: ['openbao', 'signing', 'mode', 'postgres'],
      });
    }
    return findings;
  },
};

/** Below this few groups are left until writes are refused. */
const LEAST_ROOM_EVENTS = 10_000;

const partitions: Check = {
  name: 'partitions',
  look(facts) {
    return measured(facts).flatMap(({ name, metrics }) => {
      const failures = sumOf(metrics, 'kernel_partition_failures_total') ?? 0;
      return samplesOf(metrics, 'kernel_partition_room_events')
        .filter(({ value }) => failures > 0 && value < LEAST_ROOM_EVENTS)
        .map(({ labels, value }): Finding => ({
          code: 'partitions_full',
          severity: 'critical',
          what: `The partitions of the event log have room for ${value} more events, and no more could be made.`,
          where: `${name}, shard ${labels['shard']}`,
          action: 'The log of the kernel says why; ./kernel partitions list says what there is.',
          runbook: 'partitions.md',
          effectOf: ['disk', 'schema', 'postgres'],
        }));
    });
  },
};

export const KERNEL_CHECKS: readonly Check[] = [clocks, mode, keys, deliveries, upgrades, partitions];
