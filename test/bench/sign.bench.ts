import { availableParallelism } from 'node:os';
import { type BenchConfig, loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { operatorOf, percent, round, softHsmMissing, startBenchStack, warmUp } from './bench-stack';
import { loadOn, type LoadReport } from './load/load';
import { bareSoftHsm, EmptyHandler, measureLimits } from './machine/limits';
import { cpuOfStack } from './stack/stack-cpu';

const CONCURRENCY = [1, 16, 50, 100, 200];
const LIMIT_MS = 2_000;
/** The concurrency at which each process's CPU use is reported. */
const CPU_AT = 50;

/** POST /kernel/sign; each figure is compared with what this machine does of its parts alone. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const result: BenchResult = {
    name: 'sign: POST /kernel/sign, one manifest each',
    rows: [],
    notes: [
      'of empty: share of the rate of an mTLS server that does nothing, same generator, same connections.',
      `Ed25519/s: signatures that node:crypto alone makes on ${availableParallelism()} cores; a request needs one, and a share of its group's.`,
      'x commits: rate as a multiple of single-row INSERTs that are each flushed to disk, on one connection.',
      'Latencies are in ms. Load generator, kernel, signing proxy and PostgreSQL share the cores.',
    ],
  };
  for (const signer of config.benchSigners) {
    const missing = signer === 'pkcs11' ? softHsmMissing() : null;
    if (missing === null) result.rows.push(...(await measure(signer, config, result.notes)));
    else result.notes.push(`pkcs11 was not measured: ${missing}`);
  }
  return result;
}

async function measure(
  signer: 'software' | 'pkcs11',
  config: BenchConfig,
  notes: string[],
): Promise<BenchResult['rows']> {
  const rows: BenchResult['rows'] = [];
  const stack = await startBenchStack(signer);
  try {
    const limits = await measureLimits(stack.postgres, LIMIT_MS);
    if (signer === 'pkcs11') {
      notes.push(`SoftHSM alone, batches of 64: ${Math.round(await bareSoftHsm(LIMIT_MS))} signatures/s.`);
    } else {
      notes.push(`node:crypto on one thread: ${Math.round(limits.ed25519OneThread)} Ed25519 signatures/s.`);
    }
    const target = operatorOf(stack);
    const empty = await EmptyHandler.start({
      caCert: target.caCert,
      server: stack.identities.kernelServer,
      caller: target.caller,
    });
    try {
      await warmUp(target, { kind: 'sign' });
      const measureMs = config.benchSeconds * 1_000;
      for (const concurrency of config.benchConcurrency ?? CONCURRENCY) {
        const bare = await empty.measure(concurrency, LIMIT_MS);
        const cpuBefore = cpuOfStack(stack);
        const load = await loadOn(target, {
          concurrency,
          warmUpMs: measureMs / 3,
          measureMs,
          workload: { kind: 'sign' },
        });
        if (load.firstError !== undefined) notes.push(`${signer} at ${concurrency}: ${load.firstError}`);
        if (concurrency === CPU_AT) notes.push(cpuNote(signer, load, cpuBefore, cpuOfStack(stack)));
        rows.push({
          signer,
          concurrent: concurrency,
          'req/s': Math.round(load.perSecond),
          p50: round(load.p50),
          p95: round(load.p95),
          p99: round(load.p99),
          'p99/p50': round(load.p99 / load.p50),
          errors: load.errors,
          'empty mTLS/s': Math.round(bare.perSecond),
          'of empty': percent(load.perSecond, bare.perSecond),
          'Ed25519/s': Math.round(limits.ed25519),
          'commits/s': Math.round(limits.commits),
          'x commits': round(load.perSecond / limits.commits),
        });
      }
    } finally {
      empty.stop();
    }
  } finally {
    await stack.stop();
  }
  return rows;
}

/** CPU time of each process per request, over both warm-up and measurement. */
function cpuNote(
  signer: string,
  load: LoadReport,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): string {
  const microseconds = (seconds: number, requests: number): string =>
    `${Math.round((seconds / requests) * 1e6)} us`;
  const parts = [...after].map(
    ([name, to]) => `${name} ${microseconds(to - (before.get(name) ?? 0), load.sent)}`,
  );
  parts.push(`load generator ${microseconds(load.cpuSeconds, load.requests)}`);
  return `CPU time a request, ${signer} at ${CPU_AT}: ${parts.join(', ')}.`;
}
