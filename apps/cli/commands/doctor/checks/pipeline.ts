import { seen } from '../facts';
import { type Cause, type Finding } from '../finding';
import { samplesOf, sumOf } from '../gather/metrics-text';
import { type Check, duration, measured, when } from './check';

/** Every reader of the log, as the finding calls it, and what it waits for. */
const READERS: Record<string, { code: string; what: string; waitsFor: readonly Cause[] }> = {
  'outbox-relay': {
    code: 'relay_behind',
    what: 'The relay is behind',
    waitsFor: ['process:outbox-relay', 'kafka', 'postgres'],
  },
  indexer: {
    code: 'index_behind',
    what: 'The index is behind',
    waitsFor: ['process:indexer', 'kafka', 'process:outbox-relay', 'postgres'],
  },
  archiver: {
    code: 'archive_behind',
    what: 'The archive is behind',
    waitsFor: ['process:archiver', 'archive', 'kafka', 'process:outbox-relay', 'postgres'],
  },
  'log-publisher': {
    code: 'log_behind',
    what: 'The transparency log is behind',
    waitsFor: [
      'process:log-publisher',
      'archive',
      'openbao',
      'signing',
      'kafka',
      'process:outbox-relay',
      'postgres',
    ],
  },
};

const lags: Check = {
  name: 'lags',
  look(facts) {
    const { limits, database } = facts;
    const behind = seen(database)?.behind ?? lagsByMetrics(facts);
    return behind
      .filter(({ ageSeconds }) => ageSeconds > limits.behindSeconds)
      .map(({ reader, shard, events, ageSeconds }): Finding => {
        const known = READERS[reader];
        return {
          code: known?.code ?? 'reader_behind',
          severity: 'warning',
          what: `${known?.what ?? `The reader ${reader} is behind`}: ${events} events wait, the oldest for ${duration(ageSeconds)}.`,
          where: `shard ${shard}`,
          action: `See /ready and the log of ${reader}; it catches up by itself when what it waits for is there.`,
          effectOf: [...(known?.waitsFor ?? ['postgres']), 'integrity', 'disk'],
        };
      });
  },
};

/** Where the database cannot be asked, the processes tell how far they are. */
function lagsByMetrics(facts: Parameters<Check['look']>[0]) {
  return measured(facts).flatMap(({ metrics }) =>
    samplesOf(metrics, 'kernel_pipeline_lag_seconds').map(({ labels, value }) => {
      const { stage = '', shard = '0' } = labels;
      const events = samplesOf(metrics, 'kernel_pipeline_lag_events').find(
        (one) => one.labels['stage'] === stage && one.labels['shard'] === shard,
      );
      const reader = stage === 'relay' ? 'outbox-relay' : stage;
      return { reader, shard: Number(shard), events: events?.value ?? 0, ageSeconds: value };
    }),
  );
}

const checkpoints: Check = {
  name: 'checkpoints',
  look(facts) {
    const heads = seen(facts.database)?.heads ?? [];
    return measured(facts).flatMap(({ metrics, name }) =>
      samplesOf(metrics, 'log_publisher_checkpoint_age_seconds').flatMap(({ labels, value }): Finding[] => {
        const shard = labels['shard'] ?? '0';
        const size = samplesOf(metrics, 'log_publisher_published_size').find(
          (one) => one.labels['shard'] === shard,
        )?.value;
        const head = heads.find((one) => String(one.shard) === shard);
        // A log without new events needs no new checkpoint. `size` counts what this process published itself.
        const whole = size === undefined || size === 0 || head === undefined || size >= head.seq;
        if (whole || value <= facts.limits.behindSeconds) return [];
        return [
          {
            code: 'checkpoint_stale',
            severity: 'warning',
            what: `The newest checkpoint is ${duration(value)} old and has ${size} of ${head.seq} events.`,
            where: `${name}, shard ${shard}`,
            action:
              'See the log of the log publisher: who signs checkpoints, and the archive, have to answer.',
            effectOf: ['process:log-publisher', 'archive', 'openbao', 'signing', 'kafka', 'postgres'],
          },
        ];
      }),
    );
  },
};

