import { type BenchConfig, loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { operatorOf, round, softHsmMissing, startBenchStack, warmUp } from './bench-stack';
import { loadOn } from './load/load';
import { bareSoftHsm, measureLimits } from './machine/limits';
import { signaturesOf } from './stack/stack-usage';
import { startSlowSigner } from './signers/slow-signer';

const CONCURRENCY = [1, 4, 16, 32];
const EVENTS_PER_REQUEST = 100;
const LIMIT_MS = 2_000;
/** Signatures a second of the signer `slow`: those of a small HSM. */
const SLOW_SIGNATURES = 200;

/** POST /kernel/audit with batches of 100 events: events a second, next to bare signatures and bare commits. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const result: BenchResult = {
    name: `audit: POST /kernel/audit, batches of ${EVENTS_PER_REQUEST} events`,
    rows: [],
    notes: [
      `slow: software keys that give ${SLOW_SIGNATURES} signatures a second, one after the other; goal 5,000 events/s all the same.`,
      'sigs: signatures for 100 events.',
      'Ed25519/s: signatures that node:crypto alone makes on all cores; a group of events needs one.',
      'x commits: events as a multiple of single-row INSERTs that are each flushed to disk, on one connection.',
      'Latencies are in ms, of a whole batch.',
    ],
  };
  for (const signer of [...config.benchSigners, 'slow'] as const) {
    const missing = signer === 'pkcs11' ? softHsmMissing() : null;
    if (missing === null) result.rows.push(...(await measure(signer, config, result.notes)));
    else result.notes.push(`pkcs11 was not measured: ${missing}`);
  }
  return result;
}

async function measure(
  signer: 'software' | 'pkcs11' | 'slow',
  config: BenchConfig,
  notes: string[],
): Promise<BenchResult['rows']> {
  const rows: BenchResult['rows'] = [];
  const stack = await startBenchStack(signer === 'slow' ? 'software' : signer);
  const slow = signer === 'slow' ? await startSlowSigner(stack, SLOW_SIGNATURES) : null;
  try {
    const limits = await measureLimits(stack.postgres, LIMIT_MS);
    if (signer === 'pkcs11') {
      notes.push(`SoftHSM alone, batches of 64: ${Math.round(await bareSoftHsm(LIMIT_MS))} signatures/s.`);
    }
    const target = operatorOf(stack);
    const workload = { kind: 'audit', events: EVENTS_PER_REQUEST } as const;
    await warmUp(target, workload, 8);
    const measureMs = config.benchSeconds * 1_000;
    const signed = async (): Promise<number> => slow?.signatures ?? (await signaturesOf(stack));
    for (const concurrency of config.benchConcurrency ?? CONCURRENCY) {
      const before = await signed();
      const load = await loadOn(target, { concurrency, warmUpMs: measureMs / 3, measureMs, workload });
      const signatures = (await signed()) - before;
      if (load.firstError !== undefined) notes.push(`${signer} at ${concurrency}: ${load.firstError}`);
      const events = load.perSecond * EVENTS_PER_REQUEST;
      rows.push({
        signer,
        concurrent: concurrency,
        'events/s': Math.round(events),
        'batches/s': round(load.perSecond),
        p50: round(load.p50),
        p95: round(load.p95),
        p99: round(load.p99),
        errors: load.errors,
        sigs: round(signatures / load.sent, 2),
        'Ed25519/s': Math.round(limits.ed25519),
        'commits/s': Math.round(limits.commits),
        'x commits': round(events / limits.commits),
      });
    }
  } finally {
    await slow?.stop();
    await stack.stop();
  }
  return rows;
}
