// The vectors of accepted JSON and its canonical form (docs/spec/json.md).
import { evidence, hex, refusal } from './vector-kernel.mjs';

const nested = (levels, open, close) => open.repeat(levels) + close.repeat(levels);
const nestedObjects = (levels) => `${'{"a":'.repeat(levels - 1)}{}${'}'.repeat(levels - 1)}`;

const ACCEPTED = [
  ['white space between tokens', ' {\t"b" : 1 ,\r\n"a" : [ true , false , null ] } '],
  ['top-level string', '"text"'],
  ['top-level number', '17'],
  ['top-level null', 'null'],
  ['empty object', '{}'],
  ['empty array', '[]'],
  [
    'members sorted by UTF-16 code units (RFC 8785, 3.2.3)',
    String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
  ],
  ['digits as names are sorted as text', '{"10":1,"9":2,"1":3}'],
  [
    'names that mean something elsewhere',
    '{"constructor":1,"hasOwnProperty":2,"prototype":3,"toString":4,"valueOf":5,"":6}',
  ],
  ['names with / and ~', '{"a/b":1,"a~b":2,"~1":3}'],
  ['escapes are undone where RFC 8785 writes characters', String.raw`"\u0041\/\u00e9\u20ac\ud83d\ude00"`],
  ['escapes that stay', String.raw`"\"\\\b\f\n\r\t\u0000\u001f"`],
  ['upper-case hexadecimal digits', String.raw`"\u001F\u00E9"`],
  ['characters that are not escaped', '"\u007f\u0080\u2028\u2029\ufeff\uffff"'],
  ['supplementary characters', '"\u{1f600}\u{10ffff}"'],
  ['zero spelled in many ways', '[0,-0,0.0,-0.0,0e0,0E+5,0e-400,-0e400]'],
  ['one spelled in many ways', '[1,1.0,1e0,10e-1,0.1e1,1E+0,100.00e-2]'],
  ['integers at the limit', '[9007199254740991,-9007199254740991,9007199254740991.0,9.007199254740991e15]'],
  ['fractions', '[0.1,4.50,2e-3,0.000001,0.0000001,1.5e-7,123456789.125]'],
  [
    'large and small',
    '[1e21,1E30,1.7976931348623157e308,-1.7976931348623157E+308,5e-324,2.2250738585072014e-308]',
  ],
  ['17 significant digits that survive', '[0.30000000000000004,1.0000000000000002,5.000000000000001e-7]'],
  ['64 nested arrays', nested(64, '[', ']')],
  ['64 nested objects', nestedObjects(64)],
  ['duplicate names in different objects', '[{"a":1},{"a":2,"b":{"a":3}}]'],
];

export const text = (name, input) => [name, Buffer.from(input)];
export const bytes = (name, ...parts) => [name, Buffer.concat(parts.map((part) => Buffer.from(part)))];

