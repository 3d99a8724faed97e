import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { auditSigningInput, importPublicKey, verifyEd25519 } from '#evidence';
import { KERNEL_CLIENT_COMMON_NAME } from '#dev/devstack';
import { type SigningProxyClient } from '#platform/signer';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { AUDIT, ORIGIN, ProxyProcess } from './proxy-process';

const SHARD = 0;
/** A separate shard, so that its load does not affect the other tests. */
const BUSY_SHARD = 7;

const postgres = withPostgres();

describe('two signing proxies that share a database', () => {
  let database: TestDatabase;
  let proxies: [ProxyProcess, ProxyProcess];
  let settings: Record<string, string | undefined>;
  let one: SigningProxyClient;
  let other: SigningProxyClient;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    const first = await ProxyProcess.prepare('software');
    proxies = [first, await first.sibling()];
    settings = {
      KERNEL_SIGNING_MARKS_DIR: undefined,
      KERNEL_SIGNING_MARKS_DATABASE_URL: database.ownerUrl,
      // One certificate is enough here; in production the kernel is not an operator.
      KERNEL_SIGNING_OPERATORS: JSON.stringify([KERNEL_CLIENT_COMMON_NAME]),
      KERNEL_SIGNING_CLIENTS: JSON.stringify([
        { cn: KERNEL_CLIENT_COMMON_NAME, purposes: ['audit-event', 'log-checkpoint'] },
      ]),
      KERNEL_SIGNING_KEYS: JSON.stringify([
        { kid: AUDIT, purposes: ['audit'] },
        { kid: 'process-checkpoint-v1', purposes: ['checkpoint'] },
      ]),
      KERNEL_SIGNING_KEY_MAKERS: JSON.stringify([KERNEL_CLIENT_COMMON_NAME]),
    };
    // At once, as an orchestrator does: both create the tables.
    await Promise.all(proxies.map((proxy) => proxy.start(settings)));
    [one, other] = [await proxies[0].client(), await proxies[1].client()];
  }, 60_000);
  afterAll(async () => {
    // The second one's folder belongs to the first.
    for (const proxy of proxies.toReversed()) await proxy.stop();
    await database.drop();
  }, 60_000);

  const sign = (
    by: SigningProxyClient,
    seq: number,
    { committed = seq - 1, shard = SHARD, kid = AUDIT } = {},
  ) => {
    const input = auditSigningInput({ origin: ORIGIN, shard, seq, hash: 'ab'.repeat(32) });
    return by.sign([{ purpose: 'audit-event', kid, input, committed }]);
  };
  /** Positions of a chain that are signed and not committed yet. */
  const signRun = (
    by: SigningProxyClient,
    from: number,
    to: number,
    { shard = SHARD, committed = from - 1 } = {},
  ) =>
    by.sign(
      Array.from({ length: to - from + 1 }, (_, n) => {
        const input = auditSigningInput({ origin: ORIGIN, shard, seq: from + n, hash: 'ab'.repeat(32) });
        return { purpose: 'audit-event' as const, kid: AUDIT, input, committed };
      }),
    );
  const markOf = async (by: SigningProxyClient, shard = SHARD) =>
    (await by.marks()).find((mark) => mark.shard === shard);
  const below = (seq: number) => ({
    code: 'signing_refused',
    details: { error: 'below_high_water_mark', mark: { shard: SHARD, seq } },
  });
  const openWindow = async (proxy: ProxyProcess, seq: number): Promise<number> => {
    const files = proxy.clientFiles();
    const [ca, cert, key] = await Promise.all(
      [files.ca, files.cert, files.key].map((file) => readFile(file)),
    );
    const dispatcher = new Agent({ connect: { ca, cert, key } });
    try {
      const answer = await request(`${proxy.url}/v1/restore-windows`, {
        dispatcher,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ shard: SHARD, seq, seconds: 60, reason: 'a test' }),
      });
      await answer.body.dump();
      return answer.statusCode;
    } finally {
      await dispatcher.destroy();
    }
  };

  it('refuse what is below the mark that the other one set', async () => {
    await signRun(one, 1, 200);
    await sign(one, 101);
    await expect(sign(other, 100)).rejects.toMatchObject(below(100));
    await sign(other, 201);
    await expect(sign(one, 200)).rejects.toMatchObject(below(200));
    // Either of the two may sign again after a failed commit.
    await sign(one, 201);
    await sign(other, 201);
    expect([await markOf(one), await markOf(other)]).toEqual(
      Array.from({ length: 2 }, () => ({ shard: SHARD, seq: 200, signed: 201, window: null })),
    );
  });

  it('keep the highest when both raise it at once', async () => {
    const shard = BUSY_SHARD;
    const positions = Array.from({ length: 60 }, (_, n) => n + 1);
    await signRun(one, 1, 60, { shard });
    const results = await Promise.allSettled(
      positions.map((seq) => sign(seq % 2 === 0 ? one : other, seq, { shard })),
    );
    // In any order: each signature was above the mark at that time, and the last is above all.
    expect(results.at(-1)?.status).toBe('fulfilled');
    expect([(await markOf(one, shard))?.seq, (await markOf(other, shard))?.seq]).toEqual([59, 59]);
    await expect(sign(one, 59, { shard })).rejects.toMatchObject({ code: 'signing_refused' });
  });

  it('refuse a position far ahead of what either has signed, and go on', async () => {
    const ahead = {
      code: 'signing_refused',
      details: { error: 'position_ahead', signed: { shard: SHARD, seq: 201 } },
    };
    for (const by of [one, other]) {
      await expect(sign(by, 100_000)).rejects.toMatchObject(ahead);
      await expect(sign(by, 203)).rejects.toMatchObject(ahead);
    }
    // Groups of one kernel, by turns and out of order.
    await signRun(other, 221, 240, { committed: 200 });
    await signRun(one, 201, 220, { committed: 200 });
    await signRun(one, 241, 260, { committed: 220 });
    expect(await markOf(other)).toMatchObject({ seq: 220, signed: 260 });
  });

  it('sign one of two roots of one size that they are asked for at once', async () => {
    const roots = ['A', 'B'].map((letter) => `${letter.repeat(42)}A=`);
    for (const shard of [20, 21, 22, 23]) {
      await signRun(one, 1, 8, { shard });
      const asked = { shard, size: 8, consistency: null };
      const answers = await Promise.allSettled(
        [one, other].map((by, n) => by.signCheckpoint({ ...asked, root: roots[n] ?? '' })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
      const root = roots[answers.findIndex(({ status }) => status === 'fulfilled')] ?? '';
      expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'signing_refused', details: { error: 'checkpoint_conflict', size: 8, root } },
      });
      for (const by of [one, other]) {
        expect((await by.lastCheckpoints()).find((last) => last.shard === shard)).toEqual({
          shard,
          size: 8,
          root,
        });
      }
    }
  });

  it('take a window that was opened at one for both, and only once', async () => {
    await expect(sign(other, 51)).rejects.toMatchObject(below(220));
    expect(await openWindow(proxies[0], 50)).toBe(201);
    expect((await markOf(other))?.window).toMatchObject({ seq: 50, reason: 'a test' });
    await expect(sign(one, 50)).rejects.toMatchObject(below(220));
    await sign(other, 51);
    // It is used up for both, and the mark follows the restored chain.
    expect(await markOf(one)).toEqual({ shard: SHARD, seq: 50, signed: 51, window: null });
    await expect(sign(one, 50)).rejects.toMatchObject(below(50));
    await signRun(one, 52, 60);
    await sign(one, 61);
    await expect(sign(other, 51)).rejects.toMatchObject(below(60));
  });

  it('have the keys that either makes, at once and after kill -9', async () => {
    const kid = 'process-audit-v2';
    const asked = await Promise.all([one, other].map((by) => by.makeKey(kid, ['audit'])));
    expect(asked[0]).toEqual(asked[1]);
    const publicKey = importPublicKey(asked[0]?.publicKeyPem ?? '');
    const made = await one.makeKey('process-audit-v3', ['audit']);
    // The other one does not know it.
    await sign(other, 62, { kid: made.kid });

    proxies[0].child?.kill('SIGKILL');
    await proxies[0].child?.exited;
    await sign(other, 63, { kid, committed: 62 });
    await signRun(other, 64, 80);
    await proxies[0].start(settings);
    const [answer] = await sign(one, 81, { kid, committed: 80 });
    const input = auditSigningInput({ origin: ORIGIN, shard: SHARD, seq: 81, hash: 'ab'.repeat(32) });
    expect(verifyEd25519(publicKey, input, Buffer.from(answer?.signature ?? '', 'base64'))).toBe(true);
    await expect(sign(one, 80)).rejects.toMatchObject(below(80));
    expect(await one.lastCheckpoints()).toHaveLength(4);
    expect((await one.keys()).map((key) => key.kid)).toEqual((await other.keys()).map((key) => key.kid));
    await expect(one.makeKey(kid, ['manifest'])).rejects.toMatchObject({ code: 'key_refused' });
  });
});
