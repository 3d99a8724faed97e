import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { type MtlsClient, startStack, type TestStack } from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { assertNoErrors, operatorOf, round, warmUp } from './bench-stack';
import { loadOn } from './load/load';
import { cpuSecondsOf } from './machine/process-cpu';
import { MIB, residentBytes } from './machine/resident-memory';
import { quantile } from './quantile';
import { sampleIds, seedEvents, settle } from './seed/seed-events';

const BATCH = 10;
const WARM_UP_S = 10;
const POLL_MS = 5;
const MOST_OUTSTANDING = 200;
const READERS = 16;
const SAMPLED_IDS = 20_000;
const DRAIN_MS = 900_000;

/** From a write to its published checkpoint at a steady rate, the publisher's CPU, and receipts of a large log. */
export async function run(): Promise<BenchResult> {
  const {
    benchPipelineSeconds: seconds,
    benchPipelineRate: rate,
    benchEvents,
    benchSeconds,
  } = loadBenchConfig();
  const stack = await startStack({
    workers: ['outbox-relay', 'log-publisher'],
    logLevel: 'info',
    postgresSettings: { shared_buffers: '256MB' },
  });
  const database = new Client({ connectionString: stack.postgres.superuserUrl });
  await database.connect();
  try {
    const rows = [await published(stack, database, rate, seconds)];
    const before = await headOf(database);
    const cpu = cpuOf(stack);
    const began = performance.now();
    await seedEvents(stack, benchEvents);
    await reached(database, await headOf(database));
    const events = (await headOf(database)) - before;
    rows.push({
      what: 'behind a bulk load',
      events,
      'events/s': Math.round((events * 1_000) / (performance.now() - began)),
      'CPU us': Math.round(((cpuOf(stack) - cpu) / events) * 1e6),
    });
    await settle(stack);
    const ids = await sampleIds(stack, SAMPLED_IDS);
    const target = operatorOf(stack);
    // Fetching the event is a part of its receipt, and tells what this machine gives just now.
    for (const kind of ['fetch', 'receipt'] as const) {
      const workload = { kind, ids };
      await warmUp(target, workload, READERS);
      const measureMs = benchSeconds * 1_000;
      const load = assertNoErrors(
        await loadOn(target, { concurrency: READERS, warmUpMs: 2_000, measureMs, workload }),
      );
      rows.push({
        what: `${kind}, ${READERS} concurrent`,
        events: await headOf(database),
        'req/s': Math.round(load.perSecond),
        p50: round(load.p50),
        p95: round(load.p95),
        p99: round(load.p99),
      });
    }
    return {
      name: `log: ${rate} events/s for ${seconds} s, then receipts of ${benchEvents} events`,
      rows,
      notes: [
        'published: ms from the time in the event until its checkpoint is published; goal p95 <= 1,500 at 1,000 events/s.',
        'CPU us: of the log publisher, per event, with checking hash, link and signature; goal <= 150.',
        `receipts: of ${SAMPLED_IDS} events spread over the whole log; goal p95 <= 20 ms.`,
        'Load generator, kernel, signing proxy, PostgreSQL, relay and publisher share the cores.',
      ],
    };
  } finally {
    await database.end();
    await stack.stop();
  }
}

async function published(
  stack: TestStack,
  database: Client,
  rate: number,
  seconds: number,
): Promise<BenchResult['rows'][number]> {
  const operator = stack.client('OPERATOR');
  await write(operator, rate, WARM_UP_S * 1_000);
  const from = await headOf(database);
  await reached(database, from);
  const passed: { seq: number; at: number }[] = [];
  let watching = true;
  const watch = (async () => {
    for (; watching; await delay(POLL_MS)) {
      const seq = await positionOf(database);
      if (seq > (passed.at(-1)?.seq ?? from)) passed.push({ seq, at: Date.now() });
    }
  })();
  const cpu = cpuOf(stack);
  await write(operator, rate, seconds * 1_000);
  const to = await headOf(database);
  await reached(database, to);
  await delay(POLL_MS * 4);
  watching = false;
  await watch;
  const used = cpuOf(stack) - cpu;
  const { rows } = await database.query<{ seq: string; ms: string }>(
    'SELECT seq, extract(epoch FROM ts) * 1000 AS ms FROM kernel.events WHERE shard = 0 AND seq > $1 AND seq <= $2 ORDER BY seq',
    [from, to],
  );
  let next = 0;
  const latencies = rows.map(({ seq, ms }) => {
    while ((passed[next]?.seq ?? Infinity) < Number(seq)) next++;
    return (passed[next]?.at ?? Number.NaN) - Number(ms);
  });
  const sorted = Float64Array.from(latencies).sort();
  const pid = stack.worker('log-publisher').process.current?.pid ?? 0;
  return {
    what: 'published',
    events: to - from,
    p50: round(quantile(sorted, 0.5)),
    p95: round(quantile(sorted, 0.95)),
    p99: round(quantile(sorted, 0.99)),
    max: round(sorted.at(-1) ?? Number.NaN),
    'CPU us': Math.round((used / (to - from)) * 1e6),
    checkpoints: passed.length,
    'RSS MiB': round((residentBytes(pid) ?? 0) / MIB),
  };
}

/** Sends at a steady rate regardless of the answers; resolves when all have arrived. */
async function write(operator: MtlsClient, rate: number, ms: number): Promise<void> {
  const every = (BATCH * 1_000) / rate;
  const began = performance.now();
  const outstanding = new Set<Promise<void>>();
  for (let n = 0; n * every < ms; n += 1) {
    const wait = began + n * every - performance.now();
    if (wait > 0) await delay(wait);
    if (outstanding.size >= MOST_OUTSTANDING) throw new Error('the kernel does not keep up with this rate');
    const events = Array.from({ length: BATCH }, (_, index) => ({
      type: 'bench.measured',
      stream: `bench/${began}-${n}`,
      payload: { n, index, note: 'an event of ordinary size, with a few words in it', tags: ['a', 'b', 'c'] },
    }));
    const sent = operator.post('/kernel/audit', { events }).then(({ status, text }) => {
      if (status !== 201) throw new Error(`${status} ${text}`);
    });
    outstanding.add(sent);
    void sent.finally(() => outstanding.delete(sent)).catch(() => undefined);
  }
  await Promise.all(outstanding);
}

function cpuOf(stack: TestStack): number {
  return cpuSecondsOf(stack.worker('log-publisher').process.current?.pid ?? 0) ?? 0;
}

async function reached(database: Client, seq: number): Promise<void> {
  const deadline = performance.now() + DRAIN_MS;
  while ((await positionOf(database)) < seq) {
    if (performance.now() > deadline) throw new Error(`the log did not catch up within ${DRAIN_MS} ms`);
    await delay(POLL_MS);
  }
}

async function positionOf(database: Client): Promise<number> {
  const { rows } = await database.query<{ seq: string }>({
    name: 'bench_log_position',
    text: `SELECT seq FROM kernel.stream_positions WHERE consumer = 'log-publisher' AND shard = 0`,
  });
  return Number(rows[0]?.seq ?? 0);
}

async function headOf(database: Client): Promise<number> {
  const { rows } = await database.query<{ seq: string }>('SELECT seq FROM kernel.shard_head WHERE shard = 0');
  return Number(rows[0]?.seq ?? 0);
}
