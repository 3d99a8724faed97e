import { randomUUID } from 'node:crypto';
import { type AuditEvent } from '#evidence';
import { FaultyWire, type HttpAnswer, type MtlsClient, withStack } from '#dev/testing';
import { type SignAnswer } from '#openapi/kernel';
import { expectSoundChain } from './chain';
import { until } from './until';

/** A request that can be repeated, and where its records can be found. */
interface Repeatable {
  path: string;
  body: object;
  /** The stream that it writes to; none for a request that only reads. */
  stream?: string;
  /** Text that is in the bytes of its events and nowhere else. */
  mark?: string;
  events: number;
}

const WIRED = 0;
const OTHER = 1;

describe('the same Idempotency-Key', () => {
  let wire: FaultyWire;
  beforeAll(async () => {
    wire = await FaultyWire.open();
  });
  // The first kernel's database can be made to fall silent at a chosen moment.
  const stack = withStack({
    kernels: 2,
    kernelVariables: ({ databaseUrl }, kernel) =>
      kernel === WIRED ? { DATABASE_URL: wire.through(databaseUrl) } : {},
  });
  let clients: MtlsClient[];
  beforeAll(() => {
    clients = [WIRED, OTHER].map((kernel) => stack().client('OPERATOR', { kernel, connections: 50 }));
  });
  afterAll(() => wire.close());

  const send = (kernel: number, { path, body }: Repeatable, key: string): Promise<HttpAnswer> =>
    (clients[kernel] as MtlsClient).post(path, body, { idempotencyKey: key });

  /** Expects that all answers have the same bytes, and that the request was executed once. */
  const expectOneAnswer = async (answers: readonly HttpAnswer[], request: Repeatable): Promise<void> => {
    const [first] = answers;
    expect([200, 201]).toContain(first?.status);
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect(first?.headers['content-type']).toBe('application/json');
    expect(first?.json).toBeInstanceOf(Object);
    await expectRecorded(request);
  };

  const recorded = async ({ stream }: Repeatable): Promise<unknown[]> => {
    const { text } = await stack().client('AUDITOR', { kernel: OTHER }).get('/kernel/audit/export');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter((event) => event.stream === stream);
  };
  const expectRecorded = async (request: Repeatable): Promise<void> => {
    if (request.stream !== undefined) expect(await recorded(request)).toHaveLength(request.events);
  };

  describe.each([
    { of: 'an event', make: singleEvent },
    { of: 'a batch', make: batch },
    { of: 'a signature', make: signature },
    { of: 'a verification', make: async () => verification(clients[OTHER] as MtlsClient) },
  ])('gives the same bytes for $of', ({ make }) => {
    it('one after the other, in one process and in another', async () => {
      const [request, key] = [await make(), randomUUID()];
      const answers = [];
      for (const kernel of [WIRED, WIRED, OTHER, OTHER]) answers.push(await send(kernel, request, key));
      await expectOneAnswer(answers, request);
    });

    it('when two arrive at once', async () => {
      const [request, key] = [await make(), randomUUID()];
      await expectOneAnswer(await Promise.all([0, 1].map(() => send(OTHER, request, key))), request);
    });

    it('when fifty arrive at once in one process', async () => {
      const [request, key] = [await make(), randomUUID()];
      const answers = await Promise.all(Array.from({ length: 50 }, () => send(OTHER, request, key)));
      await expectOneAnswer(answers, request);
    });

    it('when fifty arrive at once in two processes', async () => {
      const [request, key] = [await make(), randomUUID()];
      const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => send(n % 2, request, key)));
      await expectOneAnswer(answers, request);
    });

    it('for another spelling of the same body', async () => {
      const [request, key] = [await make(), randomUUID()];
      const reordered = Object.fromEntries(Object.entries(request.body).toReversed());
      const again = await (clients[OTHER] as MtlsClient).request('POST', request.path, {
        body: JSON.stringify(reordered, null, 4),
        idempotencyKey: key,
      });
      await expectOneAnswer([again, await send(WIRED, request, key)], request);
    });

    it('but 422 for another body, one after the other and at once', async () => {
      const [request, other, key] = [await make(), await make(), randomUUID()];
      const answer = await send(WIRED, request, key);
      const refused = await send(OTHER, other, key);
      expect(refused.status).toBe(422);
      expect(refused.json).toMatchObject({ status: 422, error: 'idempotency_mismatch' });
      await expectOneAnswer([answer, await send(OTHER, request, key)], request);
      if (other.stream !== undefined) expect(await recorded(other)).toEqual([]);

      const [left, right, atOnce] = [await make(), await make(), randomUUID()];
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => send(n % 2, n % 4 < 2 ? left : right, atOnce)),
      );
      const good = answers.filter(({ status }) => status < 300);
      expect(new Set(good.map(({ text }) => text)).size).toBe(1);
      expect(good).toHaveLength(10);
      for (const answer of answers) {
        if (!good.includes(answer)) expect(answer.json).toMatchObject({ error: 'idempotency_mismatch' });
      }
      if (left.stream !== undefined) {
        expect((await recorded(left)).length + (await recorded(right)).length).toBe(left.events);
      }
    });

    it('but not for another caller', async () => {
      const [request, key] = [await make(), randomUUID()];
      const mine = await send(OTHER, request, key);
      const superAdmin = stack().client('SUPERADMIN', { kernel: OTHER });
      const theirs = await superAdmin.post(request.path, request.body, { idempotencyKey: key });
      expect(theirs.status).toBe(mine.status);
      if (request.stream === undefined) return;
      expect(theirs.text).not.toBe(mine.text);
      expect(await recorded(request)).toHaveLength(2 * request.events);
    });
  });

  it('is not used up by a request that was refused', async () => {
    const [request, key] = [singleEvent(), randomUUID()];
    const malformed = await send(OTHER, { ...request, body: { ...request.body, type: 'No Such Type' } }, key);
    expect(malformed.status).toBe(400);
    const forbidden = await stack()
      .client('AUDITOR', { kernel: OTHER })
      .post(request.path, request.body, { idempotencyKey: key });
    expect(forbidden.status).toBe(403);
    await expectOneAnswer([await send(OTHER, request, key)], request);
  });

  it('gives the same bytes after the kernel was stopped, and after it was killed', async () => {
    const requests = [singleEvent(), batch(), signature(), await verification(clients[OTHER] as MtlsClient)];
    const keyed = requests.map((request) => ({ request, key: randomUUID() }));
    const sendAll = () => Promise.all(keyed.map(({ request, key }) => send(WIRED, request, key)));
    const before = await sendAll();
    const kernel = stack().kernels[WIRED]?.process;
    await kernel?.stop();
    await kernel?.start();
    await stack().whenReady();
    const restarted = await sendAll();
    await kernel?.kill();
    await kernel?.start();
    await stack().whenReady();
    const revived = await sendAll();
    for (const [n, { request }] of keyed.entries()) {
      await expectOneAnswer(
        [before, restarted, revived].map((answers) => answers[n] as HttpAnswer),
        request,
      );
    }
  });

  describe('finds what was committed when the answer got lost', () => {
    it.each([
      { of: 'a batch', make: batch },
      { of: 'a signature', make: signature },
    ])('because the kernel was killed between commit and answer: $of', async ({ make }) => {
      const [request, key] = [make(), randomUUID()];
      const held = wire.holdAnswerTo(request.mark as string);
      const lost = send(WIRED, request, key).then(
        () => 'answered',
        () => 'lost',
      );
      await held;
      await until('it is committed', async () => (await recorded(request)).length > 0);
      await stack().kernels[WIRED]?.process.kill();
      expect(await lost).toBe('lost');
      wire.thaw();
      // The other kernel knows it, and so does the killed one when it is back.
      const answers = [await send(OTHER, request, key)];
      await stack().kernels[WIRED]?.process.start();
      await stack().whenReady();
      answers.push(await send(WIRED, request, key));
      await expectOneAnswer(answers, request);
    });

    it.each([
      { way: 'without holding the head row', contended: false },
      { way: 'holding the head row, since another kernel was first', contended: true },
    ])('and there is no answer before the commit, $way', async ({ contended }) => {
      const [request, key] = [batch(), randomUUID()];
      let held = wire.holdMessageWith(request.mark as string);
      const lost = send(WIRED, request, key).then(
        () => 'answered',
        () => 'lost',
      );
      await held;
      if (contended) {
        // The head has moved when the statement arrives: the next attempt takes the row first and commits at the end.
        expect((await send(OTHER, singleEvent(), randomUUID())).status).toBe(201);
        held = wire.holdMessageWith('COMMIT');
        wire.thaw();
        await held;
      }
      // An answer sent too early would have arrived by now.
      expect((await stack().management('/health', WIRED)).status).toBe(200);
      expect(await recorded(request)).toEqual([]);
      await stack().kernels[WIRED]?.process.kill();
      expect(await lost).toBe('lost');
      // The message that was held back must not arrive.
      wire.cut();
      wire.thaw();
      const answers = [await send(OTHER, request, key)];
      await stack().kernels[WIRED]?.process.start();
      await stack().whenReady();
      answers.push(await send(WIRED, request, key));
      await expectOneAnswer(answers, request);
    });

    it('because the connection to PostgreSQL broke: the caller does not notice', async () => {
      const [request, key] = [batch(), randomUUID()];
      const lost = wire.loseAnswerTo(request.mark as string);
      const answer = await send(WIRED, request, key);
      await lost;
      await expectOneAnswer([answer, await send(OTHER, request, key)], request);
    });
  });

  it('leaves a sound chain', async () => {
    await expectSoundChain(stack(), OTHER);
  });
});

function singleEvent(): Repeatable {
  const id = randomUUID();
  const [stream, payload] = [`repeat/${id}`, { mark: id }];
  return {
    path: '/kernel/audit',
    body: { type: 'key.repeated', stream, payload },
    stream,
    mark: JSON.stringify(payload),
    events: 1,
  };
}

function batch(): Repeatable {
  const { stream, body, ...event } = singleEvent();
  return {
    ...event,
    body: { events: Array.from({ length: 5 }, () => body) },
    stream: stream as string,
    events: 5,
  };
}

function signature(): Repeatable {
  const id = randomUUID();
  return {
    path: '/kernel/sign',
    body: { manifest: { id, version: 1 } },
    stream: `manifest/${id}`,
    mark: `"manifestId":"${id}"`,
    events: 1,
  };
}

async function verification(client: MtlsClient): Promise<Repeatable> {
  const manifest = { id: randomUUID() };
  const signed = await client.post('/kernel/sign', { manifest });
  const { envelope } = (signed.json as SignAnswer).signature_record;
  return { path: '/kernel/verify', body: { manifest, envelope }, events: 0 };
}
