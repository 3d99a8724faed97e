import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { type ArchiveChoice, type StreamChoice } from '#dev/devstack';
import {
  ensureBuilt,
  kafkaTestsMissing,
  type MtlsClient,
  s3Missing,
  startStack,
  type TestStack,
} from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { round } from './bench-stack';
import { collectedHeap, INSPECTED } from './machine/collected-heap';
import { MIB, residentBytes, slope } from './machine/resident-memory';
import { quantile } from './quantile';
import { cpuOfStack } from './stack/stack-cpu';

/** Events in one request: callers collect events into batches, as a platform's workers do. */
const BATCH = 10;
/** Time before the measurement: code is compiled, connections are opened, the first day and its folders are created. */
const WARM_UP_S = 10;
/** Resolution of an effect's time. */
const POLL_MS = 5;
const MEMORY_EVERY_MS = 1_000;
/** Memory grows to its working size first: the slope is measured after that. */
const SETTLED_AFTER = 1 / 3;
/** Requests that may wait for an answer; at a steady rate there are a handful. */
const MOST_OUTSTANDING = 200;
const DRAIN_MS = 120_000;

const STAGES = ['outbox-relay', 'indexer', 'archiver'] as const;
type Stage = (typeof STAGES)[number];

/** Latency from the time in an event until it is in the index and in the archive, at a steady rate, on one machine. */
export async function run(): Promise<BenchResult> {
  const {
    benchPipelineSeconds: seconds,
    benchPipelineRate: rate,
    benchPipelineParts: parts,
  } = loadBenchConfig();
  const result: BenchResult = {
    name: `pipeline: ${rate} events/s for ${seconds} s, ${BATCH} a request`,
    rows: [],
    notes: [
      'Latencies in ms, from the time in the event (set when its group is numbered) to the moment the stage has it for good.',
      'written/s: what the kernel acknowledged. CPU us: of the process, per event; this machine has',
      `${Math.round((availableParallelism() * 1e6) / rate)} for each event at this rate, the system itself included. Memory is in MiB: RSS at the start, at the end`,
      'and its slope (a minute, over the last two thirds); heap and buffers are what is left after a forced collection, before',
      'the load and when every stage has its last event.',
      'replay to index: the table is dropped, then `./kernel replay --from store --to index` verifies and rebuilds it, beside kernel and workers that run; goal >= 3,000 events/s.',
      'Load generator, kernel, signing proxy, PostgreSQL, stream, archive and workers share the cores.',
    ],
  };
  if (parts.includes('postgres+fs')) await measure(result, 'postgres', 'fs');
  if (!parts.includes('kafka+s3')) return result;
  const missing = kafkaTestsMissing() ?? s3Missing();
  if (missing === null) await measure(result, 'kafka', 's3');
  else result.notes.push(`kafka and s3 were not measured: ${missing}`);
  return result;

  async function measure(into: BenchResult, stream: StreamChoice, archive: ArchiveChoice): Promise<void> {
    const stack = await startStack({
      workers: ['outbox-relay', 'indexer', 'archiver'],
      stream,
      archive,
      logLevel: 'info',
      postgresSettings: { shared_buffers: '256MB' },
      workerVariables: () => ({ NODE_OPTIONS: INSPECTED }),
    });
    try {
      into.rows.push(...(await measureStack(stack, `${stream}, ${archive}`, rate, seconds)));
    } finally {
      await stack.stop();
    }
  }
}

async function measureStack(
  stack: TestStack,
  name: string,
  rate: number,
  seconds: number,
): Promise<BenchResult['rows']> {
  const database = new Client({ connectionString: stack.postgres.ownerUrl });
  await database.connect();
  const operator = stack.client('OPERATOR');
  try {
    await write(operator, rate, WARM_UP_S * 1_000);
    const from = await headOf(database);
    const processes = await Promise.all(
      stack.workers.map(async ({ app, process: service }) => {
        const pid = service.current?.pid ?? 0;
        const left = await collectedHeap(await stack.log(app));
        return { app, pid, left, memory: [] as [minutes: number, bytes: number][] };
      }),
    );
    const watch = new Watch(database, from);
    const cpu = cpuOf(stack);
    const began = performance.now();
    const sampling = setInterval(() => {
      for (const { pid, memory } of processes)
        memory.push([(performance.now() - began) / 60_000, residentBytes(pid) ?? 0]);
    }, MEMORY_EVERY_MS);
    const written = await write(operator, rate, seconds * 1_000);
    const to = await headOf(database);
    await watch.reached(to);
    clearInterval(sampling);
    const events = to - from;
    const used = new Map(
      [...cpuOf(stack)].map(([process, now]) => [process, ((now - (cpu.get(process) ?? 0)) / events) * 1e6]),
    );
    const times = await timesOf(database, from, to);
    const stages: BenchResult['rows'] = [];
    for (const stage of STAGES) {
      const latencies = watch.latencies(stage, times);
      const worker = processes.find(({ app }) => app === stage);
      if (worker === undefined) throw new Error(`the stack has no ${stage}`);
      const { memory, left } = worker;
      const settled = memory.slice(Math.floor(memory.length * SETTLED_AFTER));
      const resident = memory.map(([, bytes]) => bytes);
      const leftNow = await collectedHeap(await stack.log(stage));
      stages.push({
        parts: name,
        stage,
        'written/s': Math.round(written / seconds),
        p50: round(quantile(latencies, 0.5)),
        p95: round(quantile(latencies, 0.95)),
        p99: round(quantile(latencies, 0.99)),
        max: round(latencies.at(-1) ?? Number.NaN),
        'CPU us': Math.round(used.get(stage) ?? 0),
        'RSS first': round((resident[0] ?? 0) / MIB),
        'RSS last': round((resident.at(-1) ?? 0) / MIB),
        'RSS slope': round(slope(settled.map(([minutes, bytes]) => [minutes, bytes / MIB])), 1),
        'heap first': round(left.heap / MIB, 1),
        'heap last': round(leftNow.heap / MIB, 1),
        'buffers first': round(left.external / MIB, 1),
        'buffers last': round(leftNow.external / MIB, 1),
      });
    }
    used.set(
      'all',
      [...used.values()].reduce((sum, us) => sum + us, 0),
    );
    for (const [process, us] of used) {
      if (!STAGES.some((stage) => stage === process))
        stages.push({ parts: name, stage: process, 'CPU us': Math.round(us) });
    }
    return [...stages, await rebuildIndex(stack, database, name)];
  } finally {
    await database.end();
  }
}

