import { readFileSync } from 'node:fs';
import { Client, type Dispatcher } from 'undici';
import { type LoadJob, type LoadReport } from './load';
import { type NextRequest, requestsOf } from './workload';
import { quantile } from '../quantile';

/**
 * The load generator: a number of callers, each with its own connection, each sending its next request when it has
 * the answer to the last one.
 */

/** Latencies in milliseconds; grows by doubling. */
class Latencies {
  private values = new Float64Array(65_536);
  count = 0;

  add(ms: number): void {
    if (this.count === this.values.length) {
      const larger = new Float64Array(this.count * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.count++] = ms;
  }

  sorted(): Float64Array {
    return this.values.subarray(0, this.count).sort();
  }
}

async function run(job: LoadJob): Promise<LoadReport> {
  const connect = Object.fromEntries(
    Object.entries(job.tls ?? {}).map(([name, file]) => [name, readFileSync(file)]),
  );
  const urls = [job.url].flat();
  const clients = Array.from(
    { length: job.concurrency },
    (_, n) => new Client(urls[n % urls.length] ?? '', { pipelining: 1, connect }),
  );
  const { shards = 1, affinity = false } = job;
  const all = Array.from({ length: shards }, (_, shard) => shard);
  const makers = urls.map((_, n) => {
    const own = affinity ? all.filter((shard) => shard % urls.length === n) : all;
    return requestsOf(job.workload, { shards, among: own.length > 0 ? own : all });
  });
  const latencies = new Latencies();
  let firstError: string | undefined;
  let errors = 0;
  let sent = 0;
  let measuring = false;
  let stopping = false;

  const caller = (client: Client, next: () => NextRequest): Promise<void> =>
    new Promise((resolve) => {
      const send = (): void => {
        if (stopping) {
          resolve();
          return;
        }
        const { method, path, body, expected, headers = [] } = next();
        sent += 1;
        const startedAt = performance.now();
        let status = 0;
        let refusal = '';
        const handler: Dispatcher.DispatchHandler = {
          onRequestStart: () => undefined,
          onResponseStart: (_, code) => {
            status = code;
          },
          onResponseData: (_, chunk) => {
            if (status !== expected) refusal += chunk.toString();
          },
          onResponseEnd: () => {
            if (measuring) latencies.add(performance.now() - startedAt);
            if (status !== expected) failed(`${status} ${refusal.slice(0, 500)}`);
            send();
          },
          onResponseError: (_, error) => {
            failed(error.message);
            // Not at once: that would be a busy loop while the server is down.
            setTimeout(send, 100);
          },
        };
        client.dispatch(
          body === null
            ? { method, path }
            : { method, path, body, headers: ['content-type', 'application/json', ...headers] },
          handler,
        );
      };
      const failed = (why: string): void => {
        errors += 1;
        firstError ??= why;
      };
      send();
    });

  const callers = clients.map((client, n) => caller(client, makers[n % makers.length] as () => NextRequest));
  await elapsed(job.warmUpMs);
  measuring = true;
  const from = performance.now();
  const cpuFrom = process.cpuUsage();
  await elapsed(job.measureMs);
  measuring = false;
  const seconds = (performance.now() - from) / 1_000;
  const cpu = process.cpuUsage(cpuFrom);
  stopping = true;
  await Promise.all(callers);
  await Promise.all(clients.map((client) => client.close()));
  const sorted = latencies.sorted();
  return {
    requests: sorted.length,
    sent,
    seconds,
    perSecond: sorted.length / seconds,
    p50: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    p99: quantile(sorted, 0.99),
    max: sorted.at(-1) ?? Number.NaN,
    errors,
    firstError,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
  };
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.on('message', (job: LoadJob) => {
  run(job).then(
    (report) => process.send?.({ report }),
    (error: unknown) => process.send?.({ error: (error as Error).stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
