import { type JsonValue } from '#evidence';
import { type HttpAnswer, withStack } from '#dev/testing';
import { ContractClient, kernelContract } from './contract.client';
import { sampleRequest } from './sample-requests';

/** openapi/kernel.yaml: the default of x-max-values, and the default of the largest body. */
const MAX_VALUES = 200_000;
const MAX_BYTES = 8 * 1024 * 1024;
/** Requests that a measurement is over: enough to be far above the clock's own steps. */
const PLAIN_REQUESTS = 200;
const WORST_REQUESTS = 3;
/**
 * How many times the CPU of a plain request (0.4 ms) the worst one of a route may cost. Measured are 30 for bodies of 64 KiB,
 * 300 for those of 2 MiB and 850 for those of 8 MiB. Three times as much is left for a machine that is busy.
 */
const LIMITS = [
  { upToBytes: 65_536, times: 150 },
  { upToBytes: 2_097_152, times: 1_000 },
  { upToBytes: MAX_BYTES, times: 2_500 },
];

/** The shapes of which the reader makes the most for their bytes. */
const SHAPES: Record<string, (bytes: number) => string> = {
  'many empty lists': (bytes) => listOf('[]', bytes),
  'many small numbers': (bytes) => listOf('1', bytes),
  'lists in lists': (bytes) => listOf('['.repeat(50) + ']'.repeat(50), bytes),
  'many members': (bytes) => {
    const count = Math.min(Math.floor(bytes / 12), MAX_VALUES - 1_000);
    return `{${Array.from({ length: count }, (_, n) => `"${(n * 7919).toString(36)}":0`).join(',')}}`;
  },
  'one escaped text': (bytes) => `"${'\\u0041'.repeat(Math.floor(bytes / 6))}"`,
};

