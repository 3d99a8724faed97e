import { FileMarks } from './file-marks';
import {
  AUDIT,
  auditInput,
  auditItem,
  manifestItem,
  type ProxyFixture,
  startProxyFixture,
} from '../proxy.fixture';
import { SIGNING_PURPOSES } from '#platform/signer';

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
    expect(await status(events(11, 60, 10))).toBe(200);
    expect(await status(events(61, 90, 10))).toBe(200);
    // Another replica was first, with three events: both groups are numbered again.
    expect(await status(events(14, 63, 13))).toBe(200);
    expect(await status(events(13, 13, 12))).toBe(409);
    expect(await marks()).toEqual([{ shard: 0, seq: 13, window: null }]);
  });

  it.each([
    ['what is committed lies behind the event', event(11, 11)],
    ['nobody is this far ahead', event(5_000, 10)],
  ])('takes no caller’s word when %s', async (_why, item) => {
    expect(await fixture.sign([item])).toMatchObject({
      status: 422,
      body: { error: 'input_not_of_purpose' },
    });
  });

  it.each([
    ['of a manifest', { ...manifestItem(), committed: 1 }],
    ['as a text', { ...auditItem(), committed: '1' }],
    ['below 0', { ...auditItem(), committed: -1 }],
  ])('reads no committed position %s', async (_what, item) => {
    expect(await status([item])).toBe(400);
  });

  it('lets a restored database go on only through a window that an operator opens', async () => {
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
      body: { shard: 0, seq: 100, window: { seq: 57, openedBy: 'ops', reason: 'the archive is lost too' } },
    });
    expect(
      fixture.logs.find(({ msg }) => String(msg).startsWith('a restore window was opened')),
    ).toMatchObject({
      client: 'ops',
    });
    expect(await status(events(57, 60))).toBe(409);
    expect(await status(events(58, 60))).toBe(200);
    expect(await status(events(58, 60))).toBe(200);
    expect(await marks()).toEqual([{ shard: 0, seq: 57, window: null }]);
  });

  it('is not asked about what is no event', async () => {
    await status(events(101, 110));
    expect(await status([manifestItem()])).toBe(200);
  });

  it('is told to the kernel’s client', async () => {
    const client = fixture.client();
    await status(events(101, 110));
    const signing = client.sign([
      { purpose: 'audit-event', kid: AUDIT, input: auditInput(58), committed: 57 },
    ]);
    await expect(signing).rejects.toMatchObject({
      code: 'signing_refused',
      details: { error: 'below_high_water_mark', mark: { shard: 0, seq: 100 } },
    });
    expect(await client.marks()).toEqual([{ shard: 0, seq: 100, window: null }]);
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
