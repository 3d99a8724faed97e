import fc from 'fast-check';
import { type JsonObject, type JsonValue } from '#evidence';

/** An event that a caller may record, as `POST /kernel/audit` takes it. */
export interface OddEvent {
  type: string;
  stream: string;
  payload: JsonObject;
}

/** Characters that one system or another takes for something else. */
const ODD_CHARACTERS = [
  ...['\0', '\r', '\n', '\r\n', '\t', '\u0001', '\u001b[2J', '\u007f', '\u0085', '\u009b31m'],
  ...['\u2028', '\u2029', '\ufeff', '\u202e', '\u2066', '\u200d', '\ufffd', '\ufffe', '\uffff', '\u{10ffff}'],
  ...[
    '"',
    '\\',
    '\\u0000',
    '\\\0',
    "'",
    '$1',
    '%00',
    '{}',
    '[',
    'NULL',
    '--',
    '\u0301',
    '\u{1f600}',
    'ß',
    '\u0130',
  ],
];
const ODD_TIMES = [
  '0000-01-01T00:00:00Z',
  '0001-01-01T00:00:00+05:30',
  '9999-12-31T23:59:59.999Z',
  '2016-12-31T23:59:60Z',
  '+275760-09-13T00:00:00.000Z',
  'infinity',
  '-infinity',
];
const ODD_NUMBERS = [
  5e-324,
  1.7976931348623157e308,
  -0,
  0.1,
  1e21,
  1e-7,
  2 ** 53 - 1,
  -(2 ** 53 - 1),
  2 ** 31,
  2 ** 32,
];
/** Members that some part of the kernel reads. */
const READ_NAMES = [
  ...[
    'because',
    'upgradeId',
    'reason',
    'signer',
    'signer_kid',
    'heads',
    'shard',
    'seq',
    'fromSeq',
    'toSeq',
    'ts',
  ],
  ...[
    'manifest',
    'sha256',
    'envelope',
    'expiresAt',
    'approverId',
    'hash',
    'signature',
    'payload',
    'id',
    'type',
    '',
  ],
];
const FORBIDDEN_NAMES = new Set(['toJSON', '__proto__']);
/** Bytes of the longest texts, lists and maps; an event has at most 65,535. */
const LARGE_BYTES = 60_000;

const plainText = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed());
const oddText = fc
  .array(fc.oneof(fc.constantFrom(...ODD_CHARACTERS), plainText), { maxLength: 6 })
  .map((parts) => parts.join(''));
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(
  oddText,
  fc.constantFrom(...ODD_TIMES),
  fc.constantFrom(...ODD_NUMBERS),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((n) => !Number.isInteger(n) || Math.abs(n) < 2 ** 53),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const name = fc
  .oneof(fc.constantFrom(...READ_NAMES), oddText, plainText)
  .filter((text) => !FORBIDDEN_NAMES.has(text));
const { value } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** Short names, so that thousands fit. */
function manyMembers(count: number): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [n.toString(36), n % 10]));
}

function nested(levels: number): JsonObject {
  let inner: JsonObject = {};
  for (let level = 1; level < levels; level++) inner = { a: inner };
  return inner;
}

/** Large in one way or another. */
const large: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.constantFrom('x', 'é', '\0', '\r', '\u2028', '\u{1f600}').map((unit) => {
    const bytes = Buffer.byteLength(JSON.stringify(unit)) - 2;
    return { text: unit.repeat(Math.floor(LARGE_BYTES / bytes)) };
  }),
  fc.constantFrom(...READ_NAMES).map((member) => ({ [member]: 'x'.repeat(LARGE_BYTES) })),
  fc.constant(null).map(() => manyMembers(7_000)),
  fc.constant(null).map(() => ({ because: Array.from({ length: 10_000 }, (_, n) => n % 10) })),
  fc.constant(null).map(() => ({ because: Array.from({ length: 2_000 }, (_, n) => ({ eventId: `${n}` })) })),
  fc.constant(null).map(() => nested(63)),
);

const payload: fc.Arbitrary<JsonObject> = fc
  .oneof(
    { weight: 60, arbitrary: fc.dictionary(name, value, { maxKeys: 6, noNullPrototype: true }) },
    { weight: 1, arbitrary: large },
  )
  .map(({ division, ...others }) => ({
    ...others,
    // What names a division has to be a name: anything else is refused.
    ...(typeof division === 'string' && { division: 'product' }),
  }));

const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,12}$/);
const type = fc
  .tuple(word, word, fc.constantFrom('', '.v2', '.v9999'))
  .map(([noun, verb, version]) => `odd${noun}.${verb}${version}`);
const stream = fc
  .tuple(word, oddText)
  // eslint-disable-next-line no-control-regex -- control characters are what a stream name must not hold
  .map(([noun, id]) => `odd${noun}/${id.replaceAll(/[\x00-\x1f\x7f]/g, '') || '.'}`)
  .filter((text) => text.length <= 255);

/** The same events for the same seed. */
export function oddEvents(count: number, seed: number): OddEvent[] {
  return fc.sample(fc.record({ type, stream, payload }), { numRuns: count, seed });
}

/** Texts for reasons and names: no U+0000, and not blank. */
export function oddTexts(count: number, seed: number): string[] {
  const given = oddText.map((text) => `x${text.replaceAll('\0', '')}`);
  return fc.sample(given, { numRuns: count, seed });
}
