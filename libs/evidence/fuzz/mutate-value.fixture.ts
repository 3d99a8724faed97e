import { type JsonObject, type JsonValue } from '../json/json-value';
import { type Random } from './random.fixture';

/** Values that a member may have where another is expected. */
const ODD: readonly JsonValue[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1,
    1.5,
    2 ** 53 - 1,
    -(2 ** 53 - 1),
    1e21,
    '',
    'a',
    '0',
    'toString',
    '__proto__',
  ],
  ...[
    [],
    {},
    [null],
    [[]],
    { length: 1 },
    { a: null },
    'x'.repeat(5_000),
    Array.from({ length: 300 }, () => 0),
  ],
  ...['2026-02-30T00:00:00.000Z', '\u0000\n\u2028', 'constructor', '9007199254740993', 'AAAA', 'é😀'],
];

/** A copy in which one value, somewhere in the tree, is another one, is gone, or stands twice. */
export function mutateValue(value: JsonValue, random: Random): JsonValue {
  const copy = structuredClone(value);
  const places: [parent: JsonObject | JsonValue[], name: string | number][] = [];
  collect(copy, places);
  if (places.length === 0) return random.pick(ODD);
  for (let n = random.pick([1, 1, 1, 2, 3]); n > 0; n--) {
    const [parent, name] = random.pick(places);
    if (Array.isArray(parent)) changeItem(parent, name as number, random);
    else changeMember(parent, name as string, random, places);
  }
  return copy;
}

function collect(value: JsonValue, places: [JsonObject | JsonValue[], string | number][]): void {
  if (typeof value !== 'object' || value === null) return;
  const names = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value);
  for (const name of names) {
    places.push([value, name]);
    collect((value as JsonObject)[name] as JsonValue, places);
  }
}

function changeItem(list: JsonValue[], at: number, random: Random): void {
  const item = list[at] ?? null;
  const by = random.pick<JsonValue[]>([[], [item, item], [random.pick(ODD)], [nudged(item, random)]]);
  list.splice(at, 1, ...by);
}

function changeMember(
  object: JsonObject,
  name: string,
  random: Random,
  places: readonly [JsonObject | JsonValue[], string | number][],
): void {
  switch (random.below(5)) {
    case 0:
      delete object[name];
      break;
    case 1:
      object[name] = structuredClone(random.pick(ODD));
      break;
    case 2: {
      const [parent, other] = random.pick(places);
      object[name] = structuredClone((parent as JsonObject)[other] ?? null);
      break;
    }
    case 3:
      object[random.pick(['extra', 'a', 'seq', 'payload', 'length'])] = random.pick(ODD);
      break;
    default:
      object[name] = nudged(object[name] ?? null, random);
  }
}

/** Nearly the same value. */
function nudged(value: JsonValue, random: Random): JsonValue {
  if (typeof value === 'number') return random.pick([value + 1, value - 1, -value, String(value)]);
  if (typeof value !== 'string' || value === '') return [value];
  const at = random.below(value.length);
  const by = random.pick(['', 'A', '0', '=', '\n', ' ', '\u0000', 'é']);
  return value.slice(0, at) + by + value.slice(at + 1);
}
