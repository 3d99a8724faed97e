import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { parse } from 'yaml';
import { type Contract } from './contract';
import { describeErrors } from './describe-errors';
import { loadContract } from './load-contract';

const KERNEL = join(__dirname, '../../../../openapi/kernel.yaml');

describe('openapi/kernel.yaml', () => {
  let contract: Contract;
  beforeAll(() => {
    contract = loadContract(KERNEL);
  });

  it('is a valid OpenAPI 3.1 document', async () => {
    const result = await new Validator().validate(readFileSync(KERNEL, 'utf8'));
    expect(result).toMatchObject({ valid: true });
  });

  it('has schemas of answers that compile', () => {
    const answers = contract.operations.flatMap(({ responses }) => [...responses.values()]);
    const validators = answers.flatMap(({ content }) => [...content.values()]);
    expect(validators.length).toBeGreaterThan(100);
    for (const validator of validators) validator?.();
  });

  it('takes an Idempotency-Key on every POST, and tells every answer’s request id', () => {
    for (const operation of contract.operations) {
      const headers = operation.headerParameters.map(({ name }) => name);
      expect(headers).toContain('x-request-id');
      if (operation.method === 'POST') expect(headers).toContain('idempotency-key');
      for (const [status, { requiredHeaders }] of operation.responses) {
        // A head that is too large was never read, its id neither.
        if (status !== '431') expect(requiredHeaders).toContain('x-request-id');
      }
    }
  });

  it('says Retry-After and error_id on every 503, and knows 400, 431 and 500 everywhere, 403 wherever a role is asked', () => {
    for (const { id, policy, responses } of contract.operations) {
      expect([id, responses.get('503')?.requiredHeaders]).toEqual([id, ['x-request-id', 'retry-after']]);
      const statuses = [...responses.keys()];
      expect([id, statuses]).toEqual([id, expect.arrayContaining(['400', '431', '500', '503'])]);
      expect([id, statuses.includes('403')]).toEqual([id, policy !== 'public']);
    }
  });

  it('closes its own request objects, and leaves manifests and payloads open', () => {
    const { components } = parse(readFileSync(KERNEL, 'utf8')) as {
      components: { schemas: Record<string, { additionalProperties?: boolean }> };
    };
    for (const name of ['SignManifest', 'SignDigest', 'VerifyManifest', 'NewEvent', 'NewEvents']) {
      expect([name, components.schemas[name]?.additionalProperties]).toEqual([name, false]);
    }
  });

  const sha256 = 'ab'.repeat(32);
  const event = { type: 'invoice.paid', payload: {} };
  it.each<[string, unknown, string | undefined, string?]>([
    ['signManifest', { manifest: { any: [1, { toString: null }] } }, undefined],
    ['signManifest', { manifestId: 'm', version: 1, sha256 }, undefined],
    [
      'signManifest',
      { manifestId: 'm', version: '1', sha256, kind: 'agent', division: 'product' },
      undefined,
    ],
    [
      'signManifest',
      {},
      '',
      'The member "manifest" is missing; add it, or: The member "manifestId" is missing; add it.',
    ],
    ['signManifest', { manifest: [] }, '/manifest', 'Must be of type object.'],
    [
      'signManifest',
      { manifest: {}, sha256 },
      '/sha256',
      'The member "sha256" is not known here; remove it.',
    ],
    ['signManifest', { manifest: {}, manifestId: 'm', version: '1', sha256 }, ''],
    ['signManifest', { manifestId: 'm', version: '1', sha256: sha256.toUpperCase() }, '/sha256'],
    ['signManifest', { manifestId: '', version: '1', sha256 }, '/manifestId'],
    [
      'signManifest',
      { manifestId: 'm', version: 1.5, sha256 },
      '/version',
      'Must be of type string or integer.',
    ],
    ['signManifest', { manifestId: 'm', version: '1', sha256, role: 'x' }, '/role'],
    ['signManifest', [], '', 'Must be of type object.'],
    ['verifyManifest', { manifest: {}, envelope: { whatever: 1 } }, undefined],
    ['verifyManifest', { manifest: {} }, '/envelope'],
    ['appendEvents', event, undefined],
    ['appendEvents', { ...event, stream: 'invoice/2026-17' }, undefined],
    ['appendEvents', { ...event, type: 'invoice.paid.v2' }, undefined],
    ['appendEvents', { events: Array.from({ length: 1000 }, () => event) }, undefined],
    ['appendEvents', { events: Array.from({ length: 1001 }, () => event) }, '/events'],
    ['appendEvents', { events: [] }, '/events'],
    ['appendEvents', { ...event, events: [event] }, ''],
    ['appendEvents', { events: [event, { ...event, type: 'Paid' }] }, '/events/1/type'],
    ['appendEvents', { events: [event, { ...event, id: 'x' }] }, '/events/1/id'],
    ['appendEvents', { ...event, type: 'paid' }, '/type'],
    ['appendEvents', { ...event, type: 'invoice.paid.v0' }, '/type'],
    ['appendEvents', { ...event, type: 'invoice.paid\n' }, '/type'],
    ['appendEvents', { ...event, stream: 'invoice' }, '/stream'],
    ['appendEvents', { ...event, stream: 'invoice/a\nb' }, '/stream'],
    ['appendEvents', { ...event, payload: 'x' }, '/payload', 'Must be of type object.'],
  ])('%s %j: %s', (id, body, pointer, detail = undefined) => {
    const validate = contract.operation(id).body?.validate;
    expect(validate?.(body)).toBe(pointer === undefined);
    if (pointer === undefined) return;
    const offence = describeErrors(validate?.errors ?? []);
    expect(offence.pointer).toBe(pointer);
    if (detail !== undefined) expect(offence.detail).toBe(detail);
  });

  it('explains a pattern in words', () => {
    const validate = contract.operation('appendEvents').body?.validate;
    validate?.({ ...event, type: 'Paid' });
    expect(describeErrors(validate?.errors ?? []).detail).toContain('<noun>.<past participle>');
  });

  it('finds operations by the exact path, concrete ones first', () => {
    const idOf = (method: string, path: string) => {
      const match = contract.match(method, path);
      return match === undefined ? 404 : 'allowed' in match ? match.allowed : match.operation.id;
    };
    expect(idOf('GET', '/kernel/audit/head')).toBe('getHeads');
    expect(idOf('HEAD', '/kernel/audit/head')).toBe('getHeads');
    expect(idOf('GET', '/kernel/audit/x')).toBe('getEvent');
    expect(idOf('GET', '/kernel/keys/jwks.json')).toBe('getJwks');
    expect(idOf('PUT', '/kernel/audit')).toEqual(['POST', 'GET', 'HEAD']);
    for (const path of ['/kernel/audit/', '/kernel/audit/x/y', '/Kernel/audit', '', '/', '/kernel']) {
      expect([path, idOf('GET', path)]).toEqual([path, 404]);
    }
  });
});

