import { Ajv2020 } from 'ajv/dist/2020';
import { problemsWith } from './absent-members';

describe('a member that is null', () => {
  const validate = new Ajv2020({ strict: false }).compile({
    type: 'object',
    required: ['type', 'payload'],
    additionalProperties: false,
    properties: {
      type: { type: 'string' },
      stream: { type: 'string', minLength: 1 },
      mode: { enum: ['a', 'b'] },
      note: { type: ['string', 'null'] },
      'a/b~c': { type: 'integer' },
      payload: { type: 'object' },
      links: {
        type: 'array',
        items: { type: 'object', required: ['id'], properties: { id: {}, label: { type: 'string' } } },
      },
      either: { anyOf: [{ type: 'string' }, { type: 'object', properties: { id: { type: 'string' } } }] },
    },
  });
  const given = { type: 't', payload: { x: null } };

  it('counts as absent where it is optional, wherever it is', () => {
    const body = {
      ...given,
      ...{ stream: null, mode: null, 'a/b~c': null, either: null },
      links: [{ id: 1, label: null }, { id: 2 }],
    };
    expect(problemsWith(validate, body)).toBeNull();
    expect(body).toEqual({ ...given, links: [{ id: 1 }, { id: 2 }] });
  });

  it('stays where it has a meaning: where the schema takes it, and in what is the caller’s own', () => {
    const body = { ...given, note: null, stream: null };
    expect(problemsWith(validate, body)).toBeNull();
    expect(body).toEqual({ ...given, note: null });
  });

  it.each([
    ['is required', { ...given, type: null }, '/type'],
    ['stands in a list', { ...given, links: [null] }, '/links/0'],
    ['has a name that nobody knows', { ...given, other: null }, ''],
  ])('is refused where it %s, and the body is as it came', (_, body, pointer) => {
    const before = structuredClone(body);
    expect(problemsWith(validate, body)?.[0]?.instancePath).toBe(pointer);
    expect(body).toEqual(before);
  });

  it('costs one more look at the body for each kind of member, however often it occurs', () => {
    let looks = 0;
    const counted = Object.assign(
      (body: unknown) => {
        looks += 1;
        const fits = validate(body);
        counted.errors = validate.errors;
        return fits;
      },
      { errors: validate.errors },
    );
    const body = { ...given, links: Array.from({ length: 10_000 }, (_, id) => ({ id, label: null })) };
    expect(problemsWith(counted as unknown as typeof validate, body)).toBeNull();
    expect(looks).toBe(2);
    expect(body.links[9_999]).toEqual({ id: 9_999 });
  });

  it('hides no other fault', () => {
    const body = { ...given, stream: null, mode: 'c' };
    expect(problemsWith(validate, body)).not.toBeNull();
    expect(body).toEqual({ ...given, stream: null, mode: 'c' });
    expect(problemsWith(validate, null)?.[0]?.instancePath).toBe('');
  });
});
