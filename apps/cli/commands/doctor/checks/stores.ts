import { seen } from '../facts';
import { type Cause, type Finding } from '../finding';
import { bytes, type Check, duration, measured, when } from './check';
import { samplesOf, sumOf } from '../gather/metrics-text';

const HOUR = 3600;
/** Part of the connections that may be in use. */
const MOST_CONNECTIONS = 0.9;
const LONG_TRANSACTION_SECONDS = HOUR;
/** PostgreSQL refuses writes at 1; autovacuum goes to work long before. */
const MOST_TRANSACTION_IDS = 0.5;

const database: Check = {
  name: 'database',
  look({ database: looked, limits }) {
    if (looked.kind === 'failed' && looked.why.includes('permission denied')) return [unreadable(looked.why)];
    if (looked.kind === 'failed') {
      return [
        {
          code: 'postgres_away',
          severity: 'critical',
          what: `PostgreSQL cannot be asked: ${looked.why}.`,
          where: 'PostgreSQL',
          action:
            'See whether its server runs, has room, and lets this role in: ./kernel status, and the end of its log.',
          explains: ['postgres'],
          effectOf: ['process:postgres', 'port:postgres', 'disk'],
        },
      ];
    }
    if (looked.kind === 'not asked') return [];
    const { name, connections, oldestTransactionSeconds, transactionIdsUsed, clockAheadMs } = looked.value;
    const findings: Finding[] = looked.value.refused.map((what) =>
      unreadable(`its role may not read ${what}`),
    );
    if (connections.used > connections.max * MOST_CONNECTIONS) {
      findings.push({
        code: 'postgres_connections_nearly_out',
        severity: 'warning',
        what: `${connections.used} of ${connections.max} connections to PostgreSQL are in use.`,
        where: `database ${name}`,
        action:
          'See who holds them (SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1), end what is not the kernel, or raise max_connections.',
      });
    }
    if (oldestTransactionSeconds > LONG_TRANSACTION_SECONDS) {
      findings.push({
        code: 'postgres_long_transaction',
        severity: 'warning',
        what: `A transaction has been open for ${duration(oldestTransactionSeconds)}; nothing that it may see is cleaned up.`,
        where: `database ${name}`,
        action:
          'Find it (SELECT pid, application_name, xact_start FROM pg_stat_activity ORDER BY xact_start) and end it with pg_terminate_backend.',
      });
    }
    if (transactionIdsUsed > MOST_TRANSACTION_IDS) {
      findings.push({
        code: 'postgres_transaction_ids',
        severity: 'warning',
        what: `${Math.round(transactionIdsUsed * 100)} % of the transaction ids are used up; at 100 % PostgreSQL refuses writes.`,
        where: `database ${name}`,
        action: 'Run VACUUM (FREEZE) as the owner, and find out why autovacuum does not.',
      });
    }
    if (Math.abs(clockAheadMs) / 1000 > limits.clockSeconds) {
      findings.push({
        code: 'clock_skewed',
        severity: 'warning',
        what: `The clock of the database server is ${duration(Math.abs(clockAheadMs) / 1000)} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this machine's.`,
        where: `database ${name}`,
        action:
          'Compare date -u on both with a third clock, and set the one that is wrong (chronyc makestep).',
        runbook: 'clock-jumped.md',
        explains: ['clock'],
      });
    }
    return findings;
  },
};

function unreadable(why: string): Finding {
  return {
    code: 'database_unseen',
    severity: 'unknown',
    what: `A part of the database could not be looked at: ${why}.`,
    where: 'DATABASE_URL',
    action: 'Grant its role to read what docs/doctor.md lists, or give it another.',
  };
}

