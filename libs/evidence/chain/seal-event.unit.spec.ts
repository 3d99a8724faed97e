import { sha256Hex } from '#evidence-crypto';
import fc from 'fast-check';
import { canonicalize as secondOpinion } from 'json-canonicalize';
import { MAX_EVENT_BYTES, type UnhashedEvent } from './audit-event';
import { EvidenceError } from '../evidence.error';
import { type JsonObject, type JsonValue } from '../json/json-value';
import { parseEventParts } from './parse-event';
import { EventScanner } from './scan-event';
import { canonicalEventBytes, hashEvent, sealEvent } from './seal-event';
import { assertStrictJson } from '../json/strict-json.assertion';

const ORIGIN = 'kernel.example.com/test';
const SIGNATURE = `${'A'.repeat(86)}==`;

const strictObject = fc
  .dictionary(
    fc.string({ unit: 'binary' }),
    fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }) as fc.Arbitrary<JsonValue>,
    {
      noNullPrototype: true,
    },
  )
  .filter((value) => refusal(() => assertStrictJson(value)) === null);
const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
// eslint-disable-next-line no-control-regex -- control characters are what a stream must not hold
const plainName = name.filter((text) => !/[\u0000-\u001f\u007f]/.test(text) && text.length <= 200);
const uuid = fc.uuid();
const hash = fc.stringMatching(/^[0-9a-f]{64}$/);

const event: fc.Arbitrary<UnhashedEvent> = fc.record({
  v: fc.constant(1 as const),
  id: fc.uuid({ version: 7 }),
  shard: fc.nat(),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  ts: fc
    .date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  type: fc.constantFrom('manifest.signed', 'upgrade.applied.v2', 'a.b', 'agent-task.re_opened'),
  stream: plainName.map((id) => `upgrade/${id}`),
  streamVersion: fc.integer({ min: 1, max: 2 ** 40 }),
  actor: fc.record({
    id: name,
    kind: fc.constantFrom('service' as const, 'human' as const, 'system' as const),
    roles: fc.array(name, { maxLength: 3 }),
  }),
  payload: strictObject,
  correlationId: fc.option(uuid),
  causationId: fc.option(uuid),
  signerKid: fc.stringMatching(/^[!-~]{1,40}$/),
  prevHash: hash,
});

function refusal(action: () => unknown): { code: string; pointer: string | undefined } | null {
  try {
    action();
    return null;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return { code: error.code, pointer: error.pointer };
  }
}

function sealed(of: UnhashedEvent): Uint8Array {
  return sealEvent(of, ORIGIN).finish(SIGNATURE).bytes;
}

describe('sealEvent', () => {
  it('makes the bytes that canonicalising the whole event would make', () => {
    fc.assert(
      fc.property(event, (unhashed) => {
        const { hash: itsHash, finish } = sealEvent(unhashed, ORIGIN);
        expect(itsHash).toBe(sha256Hex(secondOpinion(unhashed)));
        expect(itsHash).toBe(hashEvent(unhashed));
        const { event: whole, bytes } = finish(SIGNATURE);
        expect(Buffer.from(bytes).toString()).toBe(secondOpinion(whole));
        expect(Buffer.from(bytes)).toEqual(Buffer.from(canonicalEventBytes(whole)));
        const parts = parseEventParts(bytes);
        expect(sha256Hex(parts.hashed)).toBe(itsHash);
        expect(parts.event.id).toBe(unhashed.id);
      }),
      { numRuns: 100 },
    );
  });

  it('allows 65,535 bytes and not one more', () => {
    const base = sample();
    const free = MAX_EVENT_BYTES - sealed({ ...base, payload: { text: '' } }).length;
    expect(sealed({ ...base, payload: { text: 'x'.repeat(free) } })).toHaveLength(MAX_EVENT_BYTES);
    const tooLarge = { ...base, payload: { text: 'x'.repeat(free + 1) } };
    expect(refusal(() => sealed(tooLarge))).toEqual({ code: 'event_too_large', pointer: '/payload' });
    // Bytes count, not characters.
    const euros = Math.floor(free / 3);
    expect(sealed({ ...base, payload: { text: '€'.repeat(euros) } }).length).toBeLessThanOrEqual(
      MAX_EVENT_BYTES,
    );
    expect(refusal(() => sealed({ ...base, payload: { text: '€'.repeat(euros + 1) } }))?.code).toBe(
      'event_too_large',
    );
    const smileys = Math.floor(free / 4);
    expect(sealed({ ...base, payload: { text: '😀'.repeat(smileys) } }).length).toBeLessThanOrEqual(
      MAX_EVENT_BYTES,
    );
    expect(refusal(() => sealed({ ...base, payload: { text: '😀'.repeat(smileys + 1) } }))?.code).toBe(
      'event_too_large',
    );
  });

  it('leaves room for the longest group where the event may be signed with others', () => {
    const group = { first: 1, count: 1_024, path: Array<string>(10).fill(`${'A'.repeat(43)}=`) };
    const make = (length: number): Uint8Array =>
      sealEvent({ ...sample(), payload: { text: 'x'.repeat(length) } }, ORIGIN, { grouped: true }).finish(
        SIGNATURE,
        group,
      ).bytes;
    const free = MAX_EVENT_BYTES - make(0).length;
    // The room is for the largest positions too.
    const longest = '9007199254740991'.length - '1'.length;
    expect(make(free - longest)).toHaveLength(MAX_EVENT_BYTES - longest);
    expect(refusal(() => make(free - longest + 1))?.code).toBe('event_too_large');
  });

  it.each<[string, Partial<Record<keyof UnhashedEvent, unknown>>, string, string]>([
    ['a lone surrogate', { payload: { a: ['\ud800'] } }, 'lone_surrogate', '/payload/a/0'],
    ['an inexact number', { payload: { n: 2 ** 53 } }, 'number_not_exact', '/payload/n'],
    ['undefined', { payload: { n: undefined } }, 'not_json', '/payload/n'],
    ['toJSON', { payload: { toJSON: 1 } }, 'forbidden_member', '/payload/toJSON'],
    [
      'a payload of 64 levels: the event has one more',
      { payload: nested(64) },
      'too_deep',
      `/payload${'/a'.repeat(63)}`,
    ],
    ['a wrong id', { id: 'x' }, 'invalid_event', '/id'],
    [
      'a lone surrogate in the actor',
      { actor: { id: '\ud800', kind: 'human', roles: [] } },
      'lone_surrogate',
      '/actor/id',
    ],
    ['an unknown member', { extra: 1 } as never, 'invalid_event', '/extra'],
  ])('refuses %s', (_name, change, code, pointer) => {
    expect(refusal(() => sealed({ ...sample(), ...change } as UnhashedEvent))).toEqual({ code, pointer });
  });

  it('takes a payload of 63 levels', () => {
    expect(parseEventParts(sealed({ ...sample(), payload: nested(63) })).event.seq).toBe(7);
  });

  it('refuses an origin or a signature that does not fit', () => {
    expect(refusal(() => sealEvent(sample(), 'a\nb'))?.code).toBe('invalid_origin');
    const { finish } = sealEvent(sample(), ORIGIN);
    expect(refusal(() => finish('AAAA'))?.code).toBe('invalid_signature');
    expect(refusal(() => finish(`${'A'.repeat(85)}B==`))?.code).toBe('invalid_signature');
  });
});

