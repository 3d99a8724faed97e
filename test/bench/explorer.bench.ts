import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  chromiumMissing,
  type MtlsClient,
  type OpenPage,
  PeopleAtBrowsers,
  startStack,
  type TestStack,
} from '#dev/testing';
import { type BenchConfig, loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { percent, round } from './bench-stack';
import { PageClock } from './browser/page-clock';
import { type TabMemory, TabMetrics } from './browser/tab-metrics';
import { slope } from './machine/resident-memory';
import { quantile } from './quantile';
import { seedEvents, settle } from './seed/seed-events';
import { caughtUpBehind } from './stack/stack-usage';

const CATCH_UP_MS = 6 * 60 * 60 * 1_000;
const SEEDED_TYPE = 'order.allocated';
const WRITTEN_TYPE = 'lamp.lit';
/** As many as the explorer asks for. */
const ROWS = 50;
/** As many as the explorer keeps of what comes, beside those that it asked for. */
const LIVE_ROWS = 200;
const FULL_MS = 600_000;
/** The page stops following when nobody has touched it for five minutes. */
const TOUCH_EVERY_MS = 30_000;
const SAMPLES = 12;
const LONGEST_PAUSE_MS = 60_000;
const MOST_OUTSTANDING = 50;

/** Nothing of the page is being asked for any more. */
const AT_REST = `document.querySelector('main .mantine-Loader-root') === null`;
const CONDITIONS = {
  overview: `() => ['The chain', 'Published log'].every(
    (title) => [...document.querySelectorAll('main h2')].some((one) => one.textContent === title),
  ) && ${AT_REST}`,
  list: `() => document.querySelectorAll('main tbody tr').length >= ${ROWS} && ${AT_REST}`,
};
const FIRST_ROW = `() => document.querySelector('main tbody a')?.href`;
const OTHER_ROW = `(first) => (${FIRST_ROW})() !== first`;
const POSITIONS = `[...document.querySelectorAll('main tbody td:last-child')]
  .map((cell) => Number(cell.textContent.split(':')[1]))`;

/** Lists of the explorer, by their addresses. */
const LISTS = [
  { what: 'newest', path: '/audit', falls: true },
  { what: 'one type', path: `/audit?type=${SEEDED_TYPE}`, falls: true },
  { what: 'one type, oldest first', path: `/audit?type=${SEEDED_TYPE}&order=oldest`, falls: false },
  { what: 'one actor', path: '/audit?actor=bench-seed', falls: true },
  { what: 'beginning of a stream', path: '/audit?subject=order%2F', falls: true },
] as const;

/** The admin UI as a person at a browser has it: overview, lists and their pages, and what a tab holds after a while. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const name = `explorer: the admin UI with ${config.benchEvents} events, in Chromium`;
  if (chromiumMissing !== null)
    return { name, rows: [], notes: [`It was not measured: ${chromiumMissing}.`] };
  const stack = await startStack({
    people: true,
    workers: ['outbox-relay', 'indexer', 'log-publisher'],
    logLevel: 'info',
    postgresSettings: { shared_buffers: '256MB' },
  });
  try {
    await seedEvents(stack, config.benchEvents);
    await caughtUpBehind(stack, ['indexer', 'log-publisher'], CATCH_UP_MS);
    await settle(stack);
    const people = await PeopleAtBrowsers.start(stack.web?.origin ?? '');
    try {
      const open = await people.signIn('auditor');
      const rows = [...(await pages(open, config)), ...(await memory(stack, open, config))];
      const refused = await open.problems();
      if (refused.length > 0) throw new Error(`the page had problems: ${refused.join('; ')}`);
      return {
        name,
        rows,
        notes: [
          'ms from the navigation, or from the press of "Next page", until the browser has drawn the content or the new rows.',
          "CPU ms: of the tab's process, each time; it can be compared where others use the machine too.",
          'Goals: a first list within 1 s, p95 of a page <= 300 ms, memory flat: the heap of the last third of the samples',
          'within 5 % of that of the middle third. nothing kept: the browser has none of the files and fetches them all.',
          `The tab looked at ${config.benchExplorerRate} events/s for ${config.benchExplorerSeconds} s; MiB of heap, nodes and`,
          'listeners are what a forced collection leaves, since the list is full: at the first and the last sample; the slope is of the last two thirds.',
          'load: average of one minute, this benchmark included. Browser, kernel, proxy, workers and PostgreSQL share the cores.',
        ],
      };
    } finally {
      await people.close();
    }
  } finally {
    await stack.stop();
  }
}

async function pages(open: OpenPage, config: BenchConfig): Promise<BenchResult['rows']> {
  const clock = await PageClock.of(open, CONDITIONS);
  const debug = await open.context.newCDPSession(open.page);
  const metrics = await TabMetrics.of(open);
  const rows: BenchResult['rows'] = [];
  const measure = async (what: string, times: number, once: () => Promise<number>): Promise<void> => {
    const before = await metrics.cpuSeconds();
    const all: number[] = [];
    while (all.length < times) all.push(await once());
    rows.push(timesRow(what, all, (await metrics.cpuSeconds()) - before));
  };
  const loads = (what: string, path: string, condition: keyof typeof CONDITIONS): Promise<void> =>
    measure(what, config.benchExplorerLoads, () => clock.load(path, condition));
  // Compiles, fills caches and wakes what sleeps.
  await clock.load('/', 'overview');
  await clock.load('/audit', 'list');
  await loads('overview', '/', 'overview');
  await debug.send('Network.enable');
  await debug.send('Network.setCacheDisabled', { cacheDisabled: true });
  await loads('overview, nothing kept', '/', 'overview');
  await loads('first list, newest, nothing kept', '/audit', 'list');
  await debug.send('Network.setCacheDisabled', { cacheDisabled: false });
  for (const { what, path } of LISTS) await loads(`first list, ${what}`, path, 'list');
  for (const { what, path, falls } of LISTS) {
    await clock.load(path, 'list');
    let last: number | undefined;
    await measure(`next page, ${what}`, config.benchExplorerPages, async () => {
      const ms = await clock.press('Next page', FIRST_ROW, OTHER_ROW, 'list');
      const seqs = await open.page.evaluate<number[]>(POSITIONS);
      assertGoesOn(what, last, seqs, falls);
      last = seqs.at(-1);
      return ms;
    });
  }
  await debug.detach();
  return rows;
}

/** A page that is quick because it shows the rows of another would be no figure. */
function assertGoesOn(what: string, last: number | undefined, seqs: readonly number[], falls: boolean): void {
  const all = last === undefined ? seqs : [last, ...seqs];
  const isInOrder = all.every((seq, n) => {
    const before = all[n - 1];
    return before === undefined || (falls ? seq < before : seq > before);
  });
  if (!isInOrder || seqs.length !== ROWS)
    throw new Error(`the pages of "${what}" do not go on: ${all.join(', ')}`);
}

function timesRow(what: string, times: readonly number[], cpuSeconds: number): BenchResult['rows'][number] {
  const sorted = Float64Array.from(times).sort();
  return {
    what,
    n: times.length,
    'p50 ms': Math.round(quantile(sorted, 0.5)),
    'p95 ms': Math.round(quantile(sorted, 0.95)),
    'max ms': Math.round(sorted.at(-1) ?? Number.NaN),
    'CPU ms': Math.round((cpuSeconds * 1_000) / times.length),
    load: round(loadavg()[0] ?? Number.NaN),
  };
}

/** What a tab holds that looks at events as they come. */
async function memory(stack: TestStack, open: OpenPage, config: BenchConfig): Promise<BenchResult['rows']> {
  const { page } = open;
  await page.goto('/audit');
  await page.getByText('Live', { exact: true }).waitFor();
  const done = new AbortController();
  const working = [
    write(stack.client('OPERATOR'), config.benchExplorerRate, done.signal),
    touch(open, done.signal),
  ];
  try {
    // Until then it grows, as it should.
    const full = page.locator('main tbody tr').nth(LIVE_ROWS + ROWS - 1);
    await Promise.race([full.waitFor({ timeout: FULL_MS }), ...working]);
    const metrics = await TabMetrics.of(open);
    const samples: TabMemory[] = [];
    let newest = 0;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, (config.benchExplorerSeconds * 1_000) / SAMPLES);
    const until = performance.now() + config.benchExplorerSeconds * 1_000;
    while (performance.now() < until) {
      await Promise.race([delay(pauseMs), ...working]);
      samples.push(await metrics.memory());
      const [seq = 0] = await page.evaluate<number[]>(POSITIONS);
      const isLive = await page.getByText('Live', { exact: true }).isVisible();
      // A page that shows nothing new holds nothing more either.
      if (!isLive || seq <= newest)
        throw new Error(`the page does not show what comes (${seq} after ${newest})`);
      newest = seq;
    }
    return [memoryRow('live', samples)];
  } finally {
    done.abort();
    await Promise.allSettled(working);
  }
}

