import { type UnhashedEvent } from '../chain/audit-event';
import { isRange, MAX_GROUP_EVENTS, pathLength, type EventGroup } from '../chain/event-group';
import { sealEvent } from '../chain/seal-event';
import { base64Encode } from '../json/base64';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { type Random } from './random.fixture';

export const FUZZ_ORIGIN = 'kernel.example.com/fuzz';

const decoder = new TextDecoder();
const TEXTS = [
  '',
  'a',
  'Zoë',
  'say "hi"',
  'a\\b',
  'line\nbreak',
  '\u0000',
  '\u001f\u007f',
  '😀',
  '\u2028',
  '/',
  ' ',
];
/** Without escapes and surrogates. */
const NAMES = TEXTS.filter(
  (text) => /^[^"\\\p{Cc}\p{Cs}]*$/u.test(text) && text.isWellFormed() && text.length < 5,
);
const NUMBERS = [
  0, 1, -1, 0.5, -0.25, 1e21, 1e-7, 123_456_789, 9_007_199_254_740_991, 1.7976931348623157e308, 5e-324,
];

/** Canonical texts of valid events that differ in every member; their signatures are random bytes. */
export function eventCorpus(count: number, random: Random): string[] {
  return Array.from({ length: count }, () => {
    const event = anyEvent(random);
    const { finish } = sealEvent(event, FUZZ_ORIGIN, { grouped: true });
    return decoder.decode(finish(base64Encode(random.bytes(64)), anyGroup(event.seq, random)).bytes);
  });
}

/** A group around a position; its path is random bytes of the right length. */
function anyGroup(seq: number, random: Random): EventGroup {
  const index = Math.min(random.pick([0, 0, 1, 6, 1_023]), seq - 1);
  const count = Math.min(index + random.pick([1, 1, 2, 50]), MAX_GROUP_EVENTS);
  const first = seq - index;
  if (!isRange(first, count)) return { first: seq, count: 1, path: [] };
  const path = Array.from({ length: pathLength(index, count) }, () => base64Encode(random.bytes(32)));
  return { first, count, path };
}

function anyEvent(random: Random): UnhashedEvent {
  // One in five has what a fast reader leaves to the parser: escapes and surrogates in names, positions of 16 digits.
  const odd = random.once(5);
  const position = (): number =>
    odd ? 2 ** 53 - 1 : random.pick([1, 2, 10, random.from(1, 1e9), 999_999_999_999_999]);
  return {
    v: 1,
    id: uuid(random, '7'),
    shard: random.pick([0, 1, 15]),
    seq: position(),
    ts: random.pick(['2026-01-31T10:00:00.000Z', '2024-02-29T23:59:59.999Z', '2026-12-01T00:00:00.001Z']),
    type: random.pick([
      'manifest.signed',
      'upgrade.applied',
      'signer.rotated',
      'a.b',
      'eval-run.finished.v2',
    ]),
    stream: random.pick(
      odd ? ['agent/😀', 'x/"quoted"', 'x/\\'] : ['upgrade/upg-42', 'signer/k1', 'a/b', 'division/Zoë'],
    ),
    streamVersion: position(),
    actor: {
      id: random.pick(
        odd ? ['a"b', '😀', '\\', '\n'] : ['CN=build', 'https://id.example.com#sub', 'Zoë', 'x'.repeat(255)],
      ),
      kind: random.pick(['service', 'human', 'system']),
      roles: random.pick(
        odd ? [['"'], ['\\', '😀']] : [[], ['Operator'], ['SuperAdmin', 'Auditor'], ['é', 'b', 'c']],
      ),
    },
    payload: anyObject(random, 3, odd ? TEXTS : NAMES),
    correlationId: random.once(3) ? null : uuid(random, '4'),
    causationId: random.once(2) ? null : uuid(random, '4').toUpperCase(),
    signerKid: random.pick(odd ? ['a"b', '\\'] : ['kernel-audit-1', 'k', '!~', 'k'.repeat(255)]),
    prevHash: random.hex(64),
  };
}

function anyObject(random: Random, depth: number, names: readonly string[]): JsonObject {
  const object: JsonObject = {};
  for (let n = random.below(5); n > 0; n--) {
    object[random.pick(names) + random.hex(1)] = anyValue(random, depth - 1, names);
  }
  return object;
}

function anyValue(random: Random, depth: number, names: readonly string[]): JsonValue {
  switch (random.below(depth > 0 ? 6 : 4)) {
    case 0:
      return random.pick(NUMBERS);
    case 1:
      return random.pick(TEXTS) + random.pick(TEXTS);
    case 2:
      return random.pick([null, true, false]);
    case 3:
      return random.from(-1e6, 1e6) / random.pick([1, 10, 1_000]);
    case 4:
      return anyObject(random, depth, names);
    default:
      return Array.from({ length: random.below(4) }, () => anyValue(random, depth - 1, names));
  }
}

function uuid(random: Random, version: string): string {
  const [a, b, c, d] = [random.hex(8), random.hex(4), random.hex(3), random.hex(3)];
  return `${a}-${b}-${version}${c}-${random.pick(['8', '9', 'a', 'b'])}${d}-${random.hex(12)}`;
}
