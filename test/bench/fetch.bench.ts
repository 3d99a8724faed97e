import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { assertNoErrors, operatorOf, percent, round, startBenchStack, warmUp } from './bench-stack';
import { loadOn, type LoadReport, type LoadTarget } from './load/load';
import { EmptyHandler } from './machine/limits';
import { sampleIds, seedEvents, settle } from './seed/seed-events';
import { caughtUpBehind } from './stack/stack-usage';

const SMALL = 10_000;
const FETCHERS = 16;
const SIGNERS = 50;
const SAMPLED_IDS = 20_000;
/** The median counts: a single round could coincide with a checkpoint. */
const ROUNDS = 3;
const LIMIT_MS = 2_000;
/** The indexer takes some ten thousand seeded events a second. */
const CATCH_UP_MS = 6 * 60 * 60 * 1_000;
const SEEDED_TYPE = 'order.allocated';

/** Reading an event, the newest page and a receipt, and appending, with few and with many events in store, index and log. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const measureMs = config.benchSeconds * 1_000;
  const stack = await startBenchStack('software', ['outbox-relay', 'indexer', 'log-publisher']);
  try {
    const target = operatorOf(stack);
    const empty = await EmptyHandler.start({
      caCert: target.caCert,
      server: stack.identities.kernelServer,
      caller: target.caller,
    });
    try {
      const rows: BenchResult['rows'] = [];
      await warmUp(target, { kind: 'sign' });
      let smallSign: LoadReport | undefined;
      for (const events of [SMALL, config.benchEvents]) {
        await seedEvents(stack, events);
        await caughtUpBehind(stack, ['indexer', 'log-publisher'], CATCH_UP_MS);
        await settle(stack);
        const bare = await empty.measure(FETCHERS, LIMIT_MS);
        const ids = await sampleIds(stack, SAMPLED_IDS);
        const fetched = await middleOf(target, FETCHERS, measureMs, { kind: 'fetch', ids });
        rows.push({
          what: 'GET /kernel/audit/{id}',
          ...figures(events, FETCHERS, fetched),
          'empty mTLS/s': Math.round(bare.perSecond),
          'of empty': percent(fetched.perSecond, bare.perSecond),
        });
        const list = await middleOf(target, 1, measureMs, { kind: 'list', type: SEEDED_TYPE });
        rows.push({ what: 'GET /kernel/audit', ...figures(events, 1, list) });
        const receipts = await middleOf(target, FETCHERS, measureMs, { kind: 'receipt', ids });
        rows.push({ what: 'GET /kernel/audit/{id}/receipt', ...figures(events, FETCHERS, receipts) });
        const signed = await middleOf(target, SIGNERS, measureMs, { kind: 'sign' });
        smallSign ??= signed;
        rows.push({
          what: 'POST /kernel/sign',
          ...figures(events, SIGNERS, signed),
          'p50 ratio': round(signed.p50 / smallSign.p50, 2),
          'p95 ratio': round(signed.p95 / smallSign.p95, 2),
        });
      }
      return {
        name: `fetch: reading and appending with ${SMALL} and ${config.benchEvents} events`,
        rows: rows.sort((a, b) => String(a['what']).localeCompare(String(b['what']))),
        notes: [
          `Each row is the middle one of ${ROUNDS} rounds by p95. Latencies are in ms.`,
          'GET /kernel/audit: the newest 50, and the newest 50 of one type, in turn.',
          `Ids are ${SAMPLED_IDS} spread evenly over the whole log.`,
          'Ratios are against the row with the smaller log.',
        ],
      };
    } finally {
      empty.stop();
    }
  } finally {
    await stack.stop();
  }
}

async function middleOf(
  target: LoadTarget,
  concurrency: number,
  measureMs: number,
  workload: Parameters<typeof loadOn>[1]['workload'],
): Promise<LoadReport> {
  const rounds: LoadReport[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.push(
      assertNoErrors(await loadOn(target, { concurrency, warmUpMs: measureMs / 3, measureMs, workload })),
    );
  }
  return rounds.sort((a, b) => a.p95 - b.p95)[Math.floor(ROUNDS / 2)] as LoadReport;
}

function figures(events: number, concurrency: number, load: LoadReport): Record<string, number> {
  return {
    events,
    concurrent: concurrency,
    'req/s': Math.round(load.perSecond),
    p50: round(load.p50),
    p95: round(load.p95),
    p99: round(load.p99),
  };
}
