import { withStack } from '#dev/testing';
import { ContractClient } from './contract.client';

/** `{"a":{"a":...1}}` with this many nested objects. */
function nested(levels: number): string {
  return '{"a":'.repeat(levels) + '1' + '}'.repeat(levels);
}

interface Refusal {
  name: string;
  body: string | Uint8Array;
  status: number;
  error: string;
  pointer?: string;
}

const inManifest = (manifest: string): string => `{"manifest":${manifest}}`;
const inPayload = (payload: string): string => `{"type":"door.opened","payload":${payload}}`;

/** Values that strict JSON refuses anywhere in a document; the pointer is below the given base. */
function offences(base: string, wrap: (value: string) => string): Refusal[] {
  const refused = (name: string, value: string, pointer: string): Refusal => ({
    name,
    body: wrap(value),
    status: 400,
    error: 'invalid_json',
    pointer: `${base}${pointer}`,
  });
  return [
    refused('duplicate member names', '{"a":1,"b":{"x":1,"x":2}}', '/b/x'),
    refused('a duplicate name in another spelling', '{"a":1,"\\u0061":2}', '/a'),
    refused('a lone surrogate in a value', '{"a":["ok","\\ud800"]}', '/a/1'),
    refused('a lone surrogate in a name', '{"\\udc00":1}', '/\ufffd'),
    refused('2^53+1', '{"a":9007199254740993}', '/a'),
    refused('1e400', '{"a":1e400}', '/a'),
    refused('a number with more digits than a double holds', '{"a":0.10000000000000000001}', '/a'),
    refused('a member named toJSON', '{"a":{"toJSON":1}}', '/a/toJSON'),
    refused('a member named __proto__', '{"__proto__":{}}', '/__proto__'),
  ];
}

const ANYWHERE: Refusal[] = [
  { name: 'text that is no JSON', body: '{"manifest":{', status: 400, error: 'invalid_json' },
  { name: 'a trailing comma', body: '{"manifest":{"a":1,}}', status: 400, error: 'invalid_json' },
  { name: 'two documents', body: '{"manifest":{}}{}', status: 400, error: 'invalid_json' },
  { name: 'an empty body', body: '', status: 400, error: 'invalid_request' },
  { name: 'an array', body: '[]', status: 400, error: 'invalid_request', pointer: '' },
  { name: 'an unknown member', body: '{"manifest":{},"extra":1}', status: 400, error: 'invalid_request' },
];