/** CPU seconds used so far by every process of the stack, and by this one, which generates the load. */
function cpuOf(stack: TestStack): Map<string, number> {
  const { user, system } = process.cpuUsage();
  return new Map([...cpuOfStack(stack), ['load', (user + system) / 1e6]]);
}

/** The index dropped and rebuilt from the store, as an operator does it. */
async function rebuildIndex(
  stack: TestStack,
  database: Client,
  name: string,
): Promise<BenchResult['rows'][number]> {
  await database.query('DROP TABLE kernel_index.events');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      join(await ensureBuilt(), 'apps', 'cli', 'main.js'),
      ...['replay', '--from', 'store', '--to', 'index', '--json'],
    ],
    { env: { DATABASE_URL: stack.postgres.workerUrl, KERNEL_ORIGIN: stack.origin } },
  );
  const { events, seconds } = JSON.parse(stdout) as { events: number; seconds: number };
  const { rows } = await database.query<{ same: boolean }>(
    `SELECT count(*) = count(i.seq) AND bool_and(e.hash = i.hash) AS same
     FROM kernel.events e LEFT JOIN kernel_index.events i USING (shard, seq)`,
  );
  if (rows[0]?.same !== true) throw new Error('the index was not rebuilt as the store has it');
  return { parts: name, stage: 'replay to index', events, 'events/s': Math.round(events / seconds) };
}

/** Sends at a steady rate regardless of the answers; resolves when all have arrived. @returns events acknowledged */
async function write(operator: MtlsClient, rate: number, ms: number): Promise<number> {
  const every = (BATCH * 1_000) / rate;
  const began = performance.now();
  const outstanding = new Set<Promise<void>>();
  let acknowledged = 0;
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
      acknowledged += BATCH;
    });
    outstanding.add(sent);
    void sent.finally(() => outstanding.delete(sent)).catch(() => undefined);
  }
  await Promise.all(outstanding);
  return acknowledged;
}

/** Times at which each stage's position passed each event, polled every few milliseconds. */
class Watch {
  private readonly passed = new Map<Stage, { seq: number; at: number }[]>(STAGES.map((stage) => [stage, []]));
  private readonly goal = Promise.withResolvers<number>();
  private readonly done: Promise<void>;

  constructor(
    private readonly database: Client,
    private readonly from: number,
  ) {
    this.done = this.poll();
  }

  /** Settles when every stage has the event. */
  async reached(seq: number): Promise<void> {
    this.goal.resolve(seq);
    await this.done;
  }

  latencies(stage: Stage, times: ReadonlyMap<number, number>): Float64Array {
    const found: number[] = [];
    let next = this.from + 1;
    for (const { seq, at } of this.passed.get(stage) ?? []) {
      for (; next <= seq; next += 1) {
        const time = times.get(next);
        if (time !== undefined) found.push(at - time);
      }
    }
    return Float64Array.from(found).sort();
  }

  private async poll(): Promise<void> {
    let goal = Infinity;
    let deadline = Infinity;
    void this.goal.promise.then((seq) => {
      goal = seq;
      deadline = performance.now() + DRAIN_MS;
    });
    for (;;) {
      const { rows } = await this.database.query<{ consumer: Stage; seq: string }>({
        name: 'bench_positions',
        text: `SELECT consumer, seq FROM kernel.stream_positions WHERE shard = 0
               UNION ALL SELECT 'outbox-relay', seq FROM kernel.relay_cursors WHERE shard = 0`,
      });
      const at = Date.now();
      let behind: number = STAGES.length;
      for (const { consumer, seq: text } of rows) {
        const seq = Number(text);
        const passed = this.passed.get(consumer);
        if (passed !== undefined && seq > (passed.at(-1)?.seq ?? this.from)) passed.push({ seq, at });
        if (passed !== undefined && seq >= goal) behind -= 1;
      }
      if (behind === 0) return;
      if (performance.now() > deadline)
        throw new Error(`the pipeline did not catch up within ${DRAIN_MS} ms`);
      await delay(POLL_MS);
    }
  }
}

async function headOf(database: Client): Promise<number> {
  const { rows } = await database.query<{ seq: string }>('SELECT seq FROM kernel.shard_head WHERE shard = 0');
  return Number(rows[0]?.seq ?? 0);
}

/** Time of each event after one position and up to another, in milliseconds since 1970. */
async function timesOf(database: Client, from: number, to: number): Promise<Map<number, number>> {
  const { rows } = await database.query<{ seq: string; ms: string }>(
    'SELECT seq, extract(epoch FROM ts) * 1000 AS ms FROM kernel.events WHERE shard = 0 AND seq > $1 AND seq <= $2',
    [from, to],
  );
  return new Map(rows.map(({ seq, ms }) => [Number(seq), Number(ms)]));
}
