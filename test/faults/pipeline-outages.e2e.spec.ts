import { setTimeout as delay } from 'node:timers/promises';
import { describeWithKafka, describeWithS3, type TestStack, withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { Copies, type Copy, expectEqualCopies } from './copies';
import { Ledger } from './ledger';
import { Load } from './load';
import { loadFaultSettings } from './fault.config';

const WRITERS = 8;
/**
 * Leaves two cores time for all processes: about fifty requests, two hundred events a second in all. Each event
 * is an object that is stored, locked and read again, which takes most of this test's time.
 */
const PAUSE_MS = 120;
const { outageSeconds } = loadFaultSettings();

/** An outage of part of the pipeline under load: writes continue, and the backlog follows later, once and in order. */
describeWithS3(
  'with parts of the pipeline away for a while',
  () => {
    describeWithKafka(
      '(Kafka and S3)',
      () => {
        const stack = withStack({
          workers: ['outbox-relay', 'indexer', 'archiver'],
          stream: 'kafka',
          archive: 's3',
          shards: 2,
          kernelVariables: { KMS_TIMEOUT_MS: '10000' },
        });

        /** Events read and compared after earlier outages: nothing in the archive is read twice. */
        let known: Copy | undefined;

        it.each<[string, (stack: TestStack) => { stop(): Promise<void>; start(): Promise<void> }]>([
          ['Kafka', ({ stream: { server } }) => defined(server)],
          ['the S3 server', ({ archive: { server } }) => defined(server)],
          ['the indexer', (running) => running.worker('indexer').process],
        ])(
          'loses nothing and repeats nothing without %s',
          async (_, partOf) => {
            const copies = await Copies.open(stack());
            const ledger = new Ledger();
            const operator = stack().client('OPERATOR', { connections: WRITERS });
            const load = new Load(ledger, [operator], WRITERS, `without-${_.replaceAll(' ', '-')}`, PAUSE_MS);
            try {
              await load.progress(WRITERS);
              const part = partOf(stack());
              await part.stop();
              const before = await copies.stored();
              await delay(outageSeconds * 1_000);
              // Writes continued.
              expect(ledger.attempts.filter(({ outcome }) => outcome !== 'answered')).toEqual([]);
              expect(await copies.stored()).toBeGreaterThan(before + outageSeconds);
              await part.start();
              await load.progress(WRITERS);
              await load.stop();
              ledger.expectHonestAnswers();
              await stack().whenReady();
              known = await expectEqualCopies(copies, known);
            } finally {
              await load.stop();
              await copies.close();
            }
          },
          outageSeconds * 5_000 + 240_000,
        );

        it(
          'has each event in topic, index and archive, in order',
          async () => {
            const copies = await Copies.open(stack());
            try {
              const store = [...(await expectEqualCopies(copies, known)).values()];
              for (const [shard, records] of (await copies.topic()).entries()) {
                const expected = store.filter(
                  (text) => (JSON.parse(text) as { shard: number }).shard === shard,
                );
                // Repetitions are allowed (at least once); first deliveries are in order.
                expect([...new Set(records)]).toEqual(expected);
              }
              await expectSoundChain(stack());
            } finally {
              await copies.close();
            }
          },
          outageSeconds * 5_000 + 120_000,
        );
      },
      { own: true },
    );
  },
  { own: true },
);

function defined<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the stack was started without it');
  return part;
}