const schema: Check = {
  name: 'schema',
  look({ schema: looked, database: asked }) {
    if (looked.kind === 'failed' && asked.kind === 'seen') {
      return [
        {
          code: 'schema_unseen',
          severity: 'unknown',
          what: `The schema could not be looked at: ${looked.why}.`,
          where: 'schema kernel',
          action: './kernel migrate --check, as the owner, says what it lacks.',
          effectOf: ['postgres'],
        },
      ];
    }
    if (looked.kind !== 'seen') return [];
    const { missing, unknown, problems = [] } = looked.value;
    const findings: Finding[] = [];
    if (missing.length > 0) {
      findings.push({
        code: 'schema_older',
        severity: 'critical',
        what: `The schema is older than this version: it lacks ${missing.join(', ')}.`,
        where: 'schema kernel',
        action: './kernel migrate brings it up to date; run it before the new version starts.',
        explains: ['schema'],
      });
    }
    if (unknown.length > 0) {
      findings.push({
        code: 'schema_newer',
        severity: 'warning',
        what: `The schema is newer than this version, which does not know ${unknown.join(', ')}.`,
        where: 'schema kernel',
        action: 'Finish the upgrade, or look with the doctor of the newer version.',
        explains: ['schema'],
      });
    }
    for (const problem of missing.length > 0 ? [] : problems) {
      const right = problem.startsWith('A right is ');
      findings.push({
        code: right ? 'rights_wrong' : 'schema_wrong',
        severity: 'critical',
        what: problem,
        where: 'schema kernel',
        action: right
          ? 'Find out who changed it; ./kernel migrate gives each role exactly its rights again.'
          : 'The sentence says what to do; ./kernel migrate --check looks again.',
        explains: ['schema'],
      });
    }
    return findings;
  },
};

const kafka: Check = {
  name: 'kafka',
  look: ({ kafka: looked }) =>
    (seen(looked) ?? [])
      .filter(({ problem }) => problem !== null)
      .map(({ broker, problem }): Finding => ({
        code: 'kafka_away',
        severity: 'critical',
        what: `The Kafka broker does not answer: ${problem}. Nothing is published; what was written stays in the database.`,
        where: broker,
        action:
          'See whether it runs, has room and can be reached. The relay goes on by itself when it is back.',
        explains: ['kafka'],
        effectOf: ['process:kafka', 'port:kafka', 'disk'],
      })),
};

const archive: Check = {
  name: 'archive',
  look(facts) {
    const { archive: looked } = facts;
    const problem = looked.kind === 'failed' ? looked.why : seen(looked)?.problem;
    const where = seen(looked)?.name ?? 'the archive';
    const findings: Finding[] = [];
    if (problem !== undefined && problem !== null) {
      findings.push({
        code: 'archive_away',
        severity: 'critical',
        what: `The archive cannot be reached: ${problem}`,
        where,
        action:
          'See whether its server or folder is there and lets these credentials in. The archiver goes on by itself when it is.',
        explains: ['archive'],
        effectOf: ['process:s3', 'port:s3', 'disk'],
      });
    }
    for (const { name, url, metrics, earlier } of measured(facts)) {
      const failed = rise(metrics, earlier, 'archiver_upload_failures_total');
      if (failed === 0) continue;
      findings.push({
        code: 'archive_refuses',
        severity: 'critical',
        what: `${name} could not store ${failed} events within the last second.`,
        where: url,
        action:
          'See whether the bucket or folder may be written to and has room; each event is tried again by itself.',
        explains: ['archive'],
        effectOf: ['archive', 'disk', 'process:s3'],
      });
    }
    return findings;
  },
};

const disks: Check = {
  name: 'disks',
  look({ disks: looked, limits }) {
    const disk: readonly Cause[] = ['disk'];
    return (seen(looked) ?? []).flatMap(({ folder, freeBytes, totalBytes, problem, refused }): Finding[] => {
      const part = totalBytes === 0 ? 100 : (freeBytes / totalBytes) * 100;
      const where = folder;
      if (problem !== null) {
        const action = 'Make room, or give it a larger disk; everything goes on by itself then.';
        return [{ code: 'disk_full', severity: 'critical', what: problem, where, action, explains: disk }];
      }
      if (refused !== null) {
        return [
          {
            ...{ code: 'disk_not_writable', severity: 'critical', where, explains: disk },
            what: `${folder} cannot be written to (${refused}).`,
            action:
              'Give the account of the processes the right to write there, and see whether it is mounted read-only.',
          },
        ];
      }
      if (part >= limits.diskFreePercent) return [];
      return [
        {
          ...{ code: 'disk_nearly_full', severity: 'warning', where },
          what: `The disk of ${folder} is nearly full: ${bytes(freeBytes)} of ${bytes(totalBytes)} are free (${part.toFixed(1)} %).`,
          action:
            'Make room before it is full: ./kernel partitions list says what there is, ./kernel partitions detach takes out what everything else has.',
          runbook: 'partitions.md',
        },
      ];
    });
  },
};

