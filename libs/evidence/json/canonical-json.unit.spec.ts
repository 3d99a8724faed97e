import fc from 'fast-check';
import { canonicalize as secondOpinion } from 'json-canonicalize';
import { canonicalize } from './canonical-json';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from './json-value';
import { assertStrictJson } from './strict-json.assertion';
import { parseStrictJson } from './strict-json.parser';

const anyValue = fc.jsonValue({ stringUnit: 'binary', maxDepth: 6 }) as fc.Arbitrary<JsonValue>;

function refusal(action: () => unknown): { code: string; pointer: string | undefined } | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { code: error.code, pointer: error.pointer };
  }
}

describe('canonicalize', () => {
  it('agrees with json-canonicalize on everything that is strict', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        fc.pre(refusal(() => assertStrictJson(value)) === null);
        expect(canonicalize(value)).toBe(secondOpinion(value));
      }),
      { numRuns: 300 },
    );
  });

  it('is a fixed point: what it writes is read back and written the same', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        fc.pre(refusal(() => assertStrictJson(value)) === null);
        const text = canonicalize(value);
        expect(canonicalize(parseStrictJson(text))).toBe(text);
      }),
    );
  });

  it('does not depend on the order of members', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.integer()), (object) => {
        fc.pre(refusal(() => assertStrictJson(object)) === null);
        const reversed = Object.fromEntries(Object.entries(object).reverse());
        expect(canonicalize(reversed)).toBe(canonicalize(object));
      }),
    );
  });

  it('sorts many members as it sorts few', () => {
    const names = Array.from({ length: 100 }, (_, i) => `k${(i * 37) % 100}`);
    const object = Object.fromEntries(names.map((name, i) => [name, i]));
    expect(canonicalize(object)).toBe(secondOpinion(object));
  });

  it('refuses exactly what assertStrictJson refuses, at the same place', () => {
    const unusual = fc.constantFrom<unknown>(
      undefined,
      NaN,
      Infinity,
      2 ** 53,
      1e20,
      '\ud800',
      10n,
      Symbol('s'),
      () => 1,
      new Date(0),
      new Map(),
      new Uint8Array(1),
      // eslint-disable-next-line no-sparse-arrays -- a hole is one of the cases
      [1, , 2],
      { toJSON: 1 },
      JSON.parse('{"__proto__":1}'),
      { '\udc00': 1 },
    );
    const tree = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        unusual,
        fc.array(tie('node'), { maxLength: 3 }),
        fc.dictionary(fc.stringMatching(/^[a-c/~]{1,2}$/), tie('node'), {
          maxKeys: 3,
          noNullPrototype: true,
        }),
      ),
    })).node;
    fc.assert(
      fc.property(tree, (value) => {
        const asserted = refusal(() => assertStrictJson(value));
        const written = refusal(() => canonicalize(value as JsonValue));
        expect(written).toEqual(asserted);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses cycles and counts levels that will enclose the value', () => {
    const cycle: JsonValue[] = [];
    cycle.push(cycle);
    expect(refusal(() => canonicalize(cycle))?.code).toBe('too_deep');
    const nested = (levels: number): JsonValue => (levels === 0 ? 0 : [nested(levels - 1)]);
    expect(refusal(() => canonicalize(nested(64)))).toBeNull();
    expect(refusal(() => canonicalize(nested(65)))?.pointer).toBe('/0'.repeat(64));
    expect(refusal(() => canonicalize(nested(63), 1))).toBeNull();
    expect(refusal(() => canonicalize(nested(64), 1))?.code).toBe('too_deep');
  });

  it('takes shared references for what they are', () => {
    const shared = { a: 1 };
    expect(canonicalize([shared, shared])).toBe('[{"a":1},{"a":1}]');
  });

  it('takes objects without a prototype', () => {
    expect(canonicalize(Object.assign(Object.create(null) as object, { b: 1, a: 2 }) as JsonValue)).toBe(
      '{"a":2,"b":1}',
    );
  });
});

describe('assertStrictJson', () => {
  it('puts the given pointer before that of the offence', () => {
    expect(refusal(() => assertStrictJson({ a: [NaN] }, '/payload'))).toEqual({
      code: 'number_not_exact',
      pointer: '/payload/a/0',
    });
  });
});
