import { FileMarks } from './file-marks';
import {
  archiveDayInput,
  archiveDayItem,
  AUDIT,
  auditInput,
  auditItem,
  manifestItem,
  type ProxyFixture,
  SHARDS,
  startProxyFixture,
  type WireItem,
} from '../proxy.fixture';
import { SIGNING_PURPOSES } from '#platform/signer';

const inShard = (shard: number, seq: number) => auditItem(auditInput(seq, undefined, shard));
const other = (seq: number) => auditItem(auditInput(seq, undefined, 0, 'ef'.repeat(32)));
const event = (seq: number, committed?: number) => ({
  ...auditItem(auditInput(seq)),
  ...(committed !== undefined && { committed }),
});
const events = (from: number, to: number, committed?: number) =>
  Array.from({ length: to - from + 1 }, (_, n) => event(from + n, committed));

describe('the high-water mark', () => {
  let fixture: ProxyFixture;
  beforeEach(async () => {
    fixture = await startProxyFixture({
      marks: (dir) => FileMarks.open(dir),
      operators: ['ops'],
      clients: [
        { cn: 'kernel', purposes: [...SIGNING_PURPOSES] },
        { cn: 'busy', purposes: ['audit-event'], perSecond: 10 },
      ],
    });
  });
  afterEach(() => fixture.stop());

  const status = async (items: object[]): Promise<number> => (await fixture.sign(items)).status;
  const marks = async () => (await fixture.call({ method: 'GET', path: '/v1/marks' })).body.marks;
  /** A chain that was signed from its first position to this one, all of it committed. */
  const chain = async (end: number): Promise<void> => {
    for (let from = 1; from <= end; from += 512) {
      expect(await status(events(from, Math.min(end, from + 511)))).toBe(200);
    }
  };
  const open = async (body: object, commonName = 'ops') =>
    fixture.call({
      path: '/v1/restore-windows',
      body: JSON.stringify(body),
      client: await fixture.as(commonName),
    });

  it('refuses a batch at or below a position that a signed one builds on, and nothing else', async () => {
    expect(await status(events(1, 10))).toBe(200);
    expect(await status(events(11, 20))).toBe(200);
    // The commit failed: the same again, and another one in its place.
    expect(await status(events(11, 20))).toBe(200);
    expect(await status(events(11, 13))).toBe(200);
    const { status: refused, body } = await fixture.sign([...events(10, 14), manifestItem()]);
    expect([refused, body]).toMatchObject([
      409,
      { error: 'below_high_water_mark', index: 0, mark: { shard: 0, seq: 10 } },
    ]);
    expect(fixture.logs.find(({ msg }) => msg === 'refused')).toMatchObject({
      client: 'kernel',
      reason: 'below_high_water_mark',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await fixture.metric(`signing_proxy_signatures_total{kid="${AUDIT}",purpose="audit-event"}`)).toBe(
      33,
    );
    expect(await fixture.metric('signing_proxy_permitted_total{client="kernel"}')).toBe(4);
    expect(await fixture.metric('signing_proxy_refused_total{client="kernel"}')).toBe(1);
    expect(await fixture.metric('signing_proxy_high_water_mark{shard="0"}')).toBe(10);
  });

  it('follows what the caller knows to be committed, so that groups ahead of it may fail', async () => {
    await chain(10);
    // The second of two groups may be here before the first.
    expect(await status(events(61, 90, 10))).toBe(200);
    expect(await status(events(11, 60, 10))).toBe(200);
    // Another replica was first, with three events: both groups are numbered again.
    expect(await status(events(14, 63, 13))).toBe(200);
    expect(await status(events(13, 13, 12))).toBe(409);
    expect(await marks()).toEqual([{ shard: 0, seq: 13, signed: 90, window: null }]);
  });

  it.each([
    ['what is committed lies behind the event', [event(11, 11)]],
    ['nobody is this far ahead', [event(5_000, 10)]],
    ['what is committed is in the batch itself', [event(11, 10), event(12, 11)]],
  ])('takes no caller’s word when %s', async (_why, items) => {
    await chain(10);
    const before = await marks();
    expect(await fixture.sign(items)).toMatchObject({
      status: 422,
      body: { error: 'input_not_of_purpose' },
    });
    expect(await marks()).toEqual(before);
  });

  it.each<[string, () => WireItem[]]>([
    ['has a gap', () => [event(1), event(2), event(4)]],
    ['has a gap of another shard', () => [event(1), inShard(2, 1), event(2), inShard(2, 3)]],
    ['has two hashes at one position', () => [event(1), event(2), other(2)]],
    ['has them at its first position', () => [event(1), other(1)]],
  ])('takes no batch that %s, and remembers nothing of it', async (_what, items) => {
    expect(await fixture.sign(items())).toMatchObject({
      status: 422,
      body: { error: 'positions_not_consecutive' },
    });
    expect(await marks()).toEqual([]);
  });

  it('takes the groups of several shards in one batch, in any order, and an input twice', async () => {
    const items = [
      event(3, 0),
      event(4, 0),
      inShard(2, 1),
      event(1, 0),
      event(2, 0),
      event(2, 0),
      inShard(2, 2),
    ];
    expect(await status(items)).toBe(200);
    expect(await marks()).toEqual([
      { shard: 0, seq: 0, signed: 4, window: null },
      { shard: 2, seq: 0, signed: 2, window: null },
    ]);
  });

  describe('and a thief who has the kernel’s certificate', () => {
    const HEAD = 600;
    beforeEach(() => chain(HEAD));

    it.each<[string, () => WireItem[]]>([
      ['a position 100,000 ahead', () => [event(HEAD + 100_000)]],
      ['the same, said to build on what is committed', () => [event(HEAD + 100_000, HEAD + 99_999)]],
      ['a batch two positions ahead', () => events(HEAD + 2, HEAD + 500)],
      ['a commit that nobody has signed', () => [event(HEAD + 50, HEAD + 1)]],
    ])('gets no signature for %s, is told why, and stops nobody', async (_what, items) => {
      const before = await marks();
      const counted = await fixture.metric('signing_proxy_refusals_total{reason="position_ahead"}');
      expect(await fixture.sign(items())).toMatchObject({
        status: 409,
        body: { error: 'position_ahead', signed: { shard: 0, seq: HEAD } },
      });
      expect(await fixture.metric('signing_proxy_refusals_total{reason="position_ahead"}')).toBe(counted + 1);
      expect(fixture.logs.find(({ reason }) => reason === 'position_ahead')).toMatchObject({
        client: 'kernel',
        signed: { shard: 0, seq: HEAD },
      });
      expect(await marks()).toEqual(before);
      expect(await status(events(HEAD + 1, HEAD + 60))).toBe(200);
    });

    it.each<[string, () => WireItem[]]>([
      ['the next 512', () => events(HEAD + 1, HEAD + 512)],
      ['512 as far ahead as groups may be', () => events(HEAD + 2_500, HEAD + 3_011, HEAD)],
    ])('stops nobody with one request that is signed: %s', async (_what, items) => {
      expect(await status(items())).toBe(200);
      // The true kernel goes on where it is, group by group.
      expect(await status(events(HEAD + 1, HEAD + 50))).toBe(200);
      expect(await status(events(HEAD + 51, HEAD + 90))).toBe(200);
    });
  });

  it('refuses shards that the chain does not have, and remembers nothing of them', async () => {
    const day = archiveDayItem(archiveDayInput(undefined, SHARDS));
    for (const item of [inShard(SHARDS, 1), inShard(200, 1), day]) {
      expect(await fixture.sign([event(1), item])).toMatchObject({
        status: 404,
        body: { error: 'unknown_shard', index: 1, detail: expect.stringContaining('KERNEL_SHARDS') },
      });
    }
    expect(await open({ shard: SHARDS, seq: 5, seconds: 60, reason: 'x' })).toMatchObject({
      status: 404,
      body: { error: 'unknown_shard' },
    });
    expect(await marks()).toEqual([]);
    expect(
      await status([inShard(SHARDS - 1, 1), archiveDayItem(archiveDayInput(undefined, SHARDS - 1))]),
    ).toBe(200);
    expect(await fixture.metric('signing_proxy_refusals_total{reason="unknown_shard"}')).toBe(4);
  });

  it('goes on with an old chain of which it knows nothing once an operator says where it ends', async () => {
    const client = fixture.client();
    const signing = client.sign([
      { purpose: 'audit-event', kid: AUDIT, input: auditInput(501), committed: 500 },
    ]);
    await expect(signing).rejects.toMatchObject({
      code: 'signing_refused',
      message: expect.stringContaining('./kernel keys restore-window --shard 0 --seq HEAD'),
      details: { error: 'position_ahead', signed: { shard: 0, seq: 0 } },
    });
    const request = { shard: 0, seq: 500, seconds: 60, reason: 'the proxy is new here' };
    expect(await open(request)).toMatchObject({ status: 201, body: { seq: 0, signed: 0 } });
    expect(await status(events(502, 510))).toBe(409);
    expect(await status(events(501, 510, 500))).toBe(200);
    expect(await marks()).toEqual([{ shard: 0, seq: 500, signed: 510, window: null }]);
    expect(await status(events(512, 513))).toBe(409);
  });

  it.each([
    ['of a manifest', { ...manifestItem(), committed: 1 }],
    ['as a text', { ...auditItem(), committed: '1' }],
    ['below 0', { ...auditItem(), committed: -1 }],
  ])('reads no committed position %s', async (_what, item) => {
    expect(await status([item])).toBe(400);
  });

  it('lets a restored database go on only through a window that an operator opens', async () => {
    await chain(100);
    await status(events(101, 110));
    expect(await status(events(58, 60))).toBe(409);
    const request = { shard: 0, seq: 57, seconds: 60, reason: 'the archive is lost too' };
    expect(await open(request, 'kernel')).toMatchObject({
      status: 403,
      body: { error: 'client_not_permitted' },
    });
    expect(await open({ ...request, reason: ' ' })).toMatchObject({ status: 400 });
    expect(await open({ ...request, seconds: 86_400 })).toMatchObject({ status: 400 });
    expect(await open({ ...request, seq: 100 })).toMatchObject({
      status: 409,
      body: { error: 'nothing_to_open' },
    });
    expect(await open(request)).toMatchObject({
      status: 201,
      body: {
        shard: 0,
        seq: 100,
        signed: 110,
        window: { seq: 57, openedBy: 'ops', reason: 'the archive is lost too' },
      },
    });
    expect(
      fixture.logs.find(({ msg }) => String(msg).startsWith('a restore window was opened')),
    ).toMatchObject({
      client: 'ops',
    });
    expect(await status(events(57, 60))).toBe(409);
    expect(await status(events(58, 60))).toBe(200);
    expect(await status(events(58, 60))).toBe(200);
    expect(await marks()).toEqual([{ shard: 0, seq: 57, signed: 60, window: null }]);
  });

  it('is not asked about what is no event', async () => {
    await chain(10);
    expect(await status([manifestItem()])).toBe(200);
  });

  it('is told to the kernel’s client', async () => {
    const client = fixture.client();
    await chain(100);
    await status(events(101, 110));
    const signing = client.sign([
      { purpose: 'audit-event', kid: AUDIT, input: auditInput(58), committed: 57 },
    ]);
    await expect(signing).rejects.toMatchObject({
      code: 'signing_refused',
      details: { error: 'below_high_water_mark', mark: { shard: 0, seq: 100 } },
    });
    expect(await client.marks()).toEqual([{ shard: 0, seq: 100, signed: 110, window: null }]);
  });

  it('leaves a client its share of signatures in a second', async () => {
    const busy = await fixture.as('busy');
    expect((await fixture.sign(events(1, 10), busy)).status).toBe(200);
    expect(await fixture.sign(events(11, 20), busy)).toMatchObject({
      status: 429,
      headers: { 'retry-after': '1' },
      body: { error: 'rate_limited' },
    });
    const line = fixture.logs.find(({ msg }) => msg === 'refused');
    expect(line).toMatchObject({ client: 'busy', reason: 'rate_limited' });
    expect(line?.['digests']).toHaveLength(10);
    expect(await status(events(11, 20))).toBe(200);
  });
});
