import { migrate } from '#platform/event-store';
import { startTestPostgres, type TestPostgres } from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { percent, round } from './bench-stack';
import { type AppendJob, runWriter } from './load/append-load';
import { type MachineLimits, measureLimits } from './machine/limits';
import { quantile } from './quantile';

const ORIGIN = 'kernel.example.com/bench';
const CONCURRENCY = [1, 16, 50, 100, 256];
const LIMIT_MS = 2_000;

type Way = Pick<AppendJob, 'writing' | 'groupsInFlight'>;
/** The ways compared: the kernel's own, one without numbering ahead, and one with the head row locked throughout. */
const WAYS: readonly [[name: string, way: Way], ...[name: string, way: Way][]] = [
  ['optimistic, 2 in flight', { writing: 'optimistic', groupsInFlight: 2 }],
  ['optimistic, 1 in flight', { writing: 'optimistic', groupsInFlight: 1 }],
  ['locked', { writing: 'locked', groupsInFlight: 1 }],
];
/** Numbers of callers at which the ways are compared, with one writer and with two. */
const COMPARED = [16, 100];
/** Callers that append 100 events at a time. */
const BATCHES = [1, 8];

/** Measurements of each cell, in turn with all others: the machine's other load varies. */
const ROUNDS = 3;

interface Cell {
  name: string;
  way: Way;
  writers: number;
  concurrency: number;
  events: number;
}

interface Measured {
  /** Requests. */
  perSecond: number;
  latencies: Float64Array;
  groupSize: number;
  retriesPerSecond: number;
}

/** EventStore.append by itself, keys in the same process: events a second, next to bare signatures and bare commits. */
export async function run(): Promise<BenchResult> {
  const { benchSeconds, benchConcurrency } = loadBenchConfig();
  const cells = cellsOf(benchConcurrency ?? CONCURRENCY);
  const rounds = cells.map((): Measured[] => []);
  const postgres = await startTestPostgres({ settings: { shared_buffers: '256MB' } });
  let limits: MachineLimits;
  try {
    limits = await measureLimits(postgres, LIMIT_MS);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [index, cell] of cells.entries()) {
        rounds[index]?.push(await measure(postgres, cell, (benchSeconds * 1_000) / ROUNDS));
      }
    }
  } finally {
    await postgres.stop();
  }
  return {
    name: 'append: EventStore.append, Ed25519 in the same process',
    rows: cells.map((cell, index) => rowOf(cell, fastest(rounds[index] ?? []), limits)),
    notes: [
      `Events of 1.3 KB in new streams. Each row is the fastest of ${ROUNDS} rounds. Latencies in ms, of a whole request.`,
      'Writers are processes of their own on one database and one head row, with the callers in the same process; concurrent is the sum of all writers.',
      'of Ed25519: as a share of what node:crypto alone signs on all cores. x commits: as a multiple of single-row INSERTs that are each flushed to disk, on one connection.',
    ],
  };
}

function cellsOf(concurrencies: readonly number[]): Cell[] {
  const cell = (
    [name, way]: (typeof WAYS)[number],
    writers: number,
    concurrency: number,
    events = 1,
  ): Cell => ({
    name,
    way,
    writers,
    concurrency,
    events,
  });
  return [
    ...concurrencies.map((concurrency) => cell(WAYS[0], 1, concurrency)),
    ...BATCHES.map((concurrency) => cell(WAYS[0], 1, concurrency, 100)),
    ...[1, 2].flatMap((writers) =>
      COMPARED.flatMap((concurrency) =>
        WAYS.filter((way) => writers > 1 || way !== WAYS[0] || !concurrencies.includes(concurrency)).map(
          (way) => cell(way, writers, concurrency),
        ),
      ),
    ),
  ];
}

function fastest(rounds: readonly Measured[]): Measured {
  return rounds.reduce((best, round) => (round.perSecond > best.perSecond ? round : best));
}

function rowOf(
  { name, writers, concurrency, events: each }: Cell,
  { perSecond, latencies, groupSize, retriesPerSecond }: Measured,
  limits: MachineLimits,
): BenchResult['rows'][number] {
  const events = perSecond * each;
  return {
    way: name,
    writers,
    concurrent: concurrency,
    'events each': each,
    'events/s': Math.round(events),
    p50: round(quantile(latencies, 0.5)),
    p95: round(quantile(latencies, 0.95)),
    p99: round(quantile(latencies, 0.99)),
    'group size': round(groupSize),
    'retries/s': round(retriesPerSecond),
    'Ed25519/s': Math.round(limits.ed25519),
    'of Ed25519': percent(events, limits.ed25519),
    'commits/s': Math.round(limits.commits),
    'x commits': round(events / limits.commits),
  };
}

/** A fresh database, so that no cell pays for the rows of the one before it. */
async function measure(
  postgres: TestPostgres,
  { writers, concurrency, events, way }: Cell,
  measureMs: number,
): Promise<Measured> {
  const database = await postgres.createDatabase();
  try {
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres.runtimeRole });
    const reports = await Promise.all(
      Array.from({ length: writers }, () =>
        runWriter({
          databaseUrl: database.runtimeUrl,
          origin: ORIGIN,
          ...way,
          concurrency: concurrency / writers,
          events,
          warmUpMs: Math.max(1_000, measureMs / 3),
          measureMs,
        }),
      ),
    );
    const sum = (of: (report: (typeof reports)[number]) => number): number =>
      reports.reduce((total, report) => total + of(report), 0);
    return {
      perSecond: sum(({ perSecond }) => perSecond),
      latencies: Float64Array.from(reports.flatMap(({ latencies }) => [...latencies])).sort(),
      groupSize: sum(({ groupSize }) => groupSize) / writers,
      retriesPerSecond: sum(({ retriesPerSecond }) => retriesPerSecond),
    };
  } finally {
    await database.drop();
  }
}
