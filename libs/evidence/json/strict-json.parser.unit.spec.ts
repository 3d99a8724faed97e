import fc from 'fast-check';
import { canonicalize } from './canonical-json';
import { EvidenceError } from '../evidence.error';
import { type JsonValue } from './json-value';
import { assertStrictJson } from './strict-json.assertion';
import { parseCanonicalJson, parseStrictJson } from './strict-json.parser';

/** Every JSON value that the rules allow. */
const strictValue = fc
  .jsonValue({ stringUnit: 'binary', maxDepth: 5 })
  .map((value) => value as JsonValue)
  .filter((value) => {
    try {
      assertStrictJson(value);
      return true;
    } catch {
      return false;
    }
  });

// eslint-disable-next-line no-control-regex -- JSON escapes control characters
const SPECIAL = /["\\\u0000-\u001f\ud800-\udfff]/;

/** JSON text of a value with white space, escapes, member order and number spellings chosen by `random`. */
function spell(value: JsonValue, random: () => number): string {
  const space = (): string => ['', '', ' ', '\n', '\t\r '][Math.floor(random() * 5)] ?? '';
  const text = (s: string): string =>
    `"${[...s]
      .flatMap((c) => (random() < 0.2 ? c.split('') : [c]))
      .map((c) =>
        c.length === 1 && (random() < 0.3 || SPECIAL.test(c))
          ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`
          : c,
      )
      .join('')}"`;
  const number = (n: number): string => {
    const plain = String(n);
    if (random() < 0.5 || /e/.test(plain)) return plain;
    const [whole = '', fraction = ''] = plain.split('.');
    const shift = Math.floor(random() * 5) + 1;
    const zeros = '0'.repeat(shift);
    return [`${plain}e0`, `${whole}${fraction}${zeros}E-${fraction.length + shift}`, `${plain}e+00`][
      Math.floor(random() * 3)
    ] as string;
  };
  const write = (v: JsonValue): string => {
    if (typeof v === 'string') return text(v);
    if (typeof v === 'number') return number(v);
    if (Array.isArray(v)) return `[${space()}${v.map(write).join(`${space()},${space()}`)}${space()}]`;
    if (typeof v !== 'object' || v === null) return String(v);
    const members = Object.entries(v)
      .map(([name, member]) => [random(), `${text(name)}${space()}:${space()}${write(member)}`] as const)
      .sort(([a], [b]) => a - b)
      .map(([, member]) => member);
    return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
  };
  return space() + write(value) + space();
}

function refusal(input: Uint8Array | string): { code: string; pointer: string | undefined } | null {
  try {
    parseStrictJson(input);
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { code: error.code, pointer: error.pointer };
  }
}

/** value = digits x 10^exponent, exactly. */
function decimalOf(text: string): [bigint, number] {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  let digits = BigInt(whole + fraction);
  let power = Number(exponent) - fraction.length;
  while (digits !== 0n && digits % 10n === 0n) {
    digits /= 10n;
    power++;
  }
  return [digits, digits === 0n ? 0 : power];
}

