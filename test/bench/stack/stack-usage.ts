import { setTimeout as delay } from 'node:timers/promises';
import { type Client } from 'pg';
import { type TestStack } from '#dev/testing';
import { metricsOf } from '../machine/metrics';
import { cpuOfStack } from './stack-cpu';

const POLL_MS = 20;
const SETTLE_MS = 600_000;
const SIGNATURES = 'signing_proxy_signatures_total';

/** What a stack has used up to a moment. */
export interface Reading {
  /** CPU seconds by process. */
  cpu: ReadonlyMap<string, number>;
  walBytes: number;
  /** Null where PostgreSQL does not count them. */
  flushes: number | null;
  signatures: number;
}

/** What an event costs: microseconds and bytes each, flushes and signatures for a hundred. */
export interface EventCost {
  cpu: { all: number; by: Record<string, number> };
  walBytes: number;
  flushes: number | null;
  signatures: number;
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
  async settled(): Promise<number> {
    const began = performance.now();
    while (!(await this.caughtUp())) {
      if (performance.now() - began > SETTLE_MS)
        throw new Error(`the workers are behind after ${SETTLE_MS} ms`);
      await delay(POLL_MS);
    }
    return performance.now() - began;
  }

  async now(): Promise<Reading> {
    const { rows } = await this.database.query<{ wal: string }>(
      `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal`,
    );
    const metrics = await metricsOf(`${this.stack.signingProxyManagementUrl}/metrics`);
    return {
      cpu: cpuOfStack(this.stack),
      walBytes: Number(rows[0]?.wal),
      flushes: await this.flushes(),
      signatures: metrics.value(SIGNATURES),
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
    };
  }

  private async caughtUp(): Promise<boolean> {
    const { rows } = await this.database.query<{ behind: string }>({
      name: 'bench_behind',
      text: `
        SELECT count(*) AS behind
        FROM kernel.shard_head h
        CROSS JOIN unnest(ARRAY['indexer', 'archiver', 'log-publisher']) AS c (consumer)
        LEFT JOIN kernel.stream_positions p ON p.consumer = c.consumer AND p.shard = h.shard
        LEFT JOIN kernel.relay_cursors r ON r.shard = h.shard
        WHERE least(coalesce(p.seq, 0), coalesce(r.seq, 0)) < h.seq`,
    });
    return Number(rows[0]?.behind) === 0;
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

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}