describe('refused input', () => {
  const stack = withStack();
  const client = () => new ContractClient(stack().client('OPERATOR'));
  const heads = async () => (await client().get('/kernel/audit/head')).text;

  async function refused(path: string, { body, status, error, pointer }: Refusal): Promise<void> {
    const before = await heads();
    const answer = await client().request('POST', path, { body });
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.json).toMatchObject({ status, error, ...(pointer === undefined ? {} : { pointer }) });
    expect(answer.status).toBe(status);
    expect(await heads()).toBe(before);
  }

  describe('in a manifest', () => {
    it.each(offences('/manifest', inManifest))('$name', (refusal) => refused('/kernel/sign', refusal));
    it('65 levels', () =>
      refused('/kernel/sign', {
        name: '',
        body: inManifest(nested(65)),
        status: 400,
        error: 'invalid_json',
        pointer: '/manifest' + '/a'.repeat(64),
      }));
    it('takes 64 levels', async () => {
      expect((await client().request('POST', '/kernel/sign', { body: inManifest(nested(64)) })).status).toBe(
        200,
      );
    });
  });

  describe('in a payload', () => {
    it.each(offences('/payload', inPayload))('$name', (refusal) => refused('/kernel/audit', refusal));
    it.each(offences('/events/1/payload', (value) => `{"events":[${inPayload('{}')},${inPayload(value)}]}`))(
      'of the second of two events: $name',
      (refusal) => refused('/kernel/audit', refusal),
    );
    it.each([64, 65])('%s levels, one level down in an event', async (levels) => {
      const before = await heads();
      const answer = await client().request('POST', '/kernel/audit', { body: inPayload(nested(levels)) });
      expect(answer.status).toBe(400);
      expect(answer.json.pointer).toMatch(/^\/payload(\/a){62,64}$/);
      expect(await heads()).toBe(before);
    });
    it('takes 63 levels', async () => {
      expect((await client().request('POST', '/kernel/audit', { body: inPayload(nested(63)) })).status).toBe(
        201,
      );
    });
    it.each(['a\\u0000b', 'x'.repeat(5_000)])('a division that is none', (division) =>
      refused('/kernel/audit', {
        name: '',
        body: inPayload(`{"division":"${division}"}`),
        status: 400,
        error: 'invalid_request',
        pointer: '/payload/division',
      }),
    );
    it('an event of 70 KB', () =>
      refused('/kernel/audit', {
        name: '',
        body: inPayload(`{"a":"${'x'.repeat(70_000)}"}`),
        status: 413,
        error: 'event_too_large',
        pointer: '',
      }));
    it('an event of 70 KB among others: none is stored', () =>
      refused('/kernel/audit', {
        name: '',
        body: `{"events":[${inPayload('{}')},${inPayload(`{"a":"${'x'.repeat(70_000)}"}`)}]}`,
        status: 413,
        error: 'event_too_large',
        pointer: '/events/1',
      }));
    it('takes an event just under the limit', async () => {
      const answer = await client().request('POST', '/kernel/audit', {
        body: inPayload(`{"a":"${'x'.repeat(64_000)}"}`),
      });
      expect(answer.status).toBe(201);
    });
  });

  describe('anywhere', () => {
    it.each(ANYWHERE)('$name', (refusal) => refused('/kernel/sign', refusal));
    it('invalid UTF-8', () =>
      refused('/kernel/sign', {
        name: '',
        body: Buffer.concat([
          Buffer.from('{"manifest":{"a":"'),
          Buffer.from([0xc3, 0x28]),
          Buffer.from('"}}'),
        ]),
        status: 400,
        error: 'invalid_json',
      }));
    it('a byte order mark', () =>
      refused('/kernel/sign', {
        name: '',
        body: '\ufeff{"manifest":{}}',
        status: 400,
        error: 'invalid_json',
      }));
    it('a body over the limit', () =>
      refused('/kernel/sign', {
        name: '',
        body: inManifest(`{"a":"${'x'.repeat(9_000_000)}"}`),
        status: 413,
        error: 'payload_too_large',
      }));
    it('another content type', async () => {
      const answer = await client().request('POST', '/kernel/sign', {
        body: '{"manifest":{}}',
        headers: { 'content-type': 'text/plain' },
      });
      expect(answer.status).toBe(415);
    });
  });

  describe('names', () => {
    it.each(['manifest.signed', 'signer.added', 'upgrade.applied', 'mode.changed'])(
      'the reserved type %s',
      (type) =>
        refused('/kernel/audit', {
          name: '',
          body: JSON.stringify({ type, payload: {} }),
          status: 400,
          error: 'reserved_name',
          pointer: '/type',
        }),
    );
    it.each(['manifest/x', 'signer/kernel-audit-ed25519-v1', 'upgrade/1'])(
      'the reserved stream %s',
      (stream) =>
        refused('/kernel/audit', {
          name: '',
          body: JSON.stringify({ events: [{ type: 'door.opened', payload: {}, stream }] }),
          status: 400,
          error: 'reserved_name',
          pointer: '/events/0/stream',
        }),
    );
    it.each(['Door.Opened', 'door', 'door.opened.', ''])('the malformed type %j', (type) =>
      refused('/kernel/audit', {
        name: '',
        body: JSON.stringify({ type, payload: {} }),
        status: 400,
        error: 'invalid_request',
        pointer: '/type',
      }),
    );
    it('a manifest id of 241 characters', () =>
      refused('/kernel/sign', {
        name: '',
        body: JSON.stringify({ manifest: { id: 'x'.repeat(241) } }),
        status: 400,
        error: 'manifest_id_too_long',
      }));
  });

  it('answers unknown routes and methods with a problem', async () => {
    const raw = stack().client('OPERATOR');
    const unknown = await raw.get('/kernel/nothing');
    expect([unknown.status, unknown.headers['content-type'], unknown.json.error]).toEqual([
      404,
      'application/problem+json',
      'not_found',
    ]);
    const method = await raw.request('DELETE', '/kernel/audit');
    expect([method.status, method.headers['allow'], method.json.error]).toEqual([
      405,
      'POST, GET, HEAD',
      'method_not_allowed',
    ]);
  });

  it('answers an event that is not there with 404', async () => {
    for (const id of ['0190b6a0-0000-7000-8000-000000000000', 'no-such-event']) {
      const answer = await client().get(`/kernel/audit/${id}`);
      expect([answer.status, answer.json.error]).toEqual([404, 'event_not_found']);
    }
  });
});