describe('EventScanner', () => {
  it('recognises every right event, with the facts that parsing finds', () => {
    const scanner = new EventScanner();
    fc.assert(
      fc.property(event, (unhashed) => {
        const text = Buffer.from(sealed(unhashed)).toString();
        const surrogates = /[\ud800-\udfff"\\]/;
        const scanned = scanner.scan(text);
        const parsed = parseEventParts(text);
        if (scanned === null) {
          // Names that need a closer look are left to the parser.
          expect(
            surrogates.test(JSON.stringify(Object.keys(unhashed.payload)) + unhashed.stream + text),
          ).toBe(true);
          return;
        }
        expect(parsed.event).toMatchObject(scanned.facts);
        expect(scanned.hashed).toBe(parsed.hashed);
        expect(scanned.signature).toBe(parsed.event.signature);
        expect(scanned.type).toBe(parsed.event.type);
      }),
      { numRuns: 100 },
    );
  });

  it('recognises the events of every day', () => {
    const scanner = new EventScanner();
    const payload: JsonObject = {
      a: [1, -2, 0, 0.5, 1e21, true, false, null, {}],
      text: 'Zoë said "hi"\n😀',
      z: {},
    };
    for (const given of [payload, {}, { deep: nested(62) }]) {
      expect(scanner.scan(Buffer.from(sealed({ ...sample(), payload: given })).toString())).not.toBeNull();
    }
  });

  it('accepts nothing that parsing refuses', () => {
    const scanner = new EventScanner();
    const edit = fc.tuple(
      fc.nat(),
      fc.constantFrom(...'"\\{}[],:0123456789.-+eEtfn aAZ/é\n\u0001\ud800', ''),
      fc.boolean(),
    );
    fc.assert(
      fc.property(event, fc.array(edit, { minLength: 1, maxLength: 3 }), (unhashed, edits) => {
        let text = Buffer.from(sealed(unhashed)).toString();
        for (const [at, character, replace] of edits) {
          const i = at % text.length;
          text = text.slice(0, i) + character + text.slice(i + (replace ? 1 : 0));
        }
        const scanned = scanner.scan(text);
        if (scanned === null) return;
        const { event: parsed, hashed } = parseEventParts(text);
        expect(parsed).toMatchObject(scanned.facts);
        expect(hashed).toBe(scanned.hashed);
      }),
      { numRuns: 500 },
    );
  });
});

function nested(levels: number): JsonObject {
  return levels === 1 ? {} : { a: nested(levels - 1) };
}

function sample(): UnhashedEvent {
  return {
    v: 1,
    id: '018f4b6e-0000-7000-8000-00000000abcd',
    shard: 0,
    seq: 7,
    ts: '2026-01-31T10:00:00.000Z',
    type: 'upgrade.applied',
    stream: 'upgrade/upg-42',
    streamVersion: 3,
    actor: { id: 'CN=test', kind: 'service', roles: ['Operator'] },
    payload: {},
    correlationId: null,
    causationId: null,
    signerKid: 'k1',
    prevHash: '0'.repeat(64),
  };
}