const openBao: Check = {
  name: 'openbao',
  look(facts) {
    const { openBao: looked, at } = facts;
    const findings: Finding[] = [];
    if (looked.kind === 'failed') {
      findings.push({
        code: 'openbao_away',
        severity: 'critical',
        what: `OpenBao, which holds the keys, does not answer: ${looked.why}. Nothing can be signed.`,
        where: 'OpenBao',
        action: 'See whether it runs and can be reached; the signing proxy goes on by itself.',
        explains: ['openbao', 'signing'],
        effectOf: ['process:openbao', 'port:openbao', 'disk'],
      });
    } else if (looked.kind === 'seen' && (looked.value.sealed || !looked.value.initialized)) {
      findings.push({
        code: 'openbao_sealed',
        severity: 'critical',
        what: `OpenBao is ${looked.value.initialized ? 'sealed' : 'not initialised'}: nothing can be signed.`,
        where: looked.value.url,
        action: 'Unseal it (bao operator unseal) with the keys of those who hold them.',
        explains: ['openbao', 'signing'],
      });
    }
    for (const { name, metrics } of measured(facts)) {
      for (const [metric, samples] of metrics ?? []) {
        if (!metric.endsWith('token_expiry_timestamp_seconds')) continue;
        for (const { value } of samples) {
          const left = value - at / 1000;
          if (left > HOUR) continue;
          findings.push({
            code: 'token_near_end',
            severity: left > 0 ? 'warning' : 'critical',
            what: `The token with which ${name} reaches its keys ${left > 0 ? `ends in ${duration(left)}` : `ended at ${when(value * 1000)}`}.`,
            where: name,
            action: 'See why it is not renewed (its log), and give the process a new one.',
          });
        }
      }
    }
    return findings;
  },
};

const signing: Check = {
  name: 'signing',
  look(facts) {
    const { limits } = facts;
    return measured(facts).flatMap(({ name, url, metrics, earlier }): Finding[] => {
      const open = samplesOf(metrics, 'signing_proxy_backend_circuit_open').filter(
        ({ value }) => value === 1,
      );
      const findings = open.map(({ labels }): Finding => ({
        code: 'signing_backend_failing',
        severity: 'critical',
        what: `The signing backend ${labels['backend']} failed several times in a row and is not asked for a while.`,
        where: url,
        action:
          'See whether the HSM, KMS or transit engine answers, and whether the credentials for it are valid.',
        explains: ['signing'],
        effectOf: ['openbao', 'process:openbao'],
      }));
      const mean = recentMean(metrics, earlier, 'signing_proxy_backend_duration_seconds');
      if (mean !== undefined && mean > limits.slowSignatureSeconds) {
        findings.push({
          code: 'signing_slow',
          severity: 'warning',
          what: `A call of the signing backend takes ${mean.toFixed(1)} s; ${limits.slowSignatureSeconds} s are expected at most.`,
          where: `${name} at ${url}`,
          action: 'See what slows the HSM, KMS or transit engine, and the way to it.',
        });
      }
      return findings;
    });
  },
};

type Measured = Parameters<typeof sumOf>[0];

function rise(now: Measured, before: Measured, name: string): number {
  return Math.max(0, (sumOf(now, name) ?? 0) - (sumOf(before, name) ?? 0));
}

/** Mean of a histogram over what happened between two looks; over everything where nothing did. */
function recentMean(now: Measured, before: Measured, name: string): number | undefined {
  const [sum, count] = [sumOf(now, `${name}_sum`) ?? 0, sumOf(now, `${name}_count`) ?? 0];
  const [sumBefore, countBefore] = [sumOf(before, `${name}_sum`) ?? 0, sumOf(before, `${name}_count`) ?? 0];
  if (count > countBefore) return (sum - sumBefore) / (count - countBefore);
  return count === 0 ? undefined : sum / count;
}

export const STORE_CHECKS: readonly Check[] = [disks, openBao, database, schema, kafka, archive, signing];
