import { randomUUID } from 'node:crypto';
import { withStack } from '#dev/testing';
import { type AuditEvent } from '#openapi/kernel';
import { EventStreamReader } from './event-stream.reader';

describe('the stream of events', () => {
  const stack = withStack({
    kernels: 2,
    workers: ['outbox-relay', 'indexer', 'indexer'],
    shards: 3,
    restart: true,
  });
  let readers: EventStreamReader[] = [];
  afterEach(async () => {
    await Promise.all(readers.map((reader) => reader.stop()));
    readers = [];
  });

  const operator = () => stack().client('OPERATOR');
  const read = (
    query = '',
    {
      lastId = '',
      caller = 'OPERATOR',
      kernels = [0],
    }: { lastId?: string; caller?: 'OPERATOR' | 'DIVISION_LEAD'; kernels?: number[] } = {},
  ) => {
    const clients = kernels.map((kernel) => stack().client(caller, { kernel }));
    const reader = new EventStreamReader(clients, query, lastId);
    readers.push(reader);
    return reader;
  };
  /** Appends one event, at whichever kernel takes it; as often as needed, and still only once. */
  const append = async (stream: string, payload: object = {}): Promise<string> => {
    const key = randomUUID();
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await stack()
          .client('OPERATOR', { kernel: attempt % 2 })
          .post('/kernel/audit', { type: 'lamp.lit', stream, payload }, { idempotencyKey: key });
        if (answer.status === 201) return answer.json.events[0].id as string;
        if (answer.status < 500) throw new TypeError(`${answer.status} ${answer.text}`);
      } catch (error) {
        if (error instanceof TypeError) throw error;
      }
    }
  };
  const idsOf = (events: readonly AuditEvent[]) => events.map(({ id }) => id);

  it('gives events as they come, as they are stored, in the order of their shards', async () => {
    const reader = await read().connected();
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1) ids.push(await append(`lamp/${n}`, { n, text: 'a\nb\u2028' }));
    const events = await reader.has(12);
    expect([...idsOf(events)].sort()).toEqual(ids.sort());
    for (const shard of [0, 1, 2]) {
      const seqs = events.filter((event) => event.shard === shard).map(({ seq }) => seq);
      expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    }
    const { json } = await operator().get(`/kernel/audit/${ids[0]}`);
    expect(events.find(({ id }) => id === ids[0])).toEqual(json);
  });

  it('answers at once with a type that proxies pass on, and knows where it stands', async () => {
    const ending = new AbortController();
    const { statusCode, headers, body } = await operator().stream('/kernel/audit/stream', {}, ending.signal);
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const first = (await body[Symbol.asyncIterator]().next()) as IteratorResult<Buffer>;
    expect(String(first.value)).toMatch(/^retry: 1000\nid: \d+:\d+(,\d+:\d+)*\n\n$/);
    ending.abort();
  });

  it('goes on after the id of a message, from a time, or from the beginning', async () => {
    const noun = `n${randomUUID().slice(0, 8)}`;
    const before = new Date().toISOString();
    const ids: string[] = [];
    for (let n = 0; n < 9; n += 1) ids.push(await append(`${noun}/${n % 4}`, { n }));
    const all = await read(`subject=${noun}/&from=${before}`).has(9);
    expect([...idsOf(all)].sort()).toEqual([...ids].sort());
    const whole = await read(`subject=${noun}/`, { lastId: '0:0' }).has(9);
    expect(idsOf(whole)).toEqual(idsOf(all));
    // All that a reader has not seen when it stopped in the middle, and nothing else.
    const ending = new AbortController();
    const { body } = await operator().stream(
      `/kernel/audit/stream?subject=${noun}/&after=0:0`,
      {},
      ending.signal,
    );
    let text = '';
    for await (const chunk of body as AsyncIterable<Buffer>) {
      text += String(chunk);
      if (text.split('data:').length > 9) break;
    }
    ending.abort();
    const messages = [...text.matchAll(/id: (\S+)\ndata: (.*)\n/g)];
    const fourth = messages[3]?.[1] ?? '';
    const rest = await read(`subject=${noun}/`, { lastId: fourth }).has(5);
    expect(idsOf(rest)).toEqual(idsOf(all).slice(4));
  });

  it('takes the filters of the list', async () => {
    const noun = `n${randomUUID().slice(0, 8)}`;
    const stream = await read(`stream=${noun}/1`).connected();
    const other = await read('type=never.came').connected();
    await append(`${noun}/2`);
    const id = await append(`${noun}/1`);
    expect(idsOf(await stream.has(1))).toEqual([id]);
    // A reader without a match moves on, too: it does not come back for what it has passed.
    const place = other.lastId;
    await other.stop();
    expect(place).not.toBe('');
    expect(other.events).toEqual([]);
  });

  it('shows a DivisionLead their own division only', async () => {
    const noun = `n${randomUUID().slice(0, 8)}`;
    const lead = await read(`subject=${noun}/`, { caller: 'DIVISION_LEAD' }).connected();
    await append(`${noun}/1`, { division: 'finance' });
    const mine = await append(`${noun}/2`, { division: 'product' });
    expect(idsOf(await lead.has(1))).toEqual([mine]);
    const refused = await stack().client('DIVISION_LEAD').get('/kernel/audit/stream?division=finance');
    expect([refused.status, refused.json.error]).toEqual([403, 'forbidden']);
    const none = await stack().client('NOROLE').get('/kernel/audit/stream');
    expect(none.status).toBe(403);
  });

  it.each([
    ['9:1', 'shard 9 is not there'],
    ['0:1,0:2', 'shard 0 is there twice'],
    ['0:999999999', 'another kernel'],
  ])('refuses to go on after %s', async (id, why) => {
    const { status, json } = await operator().get('/kernel/audit/stream', {
      headers: { 'last-event-id': id },
    });
    expect([status, json.error]).toEqual([400, 'invalid_position']);
    expect(json.detail).toContain(why);
  });

  it('has a bounded number of readers, and their places are free again when they are gone', async () => {
    const ending = new AbortController();
    const client = stack().client('AUDITOR', { connections: 40 });
    const open = Array.from({ length: 20 }, () => client.stream('/kernel/audit/stream', {}, ending.signal));
    for (const { statusCode } of await Promise.all(open)) expect(statusCode).toBe(200);
    const refused = await client.get('/kernel/audit/stream');
    expect([refused.status, refused.json.error, refused.headers['retry-after']]).toEqual([
      503,
      'overloaded',
      '10',
    ]);
    const gauge = async () =>
      /^kernel_audit_stream_readers (\d+)$/m.exec((await stack().management('/metrics')).text)?.[1];
    expect(await gauge()).toBe('20');
    ending.abort();
    for (const { body } of await Promise.all(open)) body.on('error', () => undefined);
    // A HEAD request takes no place either.
    while ((await gauge()) !== '0') await operator().request('HEAD', '/kernel/audit/stream');
  });

  it('has no gap and no event twice through the death of kernels, indexer and database', async () => {
    const reader = await read('subject=storm/', { kernels: [0, 1] }).connected();
    const ids: string[] = [];
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n += 1) ids.push(await append(`storm/${n % 5}`, { n }));
    })();
    const more = async () => {
      const { length } = ids;
      while (ids.length < length + 10) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    for (const kernel of [0, 1]) {
      await more();
      await stack().kernels[kernel]?.process.kill();
      await more();
      await stack().whenReady();
    }
    await stack().worker('indexer').process.kill();
    await more();
    await stack().postgres.kill();
    await more();
    writing = false;
    await writer;
    const events = await reader.has(ids.length);
    expect([...idsOf(events)].sort()).toEqual([...ids].sort());
    for (const shard of [0, 1, 2]) {
      const seqs = events.filter((event) => event.shard === shard).map(({ seq }) => seq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    }
  }, 120_000);

  it('ends in good order when its process stops', async () => {
    await read('', { kernels: [1] }).connected();
    const from = performance.now();
    await stack().kernels[1]?.process.stop();
    expect(performance.now() - from).toBeLessThan(5_000);
  });
});