const REFUSED = [
  text('duplicate name', '{"a":1,"a":2}'),
  text('duplicate name, spelled with an escape', String.raw`{"a":1,"\u0061":2}`),
  text('duplicate name, deep', '{"x":[{"y":1},{"z":{"k":1,"l":2,"k":3}}]}'),
  text('duplicate name with / and ~', '{"a/b~c":1,"a/b~c":2}'),
  text('the first offence counts: a duplicate before an inexact number', '{"a":1,"a":9007199254740993}'),
  text('the first offence counts: an inexact number before a duplicate', '{"b":1e400,"a":1,"a":2}'),
  text('lone high surrogate in a value', String.raw`{"a":["\ud800"]}`),
  text('lone low surrogate in a value', String.raw`{"a":"x\udc00y"}`),
  text('surrogates in the wrong order', String.raw`["\udc00\ud800"]`),
  text('high surrogate before another character', String.raw`["\ud83dx"]`),
  text('lone surrogate in a name', String.raw`{"a":{"k\ud800":1}}`),
  text('2^53', '9007199254740992'),
  text('2^53 + 1', '{"n":9007199254740993}'),
  text('-(2^53)', '[-9007199254740992]'),
  text('2^53 with a fraction of zero', '9007199254740992.0'),
  text('an integer that canonicalises beyond 2^53 - 1', '[1e20]'),
  text('an integer literal of 31 digits', '1000000000000000000000000000000'),
  text('overflow', '{"n":[0,1e400]}'),
  text('negative overflow', '-1e309'),
  text('underflow to zero', '[1e-400]'),
  text('more digits than a double holds', '{"pi":3.14159265358979323846}'),
  text('17 digits that do not survive', '[0.10000000000000001]'),
  text('smaller than the smallest double', '[3e-324]'),
  text('65 nested arrays', nested(65, '[', ']')),
  text('65 nested objects', nestedObjects(65)),
  text('member named toJSON', '{"a":{"toJSON":1}}'),
  text('member named toJSON, spelled with an escape', String.raw`{"\u0074oJSON":1}`),
  text('member named __proto__', '[{"__proto__":{}}]'),
  bytes('byte order mark', [0xef, 0xbb, 0xbf], '{}'),
  bytes('invalid UTF-8 in a value', '{"a":["', [0xff], '"]}'),
  bytes('invalid UTF-8 in a name', '{"a":{"', [0xc3, 0x28], '":1}}'),
  bytes('overlong UTF-8', '["', [0xc0, 0xaf], '"]'),
  bytes('a surrogate in UTF-8', '{"s":"', [0xed, 0xa0, 0x80], '"}'),
  bytes('beyond U+10FFFF', '{"s":"', [0xf4, 0x90, 0x80, 0x80], '"}'),
  bytes('UTF-8 that breaks off', '["', [0xe2, 0x82]),
  bytes('an earlier offence than the invalid UTF-8', '{"a":1,"a":"', [0xff], '"}'),
  text('empty', ''),
  text('white space only', ' \n'),
  text('breaks off', '{"a":[1,'),
  text('breaks off in a string', '{"a":"b'),
  text('trailing comma in an object', '{"a":1,}'),
  text('trailing comma in an array', '{"a":[1,]}'),
  text('two documents', '{} {}'),
  text('leading zero', '{"a":01}'),
  text('leading plus', '[+1]'),
  text('no digits after the point', '[1.]'),
  text('no digits before the point', '[.5]'),
  text('no digits in the exponent', '[1e]'),
  text('NaN', '[NaN]'),
  text('Infinity', '[-Infinity]'),
  text('comment', '{"a":1/**/}'),
  text('single quotes', "{'a':1}"),
  text('name without quotes', '{a:1}'),
  text('control character in a string', '["a\u0001b"]'),
  text('line feed in a string', '{"k":"a\nb"}'),
  text('unknown escape', String.raw`["\x41"]`),
  text('short escape', String.raw`["\u12"]`),
  text('no-break space between tokens', '[1,\u00a02]'),
  text('capital literal', '[True]'),
];

/** RFC 8785 appendix B: IEEE 754 bits and their text, except NaN and the infinities. */
const NUMBERS = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

export function jsonVectors() {
  return {
    'json-accepted.json': ACCEPTED.map(([name, input]) => {
      const canonical = evidence.canonicalize(evidence.parseStrictJson(Buffer.from(input)));
      return { name, input: hex(input), canonical: hex(canonical), sha256: evidence.sha256Hex(canonical) };
    }),
    'json-refused.json': REFUSED.map(([name, input]) => ({
      name,
      input: hex(input),
      ...refusal(() => evidence.parseStrictJson(input)),
    })),
    'json-numbers.json': NUMBERS.map(([bits, shortest]) => {
      const value = Buffer.from(bits, 'hex').readDoubleBE();
      let accepted = true;
      try {
        evidence.assertStrictJson(value);
      } catch {
        accepted = false;
      }
      return { bits, text: shortest, accepted };
    }),
  };
}