/** As many as the bytes or the number of values allow. */
function listOf(element: string, bytes: number): string {
  const values = (element.match(/\[|1/g) ?? []).length;
  const count = Math.min(Math.floor(bytes / (element.length + 1)), Math.floor((MAX_VALUES - 1_000) / values));
  return `[${`${element},`.repeat(Math.max(0, count - 1))}${element}]`;
}

describe('the worst request of a route', () => {
  const stack = withStack();
  const admin = () => stack().client('SUPERADMIN', { connections: 1 });
  const subject = { division: 'product', event: '0190b6a0-0000-7000-8000-000000000000', agent: 'none' };
  let plainMs: number;

  /** CPU time of the kernel's process so far. */
  async function cpuMs(): Promise<number> {
    const { text } = await stack().management('/metrics');
    return 1_000 * Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
  }

  async function costOf(requests: number, send: () => Promise<HttpAnswer>): Promise<number> {
    await send();
    const before = await cpuMs();
    for (let n = 0; n < requests; n++) {
      const { status } = await send();
      if (status >= 500) throw new Error(`answered ${status}`);
    }
    return ((await cpuMs()) - before) / requests;
  }

  beforeAll(async () => {
    const client = admin();
    const plain = () => client.post('/kernel/verify', { manifest: { id: 'plain' }, envelope: {} });
    await costOf(PLAIN_REQUESTS, plain);
    plainMs = await costOf(PLAIN_REQUESTS, plain);
  }, 60_000);

  /** The sample with something large in it: in a document of the caller's own where there is one, else as a member. */
  function withLarge(sample: JsonValue, large: string): string {
    const text = JSON.stringify(sample);
    const document = /"(manifest|payload|metadata)":\{/.exec(text);
    const at = document === null ? text.indexOf('{') + 1 : document.index + document[0].length;
    const rest = text.slice(at);
    return `${text.slice(0, at)}"large":${large}${rest.startsWith('}') ? '' : ','}${rest}`;
  }

  const withBody = kernelContract().operations.filter(({ body }) => body !== undefined);
  it.each(withBody.map(({ id }) => id))(
    '%s',
    async (id) => {
      const operation = kernelContract().operation(id);
      const bytes = Math.min(operation.body?.maxBytes ?? 0, MAX_BYTES);
      const times = LIMITS.find(({ upToBytes }) => bytes <= upToBytes)?.times ?? 0;
      const { path, options } = sampleRequest(id, subject);
      const sample = (options?.json ?? {}) as JsonValue;
      const client = admin();
      const costs: Record<string, number> = {};
      for (const [shape, make] of Object.entries(SHAPES)) {
        const body = withLarge(sample, make(bytes - 2_048));
        expect(body.length).toBeLessThanOrEqual(bytes);
        const cost = await costOf(WORST_REQUESTS, () => client.request('POST', path, { body }));
        costs[shape] = Math.round(cost / plainMs);
      }
      expect({ id, costs, tooMuch: Object.values(costs).filter((cost) => cost > times) }).toMatchObject({
        tooMuch: [],
      });
    },
    180_000,
  );

  it('reading the worst answers there are', async () => {
    const client = admin();
    const events = Array.from({ length: 1_000 }, (_, n) => ({ type: 'door.opened', payload: { n } }));
    expect((await client.post('/kernel/audit', { events })).status).toBe(201);
    for (const path of ['/kernel/audit/export', '/kernel/upgrade?limit=100', '/kernel/division?limit=100']) {
      const cost = await costOf(WORST_REQUESTS, () => client.get(path));
      expect([path, Math.round(cost / plainMs) < 500]).toEqual([path, true]);
    }
  }, 60_000);

  describe('is bounded by the document:', () => {
    const sent = new ContractClient({
      request: (method, path, options) => admin().request(method, path, options),
    } as ReturnType<typeof admin>);
    const signature = { keyid: 'k', sig: 'AAAA' };
    it.each([
      ['17 signatures', { signatures: Array(17).fill(signature) }, '/envelope/signatures'],
      ['14,000 signatures', { signatures: Array(14_000).fill(signature) }, '/envelope/signatures'],
      ['a statement of 8 KB', { payload: 'A'.repeat(8_196) }, '/envelope/payload'],
      ['a signature of 64 KB', { signatures: [{ sig: 'A'.repeat(65_540) }] }, '/envelope/signatures/0/sig'],
    ])('an envelope with %s', async (_what, envelope, pointer) => {
      const answer = await sent.post('/kernel/verify', { manifest: {}, envelope });
      expect(answer.json).toMatchObject({ status: 400, error: 'invalid_request', pointer });
    });

    it('16 signatures without a key are taken, and cost no more than their checks', async () => {
      const client = admin();
      const { json } = await client.post('/kernel/sign', { manifest: { id: 'm' } });
      const { payload, payloadType, signatures } = json.signature_record.envelope;
      const others = Array(15).fill({ sig: Buffer.alloc(64, 1).toString('base64') });
      const envelope = { payload, payloadType, signatures: [...others, { sig: signatures[0].sig }] };
      const send = () => client.post('/kernel/verify', { manifest: { id: 'm' }, envelope });
      expect((await send()).json).toEqual({ valid: true, reasons: [] });
      expect((await costOf(20, send)) / plainMs).toBeLessThan(50);
    });

    it('more values than are read', async () => {
      for (const [path, body] of [
        ['/kernel/verify', `{"manifest":{"a":[${'0,'.repeat(MAX_VALUES)}0]},"envelope":{}}`],
        ['/kernel/sign', `{"manifest":{"id":"m","a":[${'[],'.repeat(MAX_VALUES)}0]}}`],
        ['/kernel/audit', `{"type":"door.opened","payload":{"a":[${'0,'.repeat(MAX_VALUES)}0]}}`],
      ] as const) {
        const answer = await sent.request('POST', path, { body });
        expect(answer.json).toMatchObject({ status: 413, error: 'payload_too_large' });
        expect(answer.json.pointer).toMatch(/\/a\/\d+$/);
      }
    });

    it.each(['/kernel/admin/mode', '/kernel/audit/legal-hold', '/kernel/allocate'])(
      'more than 64 KiB for %s',
      async (path) => {
        const answer = await sent.post(path, { reason: 'x'.repeat(65_536) });
        expect(answer.json).toMatchObject({ status: 413, error: 'payload_too_large', limit: 65_536 });
      },
    );
  });
});
