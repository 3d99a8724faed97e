import { migrate } from '#libs/event-store';
import { startTestPostgres, type TestPostgres } from '#libs/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { percent, round } from './bench-stack';
import { type AppendJob, runWriter } from './load/append-load';
import { measureLimits } from './machine/limits';

const ORIGIN = 'kernel.example.com/bench';
const CONCURRENCY = [1, 16, 50, 100, 256];
const LIMIT_MS = 2_000;

type Way = Pick<AppendJob, 'writing' | 'groupsInFlight'>;
const OPTIMISTIC: Way = { writing: 'optimistic', groupsInFlight: 2 };
/** What is compared: the way that the kernel goes, without numbering ahead, and with the head row locked throughout. */
const WAYS: readonly [name: string, way: Way][] = [
  ['optimistic, 2 in flight', OPTIMISTIC],
  ['optimistic, 1 in flight', { writing: 'optimistic', groupsInFlight: 1 }],
  ['locked', { writing: 'locked', groupsInFlight: 1 }],
];
/** Where the ways are compared, with one writer and with two. */
const COMPARED = [16, 100];

interface Cell {
  writers: number;
  concurrency: number;
  events: number;
  way: Way;
}

/** EventStore.append by itself, keys in the same process: events a second, beside bare signatures and bare commits. */
export async function run(): Promise<BenchResult> {
  const { benchSeconds, benchConcurrency } = loadBenchConfig();
  const concurrencies = benchConcurrency ?? CONCURRENCY;
  const rows: BenchResult['rows'] = [];
  const postgres = await startTestPostgres({ settings: { shared_buffers: '256MB' } });
  try {
    const limits = await measureLimits(postgres, LIMIT_MS);
    const measure = async (what: string, cell: Cell): Promise<void> => {
      const { perSecond, latencies, groupSize, retriesPerSecond } = await measureCell(
        postgres,
        cell,
        benchSeconds * 1_000,
      );
      const events = perSecond * cell.events;
      rows.push({
        way: what,
        writers: cell.writers,
        concurrent: cell.concurrency,
        'events each': cell.events,
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
      });
    };
    for (const concurrency of concurrencies) {
      await measure('optimistic, 2 in flight', { writers: 1, concurrency, events: 1, way: OPTIMISTIC });
    }
    for (const concurrency of [1, 8]) {
      await measure('optimistic, 2 in flight', { writers: 1, concurrency, events: 100, way: OPTIMISTIC });
    }
    for (const writers of [1, 2]) {
      for (const concurrency of COMPARED) {
        for (const [name, way] of WAYS) {
          if (writers === 1 && way === OPTIMISTIC && concurrencies.includes(concurrency)) continue;
          await measure(name, { writers, concurrency, events: 1, way });
        }
      }
    }
  } finally {
    await postgres.stop();
  }
  return {
    name: 'append: EventStore.append, Ed25519 in the same process',
    rows,
    notes: [
      'Events of 1.3 KB in new streams. Latencies in ms, of a whole request. Concurrent callers are in all, shared between the writers.',
      'Writers are processes of their own on one database and one head row; callers wait in the process they write in.',
      'of Ed25519: as a share of what node:crypto alone signs on all cores. x commits: as a multiple of single-row INSERTs that are each flushed to disk, on one connection.',
    ],
  };
}

/** A fresh database, so that no cell pays for the rows of the one before it. */
async function measureCell(
  postgres: TestPostgres,
  { writers, concurrency, events, way }: Cell,
  measureMs: number,
): Promise<{ perSecond: number; latencies: Float64Array; groupSize: number; retriesPerSecond: number }> {
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

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
