import { type MtlsClient, withStack } from '#dev/testing';
import { expectSoundChain } from './chain';
import { type Attempt, Ledger, slowest } from './ledger';
import { Load, requestOfMix } from './load';
import { Reads, someReads } from './reads';
import { ScriptedBackend, startScriptedProxy } from './scripted-proxy';
import { until } from './until';

/** The contract: a write that cannot be signed is refused within this time. */
const PROMISED_MS = 2_000;
/** The default of KMS_TIMEOUT_MS. */
const SIGN_TIMEOUT_MS = 1_200;
const WRITERS = 20;

/** Milliseconds that reads took, by path without ids and query. */
function timesByKind(reads: readonly Attempt[]): Record<string, number[]> {
  const kinds: Record<string, number[]> = {};
  for (const { name, startedAt, endedAt } of reads) {
    (kinds[name.replace(/[0-9a-f-]{36}|\?.*/g, '')] ??= []).push(endedAt - startedAt);
  }
  return kinds;
}

describe('while nothing can be signed', () => {
  const stack = withStack({ kernels: 2 });
  const ledger = new Ledger();
  let clients: MtlsClient[];
  let pids: (number | undefined)[];
  let writes = 0;

  beforeAll(async () => {
    clients = [0, 1].map((kernel) => stack().client('OPERATOR', { kernel, connections: WRITERS }));
    pids = kernelPids();
    expectAll('answered', await write());
  });

  // After any fault the kernels are the same processes and sign again.
  afterEach(async () => {
    await stack().signingProxy.start();
    await stack().whenReady();
    expectAll('answered', await write());
    expect(kernelPids()).toEqual(pids);
  });

  it('because the signing proxy is stopped: writes are refused in time and reads work', async () => {
    await stack().signingProxy.stop();
    await withReads(async () => {
      for (let wave = 0; wave < 3; wave += 1) expectRefusedInTime(await write());
      await expectRed();
    });
  });

  it('because it hangs in the middle of the load: the same', async () => {
    const load = new Load(ledger, clients, WRITERS, 'hung');
    try {
      await load.progress(40);
      const before = ledger.attempts.length;
      stack().signingProxy.current?.kill('SIGSTOP');
      const since = performance.now();
      const refused = () => ledger.attempts.slice(before).filter(({ outcome }) => outcome === 'refused');
      await withReads(async () => {
        await until('everybody was refused, twice', () => refused().length >= 2 * WRITERS);
        await expectRed();
      });
      stack().signingProxy.current?.kill('SIGCONT');
      await load.progress(40);
      expectAll('refused signing_unavailable', refused());
      // Including the requests in flight when it hung, and those that succeeded in the end.
      expect(slowest(ledger.attempts.filter(({ endedAt }) => endedAt > since))).toBeLessThan(PROMISED_MS);
    } finally {
      stack().signingProxy.current?.kill('SIGCONT');
      await load.stop();
    }
  });

  describe('because of what is behind the signing proxy', () => {
    it('fails: the same, and /ready says why', async () => {
      await withScriptedProxy(async (backend) => {
        backend.instead = () => Promise.reject(new Error('the token was removed'));
        backend.trouble = 'the token was removed';
        await withReads(async () => {
          expectRefusedInTime(await write());
          expect(await expectRed()).toContain('the token was removed');
        });
      });
    });

    it('hangs: the same', async () => {
      await withScriptedProxy(async (backend) => {
        const { promise: never, resolve: release } = Promise.withResolvers<Uint8Array[]>();
        backend.instead = () => never;
        await withReads(async () => expectRefusedInTime(await write()));
        release([]);
      });
    });

    it('gives too few signatures or something else: nothing of it is recorded', async () => {
      await withScriptedProxy(async (backend) => {
        backend.instead = async (sign, kid, messages) => (await sign(kid, messages)).slice(1);
        expectRefusedInTime(await write());
        backend.instead = async (_sign, _kid, messages) => messages.map(() => new Uint8Array(63));
        expectRefusedInTime(await write());
      });
    });

    it('signs with another key than the one of that name: nothing of it is recorded', async () => {
      const foreign = await ScriptedBackend.open(stack(), 'foreign-keys');
      await withScriptedProxy(async (backend) => {
        backend.instead = (_sign, kid, messages) => foreign.sign(kid, messages);
        expectRefusedInTime(await write());
      });
    });
  });

  it('nothing that was refused is recorded, and everything that was not', async () => {
    ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
  });

  /** Has the same number of writers on each kernel send one request each. */
  async function write(): Promise<Attempt[]> {
    return await Promise.all(
      clients.flatMap((client, kernel) =>
        Array.from({ length: WRITERS }, () => {
          const n = writes++;
          return ledger.write(client, requestOfMix(n, `outage-${n}`), kernel);
        }),
      ),
    );
  }

  async function withReads(work: () => Promise<void>): Promise<void> {
    // Their own connections: those of the writers are occupied by waiting writers.
    const readers = [0, 1].map((kernel) => stack().client('AUDITOR', { kernel }));
    const reads = new Reads(ledger, readers);
    await work();
    await reads.stop();
    expect(reads.wrong).toEqual([]);
    expectAll('answered', reads.attempts);
    expect(reads.attempts.length).toBeGreaterThanOrEqual(clients.length * someReads(ledger).length);
    // Before any signature times out: a read that waited for one would take as long each time. The median of each
    // kind, since on a busy machine a single answer may be late for reasons of its own.
    for (const times of Object.values(timesByKind(reads.attempts))) {
      expect(times.sort((a, b) => a - b)[times.length >> 1]).toBeLessThan(SIGN_TIMEOUT_MS);
    }
  }

  async function withScriptedProxy(work: (backend: ScriptedBackend) => Promise<void>): Promise<void> {
    await stack().signingProxy.stop();
    const backend = await ScriptedBackend.open(stack());
    const proxy = await startScriptedProxy(stack(), backend);
    try {
      expectAll('answered', await write());
      await work(backend);
      backend.instead = undefined;
      backend.trouble = undefined;
      await stack().whenReady();
      expectAll('answered', await write());
    } finally {
      await proxy.close();
    }
  }

  /** Expects /ready to be red for this reason alone, and the process to be alive and tell its callers the same. */
  async function expectRed(): Promise<string> {
    for (const kernel of [0, 1]) {
      const ready = await stack().management('/ready', kernel);
      expect(ready.status).toBe(503);
      expect(Object.keys((JSON.parse(ready.text) as { error: object }).error)).toEqual(['signing_proxy']);
      expect((await stack().management('/health', kernel)).status).toBe(200);
    }
    const status = await stack().client('AUDITOR').get('/kernel/security/status');
    expect(status.json).toMatchObject({ signing: { ok: false } });
    return (await stack().management('/ready')).text;
  }

  function expectRefusedInTime(attempts: readonly Attempt[]): void {
    expectAll('refused signing_unavailable', attempts);
    expect(slowest(attempts)).toBeLessThan(PROMISED_MS);
  }

  function kernelPids(): (number | undefined)[] {
    return stack().kernels.map(({ process }) => process.current?.pid);
  }
});

function expectAll(outcome: string, attempts: readonly Attempt[]): void {
  const outcomes = attempts.map((attempt) => `${attempt.outcome} ${attempt.word}`.trim());
  expect([...new Set(outcomes)]).toEqual([outcome]);
}