describe('parseStrictJson', () => {
  it('reads every value back, however it is spelled', () => {
    fc.assert(
      fc.property(
        strictValue,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (value, stream) => {
          const random = (): number => Math.min(stream.next().value as number, 0.999999);
          const spelled = spell(value, random);
          const parsed = parseStrictJson(Buffer.from(spelled));
          expect(canonicalize(parsed)).toBe(canonicalize(value));
          expect(parseStrictJson(spelled)).toEqual(parsed);
        },
      ),
    );
  });

  it('accepts nothing that JSON.parse refuses, and reads the same', () => {
    const edits = fc.array(
      fc.tuple(fc.nat(), fc.constantFrom(...'{}[],:"\\0123456789.eE+- tfnu\u0001é', '')),
      {
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(strictValue, edits, (value, changes) => {
        let text = JSON.stringify(value);
        for (const [at, character] of changes) {
          const i = at % (text.length + 1);
          text = text.slice(0, i) + character + text.slice(i + (at % 2));
        }
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          // Not JSON at all; or an offence of ours comes before the place where it stops being JSON.
          expect(refusal(text)).not.toBeNull();
          return;
        }
        const ours = refusal(text);
        if (ours === null)
          expect(canonicalize(parseStrictJson(text))).toBe(canonicalize(expected as JsonValue));
        else expect(ours.code).not.toBe('invalid_json');
      }),
      { numRuns: 500 },
    );
  });

  it('accepts a number exactly when its decimal value survives', () => {
    const digits = fc.stringMatching(/^[0-9]{1,25}$/);
    const token = fc
      .record({
        sign: fc.constantFrom('', '-'),
        whole: digits.map((d) => d.replace(/^0+(?=.)/, '')),
        fraction: fc.option(digits, { nil: undefined }),
        exponent: fc.option(fc.integer({ min: -340, max: 320 }), { nil: undefined }),
      })
      .map(
        ({ sign, whole, fraction, exponent }) =>
          `${sign}${whole}${fraction === undefined ? '' : `.${fraction}`}${exponent === undefined ? '' : `e${exponent}`}`,
      );
    const ofDouble = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String);
    const ofDecimal = fc
      .tuple(fc.integer(), fc.integer({ min: 0, max: 8 }))
      .map(([n, f]) => (n / 10 ** f).toFixed(f));
    fc.assert(
      fc.property(fc.oneof(token, ofDouble, ofDecimal), (text) => {
        const value = Number(text);
        const shortest = String(value);
        const beyond =
          Math.abs(value) > Number.MAX_SAFE_INTEGER && (Math.abs(value) < 1e21 || /^-?\d+$/.test(text));
        const survives =
          Number.isFinite(value) && decimalOf(text).join() === decimalOf(shortest).join() && !beyond;
        expect(refusal(`[${text}]`)).toEqual(survives ? null : { code: 'number_not_exact', pointer: '/0' });
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds a duplicate member anywhere', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), strictValue, { minKeys: 1 }),
        fc.nat(),
        fc.nat(),
        (object, which, where) => {
          const names = Object.keys(object).filter((name) => name !== '__proto__' && name !== 'toJSON');
          fc.pre(names.length > 0);
          const twice = names[which % names.length] as string;
          const members = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(object[name])}`);
          const position = names.indexOf(twice) + 1 + (where % (names.length - names.indexOf(twice)));
          members.splice(position, 0, `${JSON.stringify(twice)}:0`);
          const pointer = `/x/${twice.replaceAll('~', '~0').replaceAll('/', '~1')}`;
          expect(refusal(`{"x":{${members.join()}}}`)).toEqual({ code: 'duplicate_member', pointer });
        },
      ),
    );
  });

  it('finds invalid UTF-8 wherever it stands, and names the value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        let valid = true;
        try {
          new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
        } catch {
          valid = false;
        }
        const inside = Buffer.concat([Buffer.from('{"a":["'), bytes, Buffer.from('"]}')]);
        const ours = refusal(inside);
        if (!valid && !SPECIAL.test(Buffer.from(bytes).toString('latin1'))) {
          expect(ours).toEqual({ code: 'invalid_utf8', pointer: '/a/0' });
        }
        if (valid) expect(ours?.code).not.toBe('invalid_utf8');
      }),
      { numRuns: 1_000 },
    );
  });

  it('lets the caller allow levels around a document', () => {
    const deep = '['.repeat(66) + ']'.repeat(66);
    expect(refusal(deep)?.code).toBe('too_deep');
    expect(parseStrictJson(deep, { maxDepth: 66 })).toBeInstanceOf(Array);
  });

  it('takes linear time for long numbers, strings and nestings', () => {
    const digits = '1'.repeat(200_000);
    expect(refusal(digits)?.code).toBe('number_not_exact');
    expect(refusal(`0.${'0'.repeat(200_000)}1`)?.code).toBe('number_not_exact');
    expect(refusal(`"${'\\u0041'.repeat(100_000)}"`)).toBeNull();
    expect(refusal('['.repeat(1_000_000))?.code).toBe('too_deep');
  });

  it('says what to do', () => {
    expect(() => parseStrictJson('{"n":9007199254740993}')).toThrow(/beyond 2\^53-1; send it as a string/);
    expect(() => parseStrictJson('[0.10000000000000001]')).toThrow(/a reader would see 0\.1/);
  });
});

describe('parseCanonicalJson', () => {
  it('accepts exactly what canonicalising leaves as it is', () => {
    fc.assert(
      fc.property(
        strictValue,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (value, stream) => {
          const canonical = canonicalize(value);
          expect(parseCanonicalJson(canonical).value).toEqual(parseStrictJson(canonical));
          const spelled = spell(value, () => Math.min(stream.next().value as number, 0.999999));
          if (spelled === canonical) return;
          expect(() => parseCanonicalJson(Buffer.from(spelled))).toThrow(
            expect.objectContaining({ code: 'not_canonical' }),
          );
        },
      ),
    );
  });
});

it('reads as many values as its caller allows, wherever they are', () => {
  const text = '{"a":[1,{"b":2},[]],"c":null}';
  expect(parseStrictJson(text, { maxValues: 7 })).toEqual(JSON.parse(text));
  expect(parseStrictJson(Buffer.from(text), { maxValues: 7 })).toEqual(JSON.parse(text));
  for (const input of [text, Buffer.from(text)]) {
    expect(() => parseStrictJson(input, { maxValues: 6 })).toThrow(
      expect.objectContaining({ code: 'too_many_values', pointer: '/c' }),
    );
  }
});
