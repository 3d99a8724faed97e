import { createHash } from 'node:crypto';
import {
  checkpointSigningInput,
  consistencyPath,
  importPublicKey,
  leafHash,
  nodeHash,
  type Subtree,
  treeRoot,
  verifyEd25519,
} from '#evidence';
import { ProxyBackend, SIGNING_PURPOSES } from '#platform/signer';
import { FileMarks } from '../marks/file-marks';
import {
  AUDIT,
  auditInput,
  auditItem,
  base64,
  CHECKPOINT,
  MANIFEST,
  openSoftware,
  ORIGIN,
  type ProxyFixture,
  SHARDS,
  startProxyFixture,
} from '../proxy.fixture';

const SIGNED = 300;

/** A log of so many entries, of which one may be another than in its siblings. */
function log(changed?: number): Subtree {
  const subtree: Subtree = async (level, index) =>
    level === 0
      ? leafHash(Buffer.from(index === changed ? 'changed' : `event ${index}`))
      : nodeHash(await subtree(level - 1, 2 * index), await subtree(level - 1, 2 * index + 1));
  return subtree;
}
const [LOG, FORK] = [log(), log(3)];

describe('checkpoints of the logs', () => {
  let fixture: ProxyFixture;
  beforeEach(async () => {
    fixture = await startProxyFixture({
      marks: (dir) => FileMarks.open(dir),
      operators: ['ops'],
      clients: [
        { cn: 'kernel', purposes: SIGNING_PURPOSES.filter((purpose) => purpose !== 'log-checkpoint') },
        { cn: 'log-publisher', purposes: ['log-checkpoint'] },
        { cn: 'busy', purposes: ['log-checkpoint'], perSecond: 1 },
      ],
    });
    const events = Array.from({ length: SIGNED }, (_, n) => auditItem(auditInput(n + 1)));
    expect((await fixture.sign(events)).status).toBe(200);
  });
  afterEach(() => fixture.stop());

  interface Asked {
    size: number;
    shard?: number;
    tree?: Subtree;
    from?: number | null;
    kid?: string;
    as?: string;
  }
  const bodyOf = async ({ size, shard = 0, tree = LOG, from = null, kid }: Asked) => ({
    ...(kid !== undefined && { kid }),
    shard,
    size,
    root: base64(await treeRoot(tree, size)),
    consistency:
      from === null ? null : { from, hashes: (await consistencyPath(tree, from, size)).map(base64) },
  });
  const post = async (body: object, as = 'log-publisher') =>
    fixture.call({ path: '/v1/checkpoints', body: JSON.stringify(body), client: await fixture.as(as) });
  const ask = async (asked: Asked) => post(await bodyOf(asked), asked.as);
  const last = async () => (await fixture.call({ method: 'GET', path: '/v1/checkpoints' })).body.checkpoints;
  const conflict = async (size: number) => ({
    status: 409,
    body: { error: 'checkpoint_conflict', size, root: base64(await treeRoot(LOG, size)) },
  });

  it('are signed one after the other, each with the proof that it continues the last', async () => {
    expect(await last()).toEqual([]);
    const publicKey = importPublicKey(
      fixture.backend.keys().find(({ kid }) => kid === CHECKPOINT)?.publicKeyPem ?? '',
    );
    let before: number | null = null;
    for (const size of [1, 2, 7, 8, 100, 256, 300]) {
      const { status, body } = await ask({ size, from: before });
      expect([status, Object.keys(body as object).toSorted(), body.kid]).toEqual([
        200,
        ['kid', 'signature'],
        CHECKPOINT,
      ]);
      const root = await treeRoot(LOG, size);
      const note = checkpointSigningInput({ origin: ORIGIN, shard: 0, size, root });
      expect(verifyEd25519(publicKey, note, Buffer.from(String(body.signature), 'base64'))).toBe(true);
      expect(await last()).toEqual([{ shard: 0, size, root: base64(root) }]);
      before = size;
    }
    expect(fixture.logs.find(({ msg, size }) => msg === 'signed a checkpoint' && size === 300)).toMatchObject(
      {
        client: 'log-publisher',
        kid: CHECKPOINT,
        shard: 0,
        digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    );
    const name = `signing_proxy_signatures_total{kid="${CHECKPOINT}",purpose="log-checkpoint"}`;
    expect(await fixture.metric(name)).toBe(7);
    expect(await fixture.metric('signing_proxy_checkpoint_size{shard="0"}')).toBe(300);
  });

  it('of one size are signed again and give the same signature, with any proof or none', async () => {
    const first = await ask({ size: 8 });
    expect(await ask({ size: 8 })).toMatchObject({ status: 200, body: first.body });
    expect(await ask({ size: 8, from: 3 })).toMatchObject({ status: 200, body: first.body });
  });

  it('of one size with two roots are refused, and named a fork', async () => {
    await ask({ size: 8 });
    const refused = await ask({ size: 8, tree: FORK });
    expect(refused).toMatchObject(await conflict(8));
    expect(refused.body.detail).toContain('fork');
    expect(await last()).toMatchObject([{ size: 8 }]);
    expect(await fixture.metric('signing_proxy_refusals_total{reason="checkpoint_conflict"}')).toBe(1);
    expect(fixture.logs.find(({ reason }) => reason === 'checkpoint_conflict')).toMatchObject({
      client: 'log-publisher',
      size: 8,
    });
  });

  it('of a log that was put back to an older size are refused', async () => {
    await ask({ size: 200 });
    expect(await ask({ size: 199 })).toMatchObject(await conflict(200));
    expect(await ask({ size: 0 })).toMatchObject(await conflict(200));
    // Nor when it then grows again, with a proof from its own past.
    expect(await ask({ size: 250, from: 199 })).toMatchObject(await conflict(200));
    expect((await ask({ size: 250, from: 200 })).status).toBe(200);
  });

  it('that are larger need a proof from exactly the last', async () => {
    await ask({ size: 100 });
    expect(await ask({ size: 150 })).toMatchObject(await conflict(100));
    expect(await ask({ size: 150, from: 99 })).toMatchObject(await conflict(100));
    expect(await ask({ size: 150, from: 0 })).toMatchObject(await conflict(100));
    const good = await bodyOf({ size: 150, from: 100 });
    const hashes = good.consistency?.hashes ?? [];
    const invalid = { status: 400, body: { error: 'invalid_consistency', size: 100 } };
    for (const [n, hash] of hashes.entries()) {
      const bytes = Buffer.from(hash, 'base64');
      bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
      const changed = hashes.with(n, base64(bytes));
      for (const proof of [changed, hashes.toSpliced(n, 1), hashes.toSpliced(n, 0, hash)]) {
        expect(await post({ ...good, consistency: { from: 100, hashes: proof } })).toMatchObject(invalid);
      }
    }
    expect(await post({ ...good, consistency: { from: 100, hashes: [] } })).toMatchObject(invalid);
    expect(await ask({ size: 150, from: 100, tree: FORK })).toMatchObject(invalid);
    expect(await last()).toMatchObject([{ size: 100 }]);
    expect((await post(good)).status).toBe(200);
  });

  it('are no longer than what was signed', async () => {
    expect(await ask({ size: SIGNED + 1 })).toMatchObject({
      status: 409,
      body: { error: 'beyond_committed', signed: { shard: 0, seq: SIGNED } },
    });
    expect(await ask({ size: 1, shard: 1 })).toMatchObject({
      status: 409,
      body: { error: 'beyond_committed', signed: { shard: 1, seq: 0 } },
    });
    expect(await last()).toEqual([]);
    expect((await ask({ size: SIGNED })).status).toBe(200);
  });

  it('of an empty log have the one root that it has', async () => {
    const empty = await bodyOf({ size: 0, shard: 1 });
    expect(empty.root).toBe(createHash('sha256').digest('base64'));
    expect(await post({ ...empty, root: (await bodyOf({ size: 1 })).root })).toMatchObject({
      status: 400,
      body: { error: 'invalid_consistency' },
    });
    expect((await post(empty)).status).toBe(200);
    await fixture.sign([auditItem(auditInput(1, ORIGIN, 1))]);
    expect((await ask({ size: 1, shard: 1, from: 0 })).status).toBe(200);
  });

  it('are of shards that the chain has', async () => {
    for (const shard of [SHARDS, 1_023]) {
      expect(await ask({ size: 1, shard })).toMatchObject({ status: 404, body: { error: 'unknown_shard' } });
    }
    expect(await last()).toEqual([]);
  });

  it('are signed by a checkpoint key, for those who may ask', async () => {
    expect((await ask({ size: 5, kid: CHECKPOINT })).body.kid).toBe(CHECKPOINT);
    expect(await ask({ size: 5, kid: 'nobody' })).toMatchObject({
      status: 422,
      body: { error: 'unknown_key' },
    });
    for (const kid of [AUDIT, MANIFEST]) {
      expect(await ask({ size: 5, kid })).toMatchObject({
        status: 422,
        body: { error: 'wrong_key_purpose' },
      });
    }
    for (const as of ['kernel', 'stranger']) {
      expect(await ask({ size: 5, as })).toMatchObject({
        status: 403,
        body: { error: 'client_not_permitted' },
      });
      expect((await fixture.call({ method: 'GET', path: '/v1/checkpoints' })).status).toBe(200);
    }
    expect((await ask({ size: 5, as: 'busy' })).status).toBe(200);
    expect(await ask({ size: 5, as: 'busy' })).toMatchObject({
      status: 429,
      body: { error: 'rate_limited' },
    });
  });

  it('are not read from a request that is none', async () => {
    const changes: [string, object][] = [
      ['without consistency', { consistency: undefined }],
      ['with one more member', { note: 'x' }],
      ['of a broken size', { size: 1.5 }],
      ['of a negative size', { size: -1 }],
      ['of a size beyond integers', { size: 2 ** 53 }],
      ['of a size that is text', { size: '5' }],
      ['with a root of 31 bytes', { root: base64(Buffer.alloc(31)) }],
      ['with a root with stray bits', { root: `${'A'.repeat(42)}B=` }],
      ['with a root in base64url', { root: `${'-'.repeat(42)}A=` }],
      ['with 65 hashes', { consistency: { from: 1, hashes: new Array(65).fill(`${'A'.repeat(42)}A=`) } }],
      ['with a hash that is none', { consistency: { from: 1, hashes: ['AAAA'] } }],
      ['of shard -1', { shard: -1 }],
      ['of shard 1024', { shard: 1_024 }],
    ];
    const good = await bodyOf({ size: 5 });
    for (const [what, change] of changes) {
      const { status, body } = await post({ ...good, ...change });
      expect([what, status, body.error]).toEqual([what, 400, 'malformed_request']);
    }
    expect(await last()).toEqual([]);
    expect((await post(good)).status).toBe(200);
  });

  it('are not signed as bytes, by whatever client, and the answer says where they are', async () => {
    const input = checkpointSigningInput({ origin: ORIGIN, shard: 0, size: 5, root: await treeRoot(LOG, 5) });
    const item = { purpose: 'log-checkpoint', kid: CHECKPOINT, input: base64(input) };
    for (const as of ['kernel', 'log-publisher']) {
      expect(await fixture.sign([item], await fixture.as(as))).toMatchObject({
        status: 422,
        body: { error: 'unknown_purpose', detail: expect.stringContaining('POST /v1/checkpoints') },
      });
    }
    for (const purpose of ['audit-event', 'manifest', 'archive-day', 'audit-report', 'signer-possession']) {
      const refused = await fixture.sign([{ ...item, purpose }]);
      expect(refused.status).toBe(422);
    }
  });

  it('are remembered over a crash', async () => {
    await ask({ size: 200 });
    const restart = await fixture.crash();
    await restart();
    expect(await last()).toMatchObject([{ shard: 0, size: 200 }]);
    expect(await ask({ size: 200, tree: FORK })).toMatchObject(await conflict(200));
    expect(await ask({ size: 100 })).toMatchObject(await conflict(200));
    expect((await ask({ size: 201, from: 200 })).status).toBe(200);
  });

  it('are not taken back by a restore window', async () => {
    await ask({ size: 250 });
    await fixture.sign([auditItem(auditInput(SIGNED + 1))]);
    const window = { shard: 0, seq: 100, seconds: 60, reason: 'a drill' };
    const opened = await fixture.call({
      path: '/v1/restore-windows',
      body: JSON.stringify(window),
      client: await fixture.as('ops'),
    });
    expect(opened.status).toBe(201);
    expect((await fixture.sign([auditItem(auditInput(101))])).status).toBe(200);
    expect(await ask({ size: 101 })).toMatchObject(await conflict(250));
    expect(await last()).toMatchObject([{ size: 250 }]);
  });

  it('of one size with two roots, asked for at once, are signed once', async () => {
    const publisher = await fixture.as('log-publisher');
    const bodies = await Promise.all([LOG, FORK].map((tree) => bodyOf({ size: 77, tree })));
    const answers = await Promise.all(
      bodies.map((body) =>
        fixture.call({ path: '/v1/checkpoints', body: JSON.stringify(body), client: publisher }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    const winner = answers.findIndex(({ status }) => status === 200);
    expect(await last()).toMatchObject([{ size: 77, root: bodies[winner]?.root }]);
  });

  it('are asked for by the client in typed words', async () => {
    const { cert, key } = await fixture.as('log-publisher');
    const client = fixture.client({ cert, key });
    const signed = await client.signCheckpoint(await bodyOf({ size: 8 }));
    expect(signed.kid).toBe(CHECKPOINT);
    const root = base64(await treeRoot(LOG, 8));
    expect(await client.lastCheckpoints()).toEqual([{ shard: 0, size: 8, root }]);
    const refusals: [Promise<object>, object][] = [
      [bodyOf({ size: 8, tree: FORK }), { error: 'checkpoint_conflict', size: 8, root }],
      [bodyOf({ size: 301, from: 8 }), { error: 'beyond_committed', signed: { shard: 0, seq: SIGNED } }],
      [bodyOf({ size: 20, from: 8, tree: FORK }), { error: 'invalid_consistency' }],
      [bodyOf({ size: 8, shard: SHARDS }), { error: 'unknown_shard' }],
    ];
    for (const [body, details] of refusals) {
      const asked = client.signCheckpoint((await body) as Awaited<ReturnType<typeof bodyOf>>);
      await expect(asked).rejects.toMatchObject({ code: 'signing_refused', details });
    }
    const unknown = client.signCheckpoint({ ...(await bodyOf({ size: 8 })), kid: 'nobody' });
    await expect(unknown).rejects.toMatchObject({ code: 'unknown_key' });
    const restart = await fixture.crash();
    await expect(client.signCheckpoint(await bodyOf({ size: 8 }))).rejects.toMatchObject({
      code: 'signing_unavailable',
    });
    await restart();
  });
});

describe('checkpoints through a proxy in front of the one that has the keys', () => {
  let behind: ProxyFixture;
  let front: ProxyFixture;
  beforeEach(async () => {
    behind = await startProxyFixture({
      marks: (dir) => FileMarks.open(dir),
      clients: [
        { cn: 'front', purposes: [...SIGNING_PURPOSES] },
        { cn: 'kernel', purposes: [...SIGNING_PURPOSES] },
      ],
    });
    const { cert, key } = await behind.as('front');
    front = await startProxyFixture({
      marks: (dir) => FileMarks.open(dir),
      open: () =>
        ProxyBackend.open({
          url: behind.url,
          ca: behind.ca.cert,
          cert,
          key,
          origin: ORIGIN,
          keys: [
            { kid: AUDIT, purposes: ['audit'] },
            { kid: CHECKPOINT, purposes: ['checkpoint'] },
          ],
          timeoutMs: 30_000,
        }),
    });
  });
  afterEach(async () => {
    await front.stop();
    await behind.stop();
  });

  const ask = async (proxy: ProxyFixture, size: number, { from = null as number | null, tree = LOG } = {}) =>
    proxy.call({
      path: '/v1/checkpoints',
      body: JSON.stringify({
        shard: 0,
        size,
        root: base64(await treeRoot(tree, size)),
        consistency:
          from === null ? null : { from, hashes: (await consistencyPath(tree, from, size)).map(base64) },
      }),
    });
  const events = (from: number, to: number, committed: number) =>
    Array.from({ length: to - from + 1 }, (_, n) => ({ ...auditItem(auditInput(from + n)), committed }));

  it('are remembered behind, and its refusals are answered in front', async () => {
    expect((await front.sign(events(1, 50, 0))).status).toBe(200);
    expect((await ask(front, 20)).status).toBe(200);
    const kept = [{ shard: 0, size: 20, root: base64(await treeRoot(LOG, 20)) }];
    for (const proxy of [front, behind]) {
      expect((await proxy.call({ method: 'GET', path: '/v1/checkpoints' })).body).toEqual({
        checkpoints: kept,
      });
    }
    const { root } = kept[0] ?? {};
    expect(await ask(front, 20, { tree: FORK })).toMatchObject({
      status: 409,
      body: { error: 'checkpoint_conflict', size: 20, root },
    });
    expect(await ask(front, 30, { from: 20, tree: FORK })).toMatchObject({
      status: 400,
      body: { error: 'invalid_consistency' },
    });
    expect(await ask(front, 51, { from: 20 })).toMatchObject({
      status: 409,
      body: { error: 'beyond_committed', signed: { shard: 0, seq: 50 } },
    });
    expect((await ask(front, 50, { from: 20 })).status).toBe(200);
  });

  it('do not keep groups of events apart that are signed ahead of a commit', async () => {
    // Out of order, and numbered again after a commit that failed: the proxy behind has to know what is committed.
    for (const group of [events(51, 90, 0), events(1, 50, 0), events(91, 120, 50), events(51, 100, 50)]) {
      expect((await front.sign(group)).status).toBe(200);
    }
    for (const proxy of [front, behind]) {
      const { body } = await proxy.call({ method: 'GET', path: '/v1/marks' });
      expect(body.marks).toEqual([{ shard: 0, seq: 50, signed: 120, window: null }]);
    }
  });
});

describe('checkpoints where something is missing', () => {
  const body = JSON.stringify({
    shard: 0,
    size: 0,
    root: createHash('sha256').digest('base64'),
    consistency: null,
  });

  it('are not signed without a memory', async () => {
    const fixture = await startProxyFixture();
    try {
      expect(await fixture.call({ path: '/v1/checkpoints', body })).toMatchObject({
        status: 503,
        body: { error: 'signing_unavailable', detail: expect.stringContaining('KERNEL_SIGNING_MARKS_DIR') },
      });
      const listed = await fixture.call({ method: 'GET', path: '/v1/checkpoints' });
      expect(listed).toMatchObject({ status: 200, body: { checkpoints: [] } });
    } finally {
      await fixture.stop();
    }
  });

  it('leave no trace when the backend cannot sign', async () => {
    const { SignerError } = await import('#platform/signer');
    let away = true;
    const fixture = await startProxyFixture({
      marks: (dir) => FileMarks.open(dir),
      open: async (dir) => {
        const real = await openSoftware(dir);
        return {
          name: real.name,
          keys: () => real.keys(),
          sign: async (kid, messages) => {
            if (away) throw new SignerError('signing_unavailable', 'the token is gone');
            return real.sign(kid, messages);
          },
          health: () => real.health(),
          close: () => real.close(),
        };
      },
    });
    try {
      expect(await fixture.call({ path: '/v1/checkpoints', body })).toMatchObject({
        status: 503,
        body: { error: 'signing_unavailable' },
      });
      const listed = await fixture.call({ method: 'GET', path: '/v1/checkpoints' });
      expect(listed.body).toEqual({ checkpoints: [] });
      away = false;
      expect((await fixture.call({ path: '/v1/checkpoints', body })).status).toBe(200);
    } finally {
      await fixture.stop();
    }
  });
});
