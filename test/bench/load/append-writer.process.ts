import { generateKeyPairSync, sign } from 'node:crypto';
import { EventStore, openEventStoreDataSource } from '#platform/event-store';
import { type AppendJob, type AppendReport } from './append-load';

/**
 * One event store with callers in the same process, each appending again as soon as it has its answer. Keys are in this
 * process too: what is measured is the store, without HTTP and without a signing proxy.
 */
async function run(job: AppendJob): Promise<AppendReport> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const dataSource = await openEventStoreDataSource({
    url: job.databaseUrl,
    applicationName: 'bench-append',
  });
  let groups = 0;
  let committed = 0;
  let retries = 0;
  const store = new EventStore({
    dataSource,
    origin: job.origin,
    shards: 1,
    writing: job.writing,
    limits: { maxGroupsInFlight: job.groupsInFlight },
    signer: {
      activeKid: () => `bench-${process.pid}`,
      sign: (_, inputs) =>
        Promise.all(
          inputs.map(
            (input) =>
              new Promise<string>((resolve, reject) => {
                sign(null, input, privateKey, (error, signature) =>
                  error ? reject(error) : resolve(signature.toString('base64')),
                );
              }),
          ),
        ),
    },
    observer: {
      onBatch: ({ size }) => {
        groups += 1;
        committed += size;
      },
      onRetry: () => (retries += 1),
    },
  });
  // About the size of a signed manifest: 1.3 KB as an event.
  const payload = { manifestId: 'm', version: '1.0.0', kind: 'bench', envelope: 'x'.repeat(700) };
  const latencies: number[] = [];
  let measuring = false;
  let stopping = false;
  let made = 0;
  const caller = async (): Promise<void> => {
    while (!stopping) {
      const startedAt = performance.now();
      await store.append({
        actor: { id: 'bench', kind: 'service', roles: ['Operator'] },
        writes: [
          {
            stream: `bench/${process.pid}-${made++}`,
            expectedVersion: 'any',
            events: Array.from({ length: job.events }, () => ({ type: 'bench.ran', payload })),
          },
        ],
      });
      if (measuring) latencies.push(performance.now() - startedAt);
    }
  };
  const callers = Promise.all(Array.from({ length: job.concurrency }, caller));
  await new Promise((resolve) => setTimeout(resolve, job.warmUpMs));
  measuring = true;
  groups = committed = retries = 0;
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, job.measureMs));
  measuring = false;
  const seconds = (performance.now() - from) / 1_000;
  const report = {
    perSecond: latencies.length / seconds,
    latencies: Float64Array.from(latencies),
    groupSize: committed / Math.max(groups, 1),
    retriesPerSecond: retries / seconds,
  };
  stopping = true;
  await callers;
  await store.close();
  await dataSource.destroy();
  return report;
}

process.once('message', (job: AppendJob) => {
  run(job).then(
    (report) => process.send?.({ report }),
    (error: unknown) => process.send?.({ error: (error as Error).stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
