import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { withStack } from '#dev/testing';
import { Callers } from './callers';
import { expectSoundChain } from './chain';
import { Ledger, slowest, type WriteRequest } from './ledger';
import { requestOfMix } from './load';
import { ScriptedBackend, startScriptedProxy } from './scripted-proxy';
import { until } from './until';

const WRITERS = 500;
const POOL = 10;
/** The smallest pool that can be configured. */
const QUEUE_LIMIT = 256;
const NARROW = 1;

describe('more at a time than there is room for', () => {
  const stack = withStack({
    kernels: 2,
    kernelVariables: (_started, kernel) => ({
      KERNEL_DATABASE_CONNECTIONS: String(POOL),
      // Signatures that are held below must wait, not be abandoned.
      KMS_TIMEOUT_MS: '10000',
      ...(kernel === NARROW ? { KERNEL_QUEUE_LIMIT: String(QUEUE_LIMIT) } : {}),
    }),
  });
  const ledger = new Ledger();

  it(`${WRITERS} concurrent writers on a pool of ${POOL} connections all succeed, with keys and signatures`, async () => {
    const callers = await Callers.connect(stack(), WRITERS);
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let n = 0; n < 2; n += 1) {
          const name = `pool-${writer}-${n}`;
          // Each looks up its key first and stores its answer with the events: the path that ended in a deadlock.
          await ledger.write(callers.of(writer), { ...requestOfMix(writer + n, name), key: name });
        }
      }),
    );
    expect(ledger.attempts.filter(({ outcome }) => outcome !== 'answered')).toEqual([]);
    expect(ledger.attempts).toHaveLength(2 * WRITERS);
    // Each kernel has four more: one to hear of changes of the mode, the others to run for coordinator of upgrades,
    // for sender of notifications and for courier of webhooks.
    expect(await connections()).toBeLessThanOrEqual(2 * (POOL + 4));
    ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
    await callers.close();
  });

  describe('for the queue', () => {
    let callers: Callers;
    beforeAll(async () => {
      callers = await Callers.connect(stack(), WRITERS, NARROW);
    });

    it('is refused at once with 503 and Retry-After, and what waits is recorded', async () => {
      await stack().signingProxy.stop();
      const backend = await ScriptedBackend.open(stack());
      const proxy = await startScriptedProxy(stack(), backend);
      try {
        const gate = Promise.withResolvers<void>();
        backend.instead = async (sign, kid, messages) => {
          await gate.promise;
          return sign(kid, messages);
        };
        const before = ledger.attempts.length;
        const refused = () => ledger.attempts.slice(before).filter(({ outcome }) => outcome === 'refused');
        const requests = Array.from({ length: WRITERS }, (_, n) => batchOf10(`narrow-${n}`));
        const sendAll = () =>
          Promise.all(requests.map((request, n) => ledger.write(callers.of(n), request, NARROW)));
        const sent = sendAll();
        // Two groups are at the signer and 256 requests in the queue; the others are refused at once.
        await until('the queue is full', () => refused().length >= 100);
        expect(new Set(refused().map(({ word }) => word))).toEqual(new Set(['queue_full']));
        expect((await stack().management('/ready', NARROW)).status).toBe(200);
        gate.resolve();
        const attempts = await sent;
        expect(attempts.filter(({ outcome }) => outcome === 'answered').length).toBeGreaterThanOrEqual(
          QUEUE_LIMIT,
        );
        expect(new Set(refused().map(({ word }) => word))).toEqual(new Set(['queue_full']));
        // The same requests with the same keys, once there is room again.
        await sendAll();
      } finally {
        await proxy.close();
        await stack().signingProxy.start();
        await stack().whenReady();
      }
    });

    it('again and again: thousands of requests, each recorded once in the end', async () => {
      const queue = Array.from({ length: 3_000 }, (_, n): WriteRequest => {
        const name = `flood-${n}`;
        return { name, kind: 'event', events: 1, stream: `fault/flood-${n % 50}`, key: name };
      });
      const before = ledger.attempts.length;
      await Promise.all(
        Array.from({ length: WRITERS }, async (_, writer) => {
          for (let request = queue.pop(); request !== undefined; request = queue.pop()) {
            for (;;) {
              const { outcome, word } = await ledger.write(callers.of(writer), request, NARROW);
              if (outcome === 'answered') break;
              expect(word).toBe('queue_full');
              await delay(50);
            }
          }
        }),
      );
      expect(slowest(ledger.attempts.slice(before))).toBeLessThan(10_000);
    });

    it('leaves a sound chain', async () => {
      ledger.expectRecordedIn(await expectSoundChain(stack()), stack());
    });
  });

  /** Number of connections of both kernels, as PostgreSQL sees them. */
  async function connections(): Promise<number> {
    const postgres = new Client({ connectionString: stack().postgres.superuserUrl });
    await postgres.connect();
    try {
      const { rows } = await postgres.query<{ count: number }>(
        `SELECT count(*)::integer AS count FROM pg_stat_activity WHERE usename = $1`,
        [stack().postgres.runtimeRole],
      );
      return rows[0]?.count ?? 0;
    } finally {
      await postgres.end();
    }
  }
});

function batchOf10(name: string): WriteRequest {
  return { name, kind: 'batch', events: 10, key: name };
}
