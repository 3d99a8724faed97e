import { setTimeout as delay } from 'node:timers/promises';
import { type TestStack } from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { assertNoErrors, operatorOf, round, startBenchStack, warmUp } from './bench-stack';
import { loadOn } from './load/load';
import { metricsOf } from './machine/metrics';
import { MIB, residentBytes, slope } from './machine/resident-memory';

const CONCURRENCY = 50;
const SAMPLE_EVERY_MS = 2_000;
/** Heaps grow to their working size first: the slope is measured after that. */
const SETTLED_AFTER = 1 / 3;

interface Sample {
  /** Minutes since the load began. */
  at: number;
  rss: number;
  heap: number;
  external: number;
}

/** Memory of kernel and signing proxy while 50 callers sign without a pause: does it stay constant? */
export async function run(): Promise<BenchResult> {
  const { benchMemorySeconds: seconds } = loadBenchConfig();
  const stack = await startBenchStack('software');
  try {
    const target = operatorOf(stack);
    await warmUp(target, { kind: 'sign' });
    const processes = processesOf(stack);
    const samples = processes.map((): Sample[] => []);
    let running = true;
    const load = loadOn(target, {
      concurrency: CONCURRENCY,
      warmUpMs: 0,
      measureMs: seconds * 1_000,
      workload: { kind: 'sign' },
    }).finally(() => (running = false));
    const from = performance.now();
    while (running) {
      const at = (performance.now() - from) / 60_000;
      const now = await Promise.all(processes.map(({ pid, metricsUrl }) => sample(at, pid, metricsUrl)));
      now.forEach((one, n) => samples[n]?.push(one));
      await Promise.race([delay(SAMPLE_EVERY_MS), load]);
    }
    const report = assertNoErrors(await load);
    return {
      name: `memory: ${CONCURRENCY} callers sign for ${seconds} s`,
      rows: processes.map(({ name }, n) => rowOf(name, samples[n] ?? [])),
      notes: [
        `${Math.round(report.perSecond)} signatures/s, ${report.requests} in all. Sizes are in MiB.`,
        'Slopes are of a line through the last two thirds of the samples, in MiB a minute; heap is the lowest of each',
        'ten samples in a row, which is what the garbage collector leaves.',
      ],
    };
  } finally {
    await stack.stop();
  }
}

function processesOf(stack: TestStack): { name: string; pid: number; metricsUrl: string }[] {
  const [kernel] = stack.kernels;
  const list = [
    { name: 'kernel', pid: kernel?.process.current?.pid, metricsUrl: `${kernel?.managementUrl}/metrics` },
    {
      name: 'signing-proxy',
      pid: stack.signingProxy.current?.pid,
      metricsUrl: `${stack.signingProxyManagementUrl}/metrics`,
    },
  ];
  return list.map(({ pid, ...rest }) => {
    if (pid === undefined) throw new Error(`${rest.name} does not run`);
    return { pid, ...rest };
  });
}

async function sample(at: number, pid: number, metricsUrl: string): Promise<Sample> {
  const metrics = await metricsOf(metricsUrl);
  return {
    at,
    rss: residentBytes(pid) ?? metrics.value('process_resident_memory_bytes'),
    heap: metrics.value('nodejs_heap_size_used_bytes'),
    external: metrics.value('nodejs_external_memory_bytes'),
  };
}

function rowOf(process: string, samples: readonly Sample[]): Record<string, string | number> {
  const settled = samples.slice(Math.floor(samples.length * SETTLED_AFTER));
  const lows: Sample[] = [];
  for (let n = 0; n < settled.length; n += 10) {
    const ten = settled.slice(n, n + 10);
    const low = ten.reduce((least, one) => (one.heap < least.heap ? one : least));
    lows.push(low);
  }
  const rss = samples.map((one) => one.rss);
  return {
    process,
    samples: samples.length,
    'RSS first': round((rss[0] ?? 0) / MIB),
    'RSS settled': round((settled[0]?.rss ?? 0) / MIB),
    'RSS last': round((rss.at(-1) ?? 0) / MIB),
    'RSS highest': round(Math.max(...rss) / MIB),
    'RSS slope': round(slope(settled.map(({ at, rss: y }) => [at, y / MIB])), 2),
    'heap settled': round((lows[0]?.heap ?? 0) / MIB),
    'heap last': round((lows.at(-1)?.heap ?? 0) / MIB),
    'heap slope': round(slope(lows.map(({ at, heap: y }) => [at, y / MIB])), 2),
    'external last': round((samples.at(-1)?.external ?? 0) / MIB),
  };
}
