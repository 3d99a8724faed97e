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
    await sign(one, 1);
    await sign(one, 101);
    await expect(sign(other, 100)).rejects.toMatchObject(below(100));
    await sign(other, 201);
    await expect(sign(one, 200)).rejects.toMatchObject(below(200));
    // Either of the two may sign again after a failed commit.
    await sign(one, 201);
    await sign(other, 201);
    expect([await markOf(one), await markOf(other)]).toEqual(
      Array.from({ length: 2 }, () => ({ shard: SHARD, seq: 200, window: null })),
    );
  });

  it('keep the highest when both raise it at once', async () => {
    const shard = BUSY_SHARD;
    const positions = Array.from({ length: 60 }, (_, n) => n + 1);
    const results = await Promise.allSettled(
      positions.map((seq) => sign(seq % 2 === 0 ? one : other, seq, { shard })),
    );
    // In any order: each signature was above the mark at that time, and the last is above all.
    expect(results.at(-1)?.status).toBe('fulfilled');
    expect([(await markOf(one, shard))?.seq, (await markOf(other, shard))?.seq]).toEqual([59, 59]);
    await expect(sign(one, 59, { shard })).rejects.toMatchObject({ code: 'signing_refused' });
  });

  it('take a window that was opened at one for both, and only once', async () => {
    await expect(sign(other, 51)).rejects.toMatchObject(below(200));
    expect(await openWindow(proxies[0], 50)).toBe(201);
    expect((await markOf(other))?.window).toMatchObject({ seq: 50, reason: 'a test' });
    await expect(sign(one, 50)).rejects.toMatchObject(below(200));
    await sign(other, 51);
    // It is used up for both, and the mark follows the restored chain.
    expect(await markOf(one)).toEqual({ shard: SHARD, seq: 50, window: null });
    await expect(sign(one, 50)).rejects.toMatchObject(below(50));
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
    await sign(other, 71, { kid: made.kid });

    proxies[0].child?.kill('SIGKILL');
    await proxies[0].child?.exited;
    await sign(other, 72, { kid, committed: 71 });
    await proxies[0].start(settings);
    const [answer] = await sign(one, 73, { kid, committed: 72 });
    const input = auditSigningInput({ origin: ORIGIN, shard: SHARD, seq: 73, hash: 'ab'.repeat(32) });
    expect(verifyEd25519(publicKey, input, Buffer.from(answer?.signature ?? '', 'base64'))).toBe(true);
    await expect(sign(one, 72)).rejects.toMatchObject(below(72));
    expect((await one.keys()).map((key) => key.kid)).toEqual((await other.keys()).map((key) => key.kid));
    await expect(one.makeKey(kid, ['manifest'])).rejects.toMatchObject({ code: 'key_refused' });
  });
});
