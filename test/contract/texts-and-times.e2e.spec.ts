import { type JsonValue } from '#evidence';
import { type HttpAnswer, withStack } from '#dev/testing';
import { until } from '../faults/until';
import { ContractClient, kernelContract } from './contract.client';
import { sampleRequest, type SampleRequest } from './sample-requests';

const NUL = '\0';
/** Members that are documents of the caller's own: any text that I-JSON knows may stand in them. */
const DOCUMENT = /^(\/events\/\d+)?\/(payload|manifest|envelope|template)(\/|$)/;

interface Place {
  pointer: string;
  body: JsonValue;
}

/** The body once for each text in it, with U+0000 behind that text. */
function withNul(value: JsonValue, pointer = ''): Place[] {
  if (typeof value === 'string') return [{ pointer, body: value + NUL }];
  if (typeof value !== 'object' || value === null) return [];
  const isList = Array.isArray(value);
  return Object.entries(value).flatMap(([name, member]) =>
    withNul(member, `${pointer}/${name}`).map((place) => ({
      pointer: place.pointer,
      body: isList
        ? value.map((one, index) => (String(index) === name ? place.body : one))
        : { ...value, [name]: place.body },
    })),
  );
}

describe('what callers give', () => {
  const stack = withStack({
    workers: ['outbox-relay', 'indexer', 'archiver'],
  });
  const admin = () => new ContractClient(stack().client('SUPERADMIN'));
  const subject = { division: 'product', event: '', agent: '' };

  beforeAll(async () => {
    const division = await admin().post('/kernel/division', { id: subject.division, budget: 100 });
    subject.event = division.json.audit_id;
    const manifest = { id: 'template', division: subject.division };
    const signed = await admin().post('/kernel/sign', { manifest });
    const template = { auditId: signed.json.audit_id as string };
    const agent = await admin().post('/kernel/agent', { divisionId: subject.division, template });
    subject.agent = agent.json.id;
  });

  const send = ({ method, path, options }: SampleRequest, json?: JsonValue): Promise<HttpAnswer> =>
    admin().request(method, path, json === undefined ? options : { ...options, json });

  /** Refused with its place, or, for a caller who may not do it, before that. */
  function expectRefused(answer: HttpAnswer, place: { pointer: string } | { parameter: string }): void {
    if (answer.status === 403) return;
    expect(answer.json).toMatchObject({ status: 400, error: 'invalid_request', ...place });
  }

  const operations = kernelContract().operations;

  describe('U+0000 is refused, with its place', () => {
    it.each(operations.map(({ id }) => id))('%s', async (id) => {
      const operation = kernelContract().operation(id);
      const sample = sampleRequest(id, subject);
      for (const { pointer, body } of withNul((sample.options?.json ?? null) as JsonValue)) {
        const answer = await send(sample, body);
        if (DOCUMENT.test(pointer)) expect(answer.status).toBeLessThan(500);
        else expectRefused(answer, { pointer });
      }
      const template = operation.path.split('/');
      const [path = '', search] = sample.path.split('?');
      for (const [at, segment] of template.entries()) {
        if (!segment.startsWith('{')) continue;
        const parts = path.split('/').map((part, n) => (n === at ? `${part}%00` : part));
        const answer = await send({ ...sample, path: parts.join('/') + (search ? `?${search}` : '') });
        expectRefused(answer, { parameter: segment.slice(1, -1) });
      }
      for (const { name, type } of operation.queryParameters.values()) {
        if (type !== 'string') continue;
        const answer = await send({ ...sample, path: `${path}?${name}=a%2Fb%00` });
        expectRefused(answer, { parameter: name });
      }
    });

    it.each([
      ['/kernel/audit/legal-hold', { shard: 0, fromSeq: 1, toSeq: 1, hold: true }],
      ['/kernel/admin/mode', { mode: 'read-only' }],
      ['/kernel/keys/kernel-manifest-ed25519-v1/compromise', { since: { shard: 0, seq: 1 } }],
      ['/kernel/keys/kernel-manifest-ed25519-v1/retire', {}],
    ])('a reason for %s, and nothing happens', async (path, body) => {
      const heads = (await admin().get('/kernel/audit/head')).text;
      const answer = await admin().post(path, { ...body, reason: 'case 17\0' });
      expect(answer.json).toMatchObject({ status: 400, error: 'invalid_request', pointer: '/reason' });
      expect(answer.json.detail).toContain('U+0000');
      expect((await admin().get('/kernel/audit/head')).text).toBe(heads);
    });
  });

  describe('a time', () => {
    const OUTSIDE = [
      '0001-01-01T00:00:00+05:30',
      '0000-01-01T00:00:00Z',
      '9999-12-31T23:59:59-00:01',
      '2026-02-30T00:00:00Z',
      '2026-06-30T23:59:60Z',
    ];
    it.each(OUTSIDE)('%s is refused', async (time) => {
      for (const parameter of ['from', 'to']) {
        const answer = await admin().get(`/kernel/audit?${parameter}=${encodeURIComponent(time)}`);
        expect(answer.json).toMatchObject({ status: 400, error: 'invalid_request', parameter });
      }
      const since = await admin().post('/kernel/keys/none/compromise', { since: { ts: time }, reason: 'x' });
      expect(since.json).toMatchObject({ status: 400, pointer: '/since/ts' });
      const metric = { agentId: subject.agent, metricSet: { a: 1 }, timestamp: time };
      const evaluated = await admin().post('/kernel/eval', metric);
      expect(evaluated.json).toMatchObject({ status: 400, pointer: '/timestamp' });
    });

    it.each(['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999999Z', '2026-01-31t10:00:00.5+23:59'])(
      '%s is taken',
      async (time) => {
        for (const parameter of ['from', 'to']) {
          const answer = await admin().get(`/kernel/audit?${parameter}=${encodeURIComponent(time)}`);
          expect(answer.status).toBe(200);
        }
      },
    );
  });

  it.each([
    '/kernel/audit/export?fromSeq=9007199254740991',
    '/kernel/audit/export?toSeq=9007199254740991',
    '/kernel/audit/export?shard=65535',
    '/kernel/audit/export?fromSeq=9007199254740992',
    '/kernel/audit/export?shard=4294967296',
    '/kernel/reason/0:9999999999999999',
    '/kernel/reason/99999:99999999999999999999',
    `/kernel/audit?cursor=${Buffer.from('[1,"x",[[0,9e15]]]').toString('base64url')}`,
    '/kernel/admin/notifications?cursor=9999999999999999',
    '/log/99999999/tile/entries/000',
    '/log/0/tile/entries/x999/x999/999.p/255',
  ])('a number at the end of its range is no failure: %s', async (path) => {
    const answer = await admin().get(path);
    expect([path, answer.status < 500]).toEqual([path, true]);
  });

  it('a position at the end of its range is waited for, or is none', async () => {
    for (const position of ['0:9007199254740991', '0:9999999999999999', '65535:1', '99999:1']) {
      const answer = await admin().get('/kernel/audit?limit=1', {
        headers: { 'kernel-min-position': position },
      });
      expect(['invalid_position', 'position_unavailable']).toContain(answer.json.error);
    }
  });

  it('leaves every worker at the head', async () => {
    const { json } = await admin().post(
      '/kernel/audit',
      { type: 'door.opened', payload: { last: true } },
      { headers: { 'kernel-await': 'archived' } },
    );
    const answer = await admin().get('/kernel/audit?type=door.opened', {
      headers: { 'kernel-min-position': json.position },
    });
    expect(answer.status).toBe(200);
    await until('every process is ready', async () => {
      const ready = await Promise.all(
        stack().workers.map(async ({ managementUrl }) => (await fetch(`${managementUrl}/ready`)).status),
      );
      return ready.every((status) => status === 200);
    });
  });
});