describe('loadContract', () => {
  const GOOD = `
openapi: 3.1.0
info: { title: t, version: '1' }
paths:
  /a/{id}:
    get:
      operationId: a
      x-policy: public
      parameters: [{ name: id, in: path, required: true, schema: { $ref: '#/components/schemas/Id' } }]
      responses: { '200': { description: ok } }
components: { schemas: { Id: { type: string, format: uuid } } }
`;
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'contract-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const load = (text: string, name = 'openapi.yaml'): Contract => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return loadContract(path);
  };

  it('loads a good document', () => {
    expect(load(GOOD).operations).toHaveLength(1);
  });

  it('loads the same from JSON, and refuses a member twice there too', () => {
    const json = JSON.stringify(parse(GOOD));
    const [operation] = load(json, 'openapi.json').operations;
    expect(operation).toMatchObject({ id: 'a', method: 'GET', path: '/a/{id}' });
    expect(operation?.pathParameters[0]?.validate('x')).toBe(false);
    const twice = json.replace('"version":"1"', '"version":"1","version":"2"');
    expect(() => load(twice, 'openapi.json')).toThrow('OPENAPI_PATH');
  });

  it('compiles the schema of an answer when it is asked for, and says then what is wrong with it', () => {
    const answer = (schema: string) =>
      GOOD.replace(
        'description: ok',
        `description: ok, content: { application/json: { schema: ${schema} } }`,
      );
    const validator = (text: string) =>
      load(text).operations[0]?.responses.get('200')?.content.get('application/json');
    expect(validator(answer('{ type: string }'))?.()('x')).toBe(true);
    const wrong = validator(answer('{ type: string, maxLenght: 5 }'));
    expect(() => wrong?.()).toThrow('unknown keyword');
    expect(() => load(answer('[]'))).toThrow('is not an object');
  });

  it.each<[string, (text: string) => string, string]>([
    ['another version', (t) => t.replace('3.1.0', '3.0.3'), '/openapi must say 3.1.x'],
    ['no JSON or YAML object', () => '[]', 'the document is not an object'],
    ['broken YAML', (t) => `${t}\n  {`, 'cannot be used'],
    ['a member twice', (t) => t.replace("version: '1'", "version: '1', version: '2'"), 'unique'],
    ['no paths', (t) => t.replace(/paths:[^]*components/, 'paths: {}\ncomponents'), '/paths has no path'],
    [
      'no operationId',
      (t) => t.replace('operationId: a', 'summary: a'),
      '/paths/~1a~1{id}/get has no operationId',
    ],
    [
      'no policy',
      (t) => t.replace('x-policy: public', 'summary: a'),
      'x-policy must be "public" or an action',
    ],
    [
      'an unknown policy',
      (t) => t.replace('public', 'audit.write'),
      'x-policy must be "public" or an action',
    ],
    [
      'an undescribed path parameter',
      (t) => t.replace(/parameters:.*\n/, '\n'),
      'does not describe the path parameter {id}',
    ],
    ['a stray path parameter', (t) => t.replace('/a/{id}', '/a/b'), 'that the path does not have'],
    ['a reference to nothing', (t) => t.replace('schemas/Id', 'schemas/Ix'), 'which is not there'],
    [
      'a reference to another document',
      (t) => t.replace("'#/comp", "'other.yaml#/comp"),
      'refers to another document',
    ],
    [
      'an unknown schema keyword',
      (t) => t.replace('format: uuid', 'format: uuid, maxLenght: 5'),
      'unknown keyword',
    ],
    [
      'an unknown format',
      (t) => t.replace('format: uuid', "format: uuidd, maxLength: 5, pattern: '^[a-z]$$'"),
      'unknown format',
    ],
    [
      'an unknown type',
      (t) => t.replace('type: string', 'type: strung'),
      'must be of type string, integer or boolean',
    ],
    ['a cookie parameter', (t) => t.replace('in: path', 'in: cookie'), 'must be in path, query or header'],
    ['an unknown method', (t) => t.replace('get:', 'got:'), 'is not an HTTP method'],
    ['no response', (t) => t.replace(/responses:.*\n/, 'responses: {}\n'), 'has no response'],
    [
      'an alias, which could grow without bound',
      (t) => `${t}x: &x [1]\ny: [*x, *x]\n`,
      'Alias resolution is disabled',
    ],
  ])('refuses %s', (_, change, words) => {
    const text = change(GOOD);
    expect(text).not.toBe(GOOD);
    expect(() => load(text)).toThrow(words);
    expect(() => load(text)).toThrow('OPENAPI_PATH');
  });

  describe('refuses a request without bounds:', () => {
    const withId = (schema: string): string => GOOD.replace('{ type: string, format: uuid }', () => schema);
    const withBody = (schema: string): string =>
      GOOD.replace(
        'x-policy: public',
        () => `x-policy: public\n      requestBody: { content: { application/json: { schema: ${schema} } } }`,
      );
    const text = String.raw`{ type: string, maxLength: 9, pattern: '^[^\x00]*$' }`;

    it.each([
      ['a text', withId(`{ type: string, pattern: '^a$' }`), 'is a text without maxLength'],
      ['a text of any character', withId('{ type: string, maxLength: 9 }'), 'may hold U+0000'],
      ...[
        '^.*$',
        '[a-z]+',
        '^[a-z]+',
        '^[^a]*$',
        String.raw`^[\x00-z]*$`,
        String.raw`^\S+$`,
        String.raw`^[\S]+$`,
        String.raw`^\x00$`,
        '^[a-z]+|[^a-z]+$',
      ].map((pattern) => [
        `a text by the pattern ${pattern}`,
        withId(`{ type: string, maxLength: 9, pattern: '${pattern}' }`),
        'may hold U+0000',
      ]),
      ['an integer', withId('{ type: integer, minimum: 1 }'), 'is an integer without minimum and maximum'],
      ['a list', withBody(`{ type: array, items: ${text} }`), 'schema is a list without maxItems'],
      [
        'a list in a list of forms',
        withBody(`{ oneOf: [${text}, { type: object, properties: { a: { type: array } } }] }`),
        'schema/oneOf/1/properties/a is a list without maxItems',
      ],
      [
        'a map',
        withBody(`{ type: object, additionalProperties: ${text} }`),
        'schema is a map without maxProperties',
      ],
      [
        'an item',
        withBody('{ type: array, maxItems: 3, items: { type: string } }'),
        'schema/items is a text without maxLength',
      ],
      [
        'a name',
        withBody(
          `{ type: object, maxProperties: 3, additionalProperties: ${text}, propertyNames: { type: string } }`,
        ),
        'schema/propertyNames is a text without maxLength',
      ],
    ])('%s', (_, document, words) => expect(() => load(document)).toThrow(words));

    it.each([
      text,
      '{ type: string, enum: [a, b] }',
      '{ const: a }',
      '{ type: string, format: date-time }',
      `{ type: string, maxLength: 9, pattern: '^(a|b)[0-9.:]{0,3}(\\.v[1-9])?$' }`,
      String.raw`{ type: string, maxLength: 9, pattern: '^[^\x00-\x1f\x7f]+$' }`,
      '{ type: object }',
      '{ type: object, properties: { any: { type: object } } }',
      `{ type: array, maxItems: 3, items: ${text} }`,
    ])('but not %s', (schema) => {
      expect(load(withBody(schema)).operations).toHaveLength(1);
    });
  });

  it.each([
    ['2026-01-31T10:00:00Z', true],
    ['2026-01-31t10:00:00.123456789z', true],
    ['0001-01-01T00:00:00Z', true],
    ['9999-12-31T23:59:59.999Z', true],
    ['0001-01-01T00:00:00+05:30', false],
    ['0000-06-01T00:00:00Z', false],
    ['9999-12-31T23:59:59-00:01', false],
    ['2026-02-30T00:00:00Z', false],
    ['2016-12-31T23:59:60Z', false],
    ['2026-01-31', false],
  ])('takes the time %s: %s', (time, taken) => {
    const [operation] = load(GOOD.replace('format: uuid', 'format: date-time')).operations;
    expect(operation?.pathParameters[0]?.validate(time)).toBe(taken);
  });
});
