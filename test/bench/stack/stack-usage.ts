import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type TestStack } from '#dev/testing';
import { metricsOf } from '../machine/metrics';
import { cpuOfStack } from './stack-cpu';

const POLL_MS = 20;
const SETTLE_MS = 600_000;
const ALL = ['indexer', 'archiver', 'log-publisher'];
const SIGNATURES = 'signing_proxy_signatures_total';

/** What a stack has used up to a moment. */
export interface Reading {
  /** CPU seconds by process. */
  cpu: ReadonlyMap<string, number>;
  walBytes: number;
  /** Null where PostgreSQL does not count them. */
  flushes: number | null;
  signatures: number;
  /** Groups that the kernels committed, and groups that they numbered again. */
  groups: number;
  again: number;
}

/** What an event costs: microseconds and bytes each, flushes, signatures and groups for a hundred. */
export interface EventCost {
  cpu: { all: number; by: Record<string, number> };
  walBytes: number;
  flushes: number | null;
  signatures: number;
  groups: number;
  /** Groups numbered again, mostly because another kernel was first; for a hundred that were committed. */
  again: number;
}

/**
 * CPU time, bytes of PostgreSQL's log, flushes and signatures of a stack. What /proc says of bytes written is left out: it
 * counts whole blocks of the file system, a megabyte for a flushed line on some.
 */
export class StackUsage {
  constructor(
    private readonly stack: TestStack,
    private readonly database: Client,
  ) {}

  /** Resolves when relay, index, archive and log have every event of every shard. @returns milliseconds waited */
  settled(): Promise<number> {
    return caughtUp(this.database, ALL, SETTLE_MS);
  }

  async now(): Promise<Reading> {
    const { rows } = await this.database.query<{ wal: string }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal`,
    );
    const kernels = await Promise.all(
      this.stack.kernels.map(({ managementUrl }) => metricsOf(`${managementUrl}/metrics`)),
    );
    return {
      cpu: cpuOfStack(this.stack),
      walBytes: Number(rows[0]?.wal),
      flushes: await this.flushes(),
      signatures: await signaturesOf(this.stack),
      groups: total(kernels.map((kernel) => kernel.value('audit_batch_events_count'))),
      again: total(kernels.map((kernel) => kernel.value('audit_group_retries_total'))),
    };
  }

  static between(before: Reading, after: Reading, events: number): EventCost {
    const micros = (seconds: number): number => Math.round((seconds / events) * 1e6);
    const used = [...after.cpu].map(([name, seconds]) => ({
      name,
      seconds: seconds - (before.cpu.get(name) ?? 0),
    }));
    const hundred = (to: number, from: number): number => Math.round(((to - from) / events) * 1_000) / 10;
    return {
      cpu: {
        all: micros(total(used.map(({ seconds }) => seconds))),
        by: Object.fromEntries(used.map(({ name, seconds }) => [name, micros(seconds)])),
      },
      walBytes: Math.round((after.walBytes - before.walBytes) / events),
      flushes:
        after.flushes === null || before.flushes === null ? null : hundred(after.flushes, before.flushes),
      signatures: hundred(after.signatures, before.signatures),
      groups: hundred(after.groups, before.groups),
      again:
        Math.round(((after.again - before.again) / Math.max(1, after.groups - before.groups)) * 1_000) / 10,
    };
  }

  /** Flushes of the log, which PostgreSQL counts in pg_stat_io from version 18 on. */
  private async flushes(): Promise<number | null> {
    const { rows } = await this.database.query<{ n: string | null }>(
      `SELECT sum((to_jsonb(io) ->> 'fsyncs')::bigint) AS n FROM pg_stat_io io WHERE io.object = 'wal'`,
    );
    const n = rows[0]?.n ?? null;
    return n === null ? null : Number(n);
  }
}

/**
 * Resolves when the relay and these consumers have every event of every shard.
 * @returns milliseconds waited
 * @throws Error when they are behind after `atMostMs`
 */
export async function caughtUp(
  database: Client,
  consumers: readonly string[],
  atMostMs: number,
): Promise<number> {
  const began = performance.now();
  for (;;) {
    const { rows } = await database.query<{ behind: string }>({
      name: 'bench_behind',
      text: `
        SELECT count(*) AS behind
        FROM kernel.shard_head h
        CROSS JOIN unnest($1::text[]) AS c (consumer)
        LEFT JOIN kernel.stream_positions p ON p.consumer = c.consumer AND p.shard = h.shard
        LEFT JOIN kernel.relay_cursors r ON r.shard = h.shard
        WHERE least(coalesce(p.seq, 0), coalesce(r.seq, 0)) < h.seq`,
      values: [consumers],
    });
    const waited = performance.now() - began;
    if (Number(rows[0]?.behind) === 0) return waited;
    if (waited > atMostMs) throw new Error(`${consumers.join(', ')}: behind after ${atMostMs} ms`);
    await delay(POLL_MS);
  }
}

/** The same over a connection of its own. */
export async function caughtUpBehind(
  stack: TestStack,
  consumers: readonly string[],
  atMostMs: number,
): Promise<void> {
  const database = new Client({ connectionString: stack.postgres.superuserUrl });
  await database.connect();
  try {
    await caughtUp(database, consumers, atMostMs);
  } finally {
    await database.end();
  }
}

/** Signatures that the stack's own signing proxy has made. */
export async function signaturesOf(stack: TestStack): Promise<number> {
  return (await metricsOf(`${stack.signingProxyManagementUrl}/metrics`)).value(SIGNATURES);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}
