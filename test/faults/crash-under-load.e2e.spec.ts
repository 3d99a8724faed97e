import { withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { loadFaultSettings, timeoutOf } from './fault.config';
import { type Attempt, Ledger } from './ledger';
import { Load } from './load';
import { Reads } from './reads';
import { until } from './until';

const WRITERS = 24;
/** Twice without warning, once as an operator stops them: SIGINT is PostgreSQL's fast shutdown. */
const SIGNALS = [
  { app: 'SIGKILL', database: 'SIGKILL' },
  { app: 'SIGKILL', database: 'SIGKILL' },
  { app: 'SIGTERM', database: 'SIGINT' },
] as const;
const { rounds } = loadFaultSettings();
jest.setTimeout(timeoutOf(rounds, 30_000));
/** Acknowledged requests before and after each kill: the load runs before the kill, and again after the recovery. */
const PROGRESS = 60;

/** An outage and the failures that it excuses, in every request that was in flight at some time during it. */
interface Outage {
  victim: string;
  from: number;
  to: number;
  excuses: (attempt: Attempt) => boolean;
}

describe('kill -9 and a stop in good order, under load', () => {
  // The time until a refusal is tested in signing-outage.e2e.spec.ts; here a busy machine must not look like an outage.
  const stack = withStack({ kernels: 2, restart: true, kernelVariables: { KMS_TIMEOUT_MS: '10000' } });

  it('loses nothing that was acknowledged, and leaves nothing half done', async () => {
    const { postgres, signingProxy, kernels } = stack();
    const ledger = new Ledger();
    const clients = kernels.map((_, kernel) => stack().client('OPERATOR', { kernel, connections: WRITERS }));
    const load = new Load(ledger, clients, WRITERS);
    const reads = new Reads(ledger, clients);
    const outages: Outage[] = [];

    const strike = async (
      victim: string,
      excuses: Outage['excuses'],
      kill: () => Promise<void>,
      isBack: () => boolean,
    ): Promise<void> => {
      await load.progress(PROGRESS);
      const outage = { victim, excuses, from: performance.now(), to: Infinity };
      outages.push(outage);
      await kill();
      await until(`${victim} is started again`, isBack);
      await stack().whenReady();
      outage.to = performance.now();
      await load.progress(PROGRESS);
    };

    for (let round = 0; round < rounds; round += 1) {
      const signal = SIGNALS[round % SIGNALS.length] ?? SIGNALS[0];
      const turn = round % kernels.length;
      const process = kernels[turn]?.process;
      await strike(
        process?.name ?? '',
        // The other kernel does not notice. This one answers as soon as it listens, and signs when it knows its keys.
        ({ kernel, outcome, word }) =>
          kernel === turn &&
          (outcome === 'broken' || word === 'signing_unavailable' || word === 'overloaded'),
        async () => process?.kill(signal.app),
        () => process?.state === 'running',
      );
      await strike(
        'signing-proxy',
        ({ outcome, word }) => outcome === 'refused' && word === 'signing_unavailable',
        () => signingProxy.kill(signal.app),
        () => signingProxy.state === 'running',
      );
      await strike(
        'postgres',
        ({ outcome, word }) => outcome === 'refused' && word === 'store_unavailable',
        () => postgres.kill(signal.database),
        () => postgres.pid !== undefined,
      );
    }
    await Promise.all([load.stop(), reads.stop()]);

    const failures = [...ledger.attempts, ...reads.attempts].filter(({ outcome }) => outcome !== 'answered');
    const during = ({ from, to }: Outage, { startedAt, endedAt }: Attempt) =>
      startedAt < to && endedAt > from;
    const inexcusable = failures.filter(
      (attempt) => !outages.some((outage) => during(outage, attempt) && outage.excuses(attempt)),
    );
    // What failed and when: milliseconds since the nearest outage began and ended.
    const told = inexcusable.map((attempt) => {
      const last = outages.findLast(({ from }) => from < attempt.endedAt);
      const since = (time: number | undefined) => Math.round(attempt.startedAt - (time ?? 0));
      return `${attempt.name} at kernel ${attempt.kernel}: ${attempt.outcome} ${attempt.word}, sent ${since(last?.from)} ms after ${last?.victim} was killed, ${since(last?.to)} ms after it was back`;
    });
    expect(told).toEqual([]);
    // An outage during which nothing failed has tested nothing.
    const unnoticed = outages.filter((outage) => !failures.some((attempt) => during(outage, attempt)));
    expect(unnoticed).toEqual([]);
    expect(reads.wrong).toEqual([]);
    ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
    expect([signingProxy.restarts, postgres.restarts]).toEqual([rounds, rounds]);
    const inTurn = [Math.ceil(rounds / 2), Math.floor(rounds / 2)];
    expect(kernels.map(({ process }) => process.restarts)).toEqual(inTurn);
  });
});