const audits: Check = {
  name: 'audits',
  look({ database, limits, at }) {
    const facts = seen(database);
    if (facts === undefined || facts.chain === null) return [];
    const hours = limits.auditHours;
    const action = './kernel audit run audits everything now; ./kernel audit runs shows the newest audits.';
    const base = { severity: 'warning', where: facts.chain.origin, action } as const;
    const last = facts.lastAudit;
    if (last === null && facts.refused.includes('kernel.audit_runs')) return [];
    if (last === null) {
      const hoursThere = (at - facts.chain.createdAt) / 3_600_000;
      if (hoursThere <= hours) return [];
      return [
        {
          ...base,
          code: 'audit_never',
          what: `No audit was recorded in the ${duration(hoursThere * 3600)} since the chain began.`,
          effectOf: ['process:auditor'],
        },
      ];
    }
    const findings: Finding[] = [];
    if (last.outcome === 'findings') {
      findings.push({
        ...base,
        code: 'audit_findings',
        severity: 'critical',
        what: `The newest audit (${last.id}, ${when(last.startedAt)}) has ${last.findings} finding(s).`,
        action: './kernel audit runs names the report, which lists them; ./kernel audit run looks again.',
        runbook: 'integrity-alarm.md',
        explains: ['audit'],
      });
    } else if (last.outcome === 'failed') {
      findings.push({
        ...base,
        code: 'audit_failed',
        what: `The newest audit (${when(last.startedAt)}) could not be carried out: ${last.message ?? 'no reason was recorded'}`,
        explains: ['audit'],
        effectOf: ['archive', 'openbao', 'signing', 'postgres'],
      });
    }
    const seconds = (at - last.startedAt) / 1000;
    if (seconds > hours * 3600) {
      findings.push({
        ...base,
        code: 'audit_old',
        what: `The newest audit began ${duration(seconds)} ago; one a day is expected.`,
        effectOf: ['process:auditor'],
      });
    }
    return findings;
  },
};

const integrity: Check = {
  name: 'integrity',
  look(facts) {
    return measured(facts).flatMap(({ name, url, metrics }): Finding[] => [
      ...samplesOf(metrics, 'kernel_integrity_faults_total')
        .filter(({ value }) => value > 0)
        .map(({ labels, value }): Finding => ({
          code: 'integrity_fault',
          severity: 'critical',
          what: `The database holds what this kernel did not write (${labels['where']}): met ${value} times since ${name} started.`,
          where: `${name} at ${url}, ${labels['where']}`,
          action:
            './kernel mode safe-mode --reason "integrity alarm", then ./kernel audit verify --signers signers.json names the rows. The count begins anew when the process is started again.',
          runbook: 'integrity-alarm.md',
          explains: ['integrity'],
        })),
      ...samplesOf(metrics, 'audit_integrity_failures_total')
        .filter(({ value }) => value > 0)
        .map(({ labels }): Finding => ({
          code: 'chain_contradicted',
          severity: 'critical',
          what: `${name} has met something that contradicts the chain (${labels['kind']}) and stopped the shard.`,
          where: `${name}, shard ${labels['shard']}`,
          action: './kernel audit verify --signers signers.json says what is wrong and where.',
          runbook: 'integrity-alarm.md',
          explains: ['integrity'],
        })),
      ...above(metrics, 'kernel_key_events_refused').map((value): Finding => ({
        code: 'key_events_forged',
        severity: 'critical',
        what: `${value} row(s) of the event log say that they change the keys, and no key signed them.`,
        where: name,
        action: './kernel audit verify --signers signers.json names them.',
        runbook: 'integrity-alarm.md',
      })),
      ...samplesOf(metrics, 'witness_log_inconsistent')
        .filter(({ value }) => value > 0)
        .map(({ labels }): Finding => ({
          code: 'log_inconsistent',
          severity: 'critical',
          what: `The log ${labels['log']} has signed two roots of one size.`,
          where: name,
          action: 'Keep both checkpoints: they are the proof. Call the owner of the audit log.',
          runbook: 'key-compromise.md',
        })),
    ]);
  },
};

const backups: Check = {
  name: 'backups',
  look(facts) {
    const { at, limits } = facts;
    // Without these metrics no backups are configured, which parts() says.
    return measured(facts).flatMap(({ name, metrics }): Finding[] => {
      const age = (metric: string) => {
        const value = sumOf(metrics, metric);
        return value === undefined ? undefined : value === 0 ? Infinity : at / 1000 - value;
      };
      const findings: Finding[] = [];
      const base = age('kernel_backup_last_base_timestamp_seconds');
      const wal = age('kernel_backup_last_wal_timestamp_seconds');
      if (base !== undefined && base > limits.backupHours * 3600) {
        findings.push({
          code: 'backup_old',
          severity: 'warning',
          what:
            base === Infinity
              ? 'There is no base backup of the database.'
              : `The newest base backup is ${duration(base)} old; ${limits.backupHours} h are expected at most.`,
          where: name,
          action: 'See the log of what makes the backups, and make one now.',
          runbook: 'restore-drill.md',
        });
      }
      if (wal !== undefined && wal > Math.max(limits.behindSeconds * 10, 600)) {
        findings.push({
          code: 'wal_archiving_behind',
          severity: 'critical',
          what:
            wal === Infinity
              ? 'No WAL of the database has been archived.'
              : `WAL has not been archived for ${duration(wal)}: what was written since is in no backup.`,
          where: name,
          action: 'SELECT * FROM pg_stat_archiver says what fails; its disk fills up until it goes on.',
          runbook: 'restore-drill.md',
          effectOf: ['archive', 'postgres'],
        });
      }
      return findings;
    });
  },
};

function above(metrics: Parameters<typeof sumOf>[0], name: string): number[] {
  const value = sumOf(metrics, name) ?? 0;
  return value > 0 ? [value] : [];
}

export const PIPELINE_CHECKS: readonly Check[] = [integrity, lags, checkpoints, audits, backups];
