import { TestCollector, type TestStack } from '#dev/testing';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { assertNoErrors, operatorOf, percent, round, startBenchStack, warmUp } from './bench-stack';
import { loadOn } from './load/load';
import { cpuOfStack } from './stack/stack-cpu';

/** Part of the traces that is recorded; null: no collector is named. */
const RATIOS = [null, 0, 0.01, 0.1, 1];
const CONCURRENT = 50;
const ROUNDS = 3;

interface Measured {
  readonly stack: TestStack;
  readonly ratio: number | null;
  readonly rates: number[];
  readonly p50: number[];
  cpuSeconds: number;
  requests: number;
}

/** POST /kernel/sign with traces off and on: a stack for each, measured in turn, so that the machine's moods are shared. */
export async function run(): Promise<BenchResult> {
  const { benchSeconds } = loadBenchConfig();
  const measureMs = benchSeconds * 1_000;
  const collector = await TestCollector.start({ keeps: false });
  const measured: Measured[] = [];
  try {
    for (const ratio of RATIOS) {
      const variables =
        ratio === null
          ? {}
          : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: String(ratio) };
      const stack = await startBenchStack('software', [], variables);
      measured.push({ stack, ratio, rates: [], p50: [], cpuSeconds: 0, requests: 0 });
      await warmUp(operatorOf(stack), { kind: 'sign' });
    }
    for (let n = 0; n < ROUNDS; n++) {
      // Each round begins with another: the first of a round finds the machine at rest.
      for (const one of [...measured.slice(n), ...measured.slice(0, n)]) await measure(one, measureMs);
    }
  } finally {
    for (const { stack } of measured) await stack.stop();
    await collector.stop();
  }
  const off = measured.find(({ ratio }) => ratio === null);
  return {
    name: 'traces: POST /kernel/sign, by the part of the traces that is recorded',
    rows: measured.map(({ ratio, rates, p50, cpuSeconds, requests }) => ({
      recorded: ratio === null ? 'no collector' : `${ratio * 100} %`,
      'req/s': Math.round(median(rates)),
      'of without': percent(median(rates), median(off?.rates ?? rates)),
      p50: round(median(p50)),
      'CPU us a request': Math.round((cpuSeconds / requests) * 1e6),
    })),
    notes: [
      `${CONCURRENT} callers, the median of ${ROUNDS} rounds of ${benchSeconds} s each; every round measures all in turn.`,
      'CPU: kernel, signing proxy and PostgreSQL. The collector and what it hands spans to share the cores, and are not in it.',
    ],
  };
}

async function measure(one: Measured, measureMs: number): Promise<void> {
  const before = total(cpuOfStack(one.stack));
  const load = assertNoErrors(
    await loadOn(operatorOf(one.stack), {
      concurrency: CONCURRENT,
      warmUpMs: measureMs / 3,
      measureMs,
      workload: { kind: 'sign' },
    }),
  );
  one.rates.push(load.perSecond);
  one.p50.push(load.p50);
  one.cpuSeconds += total(cpuOfStack(one.stack)) - before;
  one.requests += load.sent;
}

function total(seconds: ReadonlyMap<string, number>): number {
  return [...seconds.values()].reduce((sum, one) => sum + one, 0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
