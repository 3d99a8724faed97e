import { randomInt } from 'node:crypto';
import { describeWithKafka, describeWithS3, type TestWorker, withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { Copies, expectEqualCopies } from './copies';
import { loadFaultSettings, timeoutOf } from './fault.config';
import { Ledger } from './ledger';
import { Load } from './load';

const WRITERS = 6;
/** As in the outage tests: every event is an object that is stored and read again. */
const PAUSE_MS = 120;
/** Most acknowledged requests between two kills, so that kills hit any point of a batch. */
const MOST_BETWEEN = 12;
const { rounds, seed = randomInt(1, 2 ** 31) } = loadFaultSettings();
/** Four workers share them. */
const kills = rounds * 2;
jest.setTimeout(timeoutOf(kills, 30_000));

/** mulberry32: small, seeded, good enough to choose victims. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describeWithS3('with an S3 server', () => {
  describeWithKafka('and Kafka', () => {
    const stack = withStack({
      workers: ['outbox-relay', 'outbox-relay', 'indexer', 'archiver'],
      stream: 'kafka',
      archive: 's3',
      kernelVariables: { KMS_TIMEOUT_MS: '10000' },
    });

    it(`keeps store, index and archive equal over ${kills} kills at random (FAULT_SEED=${seed})`, async () => {
      const random = randomFrom(seed);
      const copies = await Copies.open(stack());
      const ledger = new Ledger();
      const operator = stack().client('OPERATOR', { connections: WRITERS });
      const load = new Load(ledger, [operator], WRITERS, 'kills', PAUSE_MS);
      const victims = stack().workers;
      const restarts = new Map<TestWorker, Promise<void>>();
      try {
        for (let kill = 0; kill < kills; kill += 1) {
          await load.progress(1 + random(MOST_BETWEEN));
          const victim = victims[random(victims.length)] as TestWorker;
          await restarts.get(victim);
          await victim.process.kill('SIGKILL');
          // Others may be killed while this one starts.
          restarts.set(victim, victim.process.start());
        }
        await Promise.all(restarts.values());
        await load.stop();
        expect(ledger.attempts.filter(({ outcome }) => outcome !== 'answered')).toEqual([]);
        await stack().whenReady();
        const store = await expectEqualCopies(copies);
        const first = [...new Set((await copies.topic()).flat())];
        expect(first).toEqual([...store.values()]);
        ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
      } finally {
        await Promise.allSettled(restarts.values());
        await load.stop();
        await copies.close();
      }
    });
  });
});