function memoryRow(what: string, samples: readonly TabMemory[]): BenchResult['rows'][number] {
  const third = Math.floor(samples.length / 3);
  const middle = median(samples.slice(third, 2 * third).map(({ heap }) => heap));
  const last = median(samples.slice(-third).map(({ heap }) => heap));
  const settled = samples.slice(third);
  const ends = [samples[0], samples.at(-1)].filter((one) => one !== undefined);
  return {
    what: `memory, ${what}`,
    n: samples.length,
    load: round(loadavg()[0] ?? Number.NaN),
    'heap MiB': ends.map(({ heap }) => round(heap, 2)).join(' to '),
    'heap slope/min': round(slope(settled.map(({ at, heap }) => [at, heap])), 3),
    'last third': percent(last, middle),
    nodes: ends.map(({ nodes }) => nodes).join(' to '),
    listeners: ends.map(({ listeners }) => listeners).join(' to '),
  };
}

function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

/** Writes events at a steady rate, whether they are answered or not, until the signal is aborted. */
async function write(operator: MtlsClient, rate: number, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  const outstanding = new Set<Promise<void>>();
  let refused: Error | undefined;
  for (let n = 0; !signal.aborted; n += 1) {
    const wait = began + (n * 1_000) / rate - performance.now();
    if (wait > 0) await delay(wait);
    if (refused !== undefined) throw refused;
    if (outstanding.size >= MOST_OUTSTANDING) throw new Error('the kernel does not keep up with this rate');
    const event = {
      type: WRITTEN_TYPE,
      stream: `lamp/${n % 100}`,
      payload: { n, note: 'an event of ordinary size' },
    };
    const sent = operator.post('/kernel/audit', event).then(({ status, text }) => {
      if (status !== 201) refused = new Error(`${status} ${text}`);
    });
    outstanding.add(sent);
    void sent.catch((error: Error) => (refused = error)).finally(() => outstanding.delete(sent));
  }
  await Promise.allSettled(outstanding);
}

/** Moves the pointer now and then, as somebody does who looks at the page. */
async function touch({ page }: OpenPage, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    await page.mouse.move(400 + (n % 2) * 50, 300);
    await delay(TOUCH_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
