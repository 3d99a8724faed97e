import { FaultyWire, type MtlsClient, withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { type Attempt, Ledger, slowest } from './ledger';
import { requestOfMix } from './load';
import { Reads } from './reads';
import { until } from './until';

/**
 * A write is retried for 4 s, in case PostgreSQL comes back at once; a connection attempt takes at most 2 s, and a
 * statement that hangs 4 s.
 */
const BOUND_MS = 8_000;
const WRITERS = 20;

describe('while PostgreSQL', () => {
  let wire: FaultyWire;
  beforeAll(async () => {
    wire = await FaultyWire.open();
  });
  const stack = withStack({
    // Few connections: a fault must not leave any of them stuck.
    kernelVariables: ({ databaseUrl }) => ({
      DATABASE_URL: wire.through(databaseUrl),
      KERNEL_DATABASE_CONNECTIONS: '4',
    }),
  });
  const ledger = new Ledger();
  let writer: MtlsClient;
  let pid: number | undefined;
  let writes = 0;

  beforeAll(async () => {
    writer = stack().client('OPERATOR', { connections: WRITERS });
    pid = stack().kernels[0]?.process.current?.pid;
    expectAll('answered', await write());
  });
  // After any fault it is the same process, and it works.
  afterEach(async () => {
    wire.thaw();
    await stack().postgres.start();
    await stack().whenReady();
    expectAll('answered', await write());
    expect(stack().kernels[0]?.process.current?.pid).toBe(pid);
  });
  afterAll(() => wire.close());

  it('is stopped: every answer is 503 store_unavailable in time, and all is well when it is back', async () => {
    await stack().postgres.stop();
    await expectUnavailable();
  });

  it('is silent: the same', async () => {
    wire.freeze();
    await expectUnavailable();
  });

  it('is a new server, and the connections to the old one never end: the kernel finds the new one', async () => {
    // Opens every connection of the pool, so that all of them die.
    const reader = stack().client('AUDITOR');
    await Promise.all(Array.from({ length: 50 }, () => reader.get('/kernel/audit/export')));
    wire.freeze({ newConnections: false });
    // The first probe waits for a dead connection; when it fails, the other idle connections are discarded too.
    await until('/ready is green', async () => (await stack().management('/ready')).status === 200);
    await untilAnswered('writes', write);
    await stack().whenReady();
    // A read may still join a lookup of the keys that hangs on a dead connection.
    await untilAnswered('reads', read);
    await expectReads();
  });

  it('nothing is lost, half done or done twice', async () => {
    ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
  });

  async function expectUnavailable(): Promise<void> {
    const reads = new Reads(ledger, [stack().client('AUDITOR')]);
    const attempts = await write();
    expectAll('refused store_unavailable', attempts);
    expect(slowest(attempts)).toBeLessThan(BOUND_MS);
    const ready = await stack().management('/ready');
    expect(ready.status).toBe(503);
    expect(Object.keys((JSON.parse(ready.text) as { error: object }).error)).toEqual(['postgres']);
    expect((await stack().management('/health')).status).toBe(200);
    await reads.stop();
    expect(reads.wrong).toEqual([]);
    // The public keys are cached for a second.
    const asked = reads.attempts.filter(({ name }) => name !== '/kernel/keys/signers.json');
    expectAll('refused store_unavailable', asked);
    expect(slowest(reads.attempts)).toBeLessThan(BOUND_MS);
  }

  async function expectReads(): Promise<void> {
    expectAll('answered', await read());
  }

  async function read(): Promise<Attempt[]> {
    const reads = new Reads(ledger, [stack().client('AUDITOR')]);
    await until('each was read', () => reads.attempts.length > 20);
    await reads.stop();
    expect(reads.wrong).toEqual([]);
    return reads.attempts;
  }

  /** Waits until all are answered; until then they may be refused, in one way only. */
  async function untilAnswered(what: string, attempt: () => Promise<Attempt[]>): Promise<void> {
    await until(`${what} work again`, async () => {
      const others = (await attempt()).filter(({ outcome }) => outcome !== 'answered');
      expectAll('refused store_unavailable', others);
      return others.length === 0;
    });
  }

  async function write(): Promise<Attempt[]> {
    return await Promise.all(
      Array.from({ length: WRITERS }, () => {
        const n = writes++;
        const name = `outage-${n}`;
        return ledger.write(writer, { ...requestOfMix(n, name), ...(n % 2 === 0 && { key: name }) });
      }),
    );
  }
});

/** Names what differed, and how long it took. */
function expectAll(outcome: string, attempts: readonly Attempt[]): void {
  const others = attempts
    .map(({ name, startedAt, endedAt, ...attempt }) => ({
      was: `${attempt.outcome} ${attempt.word}`.trim(),
      what: `${name} after ${Math.round(endedAt - startedAt)} ms`,
    }))
    .filter(({ was }) => was !== outcome);
  expect(others).toEqual([]);
}
