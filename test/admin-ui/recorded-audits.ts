import { Client } from 'pg';
import { canonicalize, type JsonObject } from '#evidence';
import { type TestStack } from '#dev/testing';

const DAY_MS = 86_400_000;

/** A row as the workers' role of the database can write it, whoever has its password. */
export interface RecordedAudit {
  readonly id: string;
  readonly outcome: 'clean' | 'findings' | 'failed';
  readonly message?: string;
  /** As the row says it. */
  readonly findings?: number;
  readonly report?: JsonObject;
  readonly seal?: string;
}

/** Records audits in this order, each begun a day before the present. */
export async function recordAudits(stack: TestStack, audits: readonly RecordedAudit[]): Promise<void> {
  const client = new Client({ connectionString: stack.postgres.workerUrl });
  await client.connect();
  try {
    for (const { id, outcome, message = null, findings = null, report, seal } of audits) {
      await client.query(
        `INSERT INTO kernel.audit_runs (id, started_at, outcome, events, findings, message, report, seal)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [
          id,
          new Date(Date.now() - DAY_MS),
          outcome,
          findings === null ? null : 24,
          findings,
          message,
          report === undefined ? null : Buffer.from(canonicalize(report)),
          seal === undefined ? null : Buffer.from(seal),
        ],
      );
    }
  } finally {
    await client.end();
  }
}

/** A report with findings about an event of the chain, as the auditor writes it. */
export function reportWith(findings: number, about: { id: string; seq: number }): JsonObject {
  const listed = Array.from({ length: findings }, (_, n) => ({
    kind: n % 3 === 0 ? 'index_missing' : 'hash',
    shard: 0,
    seq: about.seq,
    subject: about.id,
    message: n === 1 ? 'the hash is \u202eanother' : `finding ${n}`,
  }));
  return {
    type: 'illuvrse-kernel/audit-report-body/v1',
    id: '0b1f5b1e-6f0a-4c3e-9a55-3c7d5f3f8a10',
    origin: 'kernel.test/prod',
    startedAt: '2026-01-31T02:00:00.000Z',
    finishedAt: '2026-01-31T02:00:07.000Z',
    verdict: findings === 0 ? 'clean' : 'findings',
    events: 24,
    objects: 24,
    shards: [{ shard: 0, head: { seq: 24, hash: 'ab'.repeat(32) }, indexed: 24, archived: 24, manifests: 1 }],
    findings: {
      count: findings,
      byKind: {
        hash: listed.filter(({ kind }) => kind === 'hash').length,
        index_missing: listed.filter(({ kind }) => kind === 'index_missing').length,
      },
      listed,
    },
  };
}
