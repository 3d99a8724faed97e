import fc from 'fast-check';
import { EvidenceError, sealEvent, type UnhashedEvent } from '#evidence';
import { prepareAppend } from './append-request';
import { EventStoreError } from '../event-store.error';
import { ACTOR, append, event, keyed, write } from '../fixtures/store.fixture';
import { type AppendRequest } from '../event-store.types';

const ID = '01900000-0000-7000-8000-000000000001';

function refusal(
  request: AppendRequest,
  shards = 1,
): { code: string; details: Record<string, unknown> } | null {
  try {
    prepareAppend(request, shards, () => ID);
    return null;
  } catch (error) {
    if (!(error instanceof EventStoreError)) throw error;
    return { code: error.code, details: error.details };
  }
}

const withEvent = (over: object): AppendRequest =>
  append(write('s/1', { events: [{ ...event(), ...over }] }));

describe('prepareAppend', () => {
  it('prepares a request: ids, sizes, and an expected version for the first event of each write', () => {
    const prepared = prepareAppend(
      append(
        write('s/1', {
          expectedVersion: 3,
          events: [event({ a: 1 }), { ...event({}), id: ID, division: 'd' }],
        }),
        write('s/2'),
      ),
      1,
      () => 'made',
    );
    expect(prepared.events).toMatchObject([
      { id: 'made', stream: 's/1', expectedVersion: 3, division: null, canonicalPayload: '{"a":1}' },
      { id: ID, stream: 's/1', expectedVersion: null, division: 'd', canonicalPayload: '{}' },
      { id: 'made', stream: 's/2', expectedVersion: null },
    ]);
    expect(prepared.givenIds).toEqual([ID]);
    expect(prepared.bytes).toBeGreaterThan('{"a":1}{}'.length);
  });

  it.each([
    ['no writes', { ...append(), writes: [] }, '/writes'],
    ['no array of writes', { ...append(), writes: 'x' as never }, '/writes'],
    ['a write without events', append(write('s/1', { events: [] })), '/writes/0/events'],
    ['a stream without an aggregate', append(write(), write('nothing')), '/writes/1/stream'],
    ['a NUL in a stream', append(write('s/a\0b')), '/writes/0/stream'],
    ['a lone surrogate in a stream', append(write('s/\ud800')), '/writes/0/stream'],
    ['a stream that is too long', append(write(`s/${'x'.repeat(254)}`)), '/writes/0/stream'],
    ['a negative version', append(write('s/1', { expectedVersion: -1 })), '/writes/0/expectedVersion'],
    ['half a version', append(write('s/1', { expectedVersion: 0.5 })), '/writes/0/expectedVersion'],
    ['no actor', { ...append(), actor: undefined as never }, '/actor'],
    ['an actor of no kind', { ...append(), actor: { ...ACTOR, kind: 'robot' as never } }, '/actor'],
    ['an actor with a NUL', { ...append(), actor: { ...ACTOR, id: 'a\0' } }, '/actor'],
    ['an actor with more to say', { ...append(), actor: { ...ACTOR, admin: true } as never }, '/actor'],
    ['a correlation id that is none', { ...append(), correlationId: 'x' }, '/correlationId'],
    ['a causation id that is none', { ...append(), causationId: 'x' }, '/causationId'],
    ['an empty key', keyed(''), '/idempotency/key'],
    ['a key with a line feed', keyed('a\nb'), '/idempotency/key'],
    ['a key that is too long', keyed('x'.repeat(256)), '/idempotency/key'],
    ['a request hash that is too long', keyed('k', append(), 'x'.repeat(129)), '/idempotency/requestHash'],
  ])('refuses %s', (_, request, pointer) => {
    expect(refusal(request)).toMatchObject({ code: 'invalid_request', details: { pointer } });
  });

  it.each([
    ['a type without a verb', { type: 'thing' }, '/type'],
    ['an id that is no UUIDv7', { id: '01900000-0000-4000-8000-000000000001' }, '/id'],
    ['an empty division', { division: '' }, '/division'],
    ['a payload that is no object', { payload: [] }, '/payload'],
    ['a number that is none', { payload: { a: { b: [1, NaN] } } }, '/payload/a/b/1'],
    ['an integer beyond 2^53', { payload: { a: 2 ** 53 } }, '/payload/a'],
    ['a lone surrogate', { payload: { 'x/y': '\ud800' } }, '/payload/x~1y'],
    ['a member named toJSON', { payload: { toJSON: 1 } }, '/payload/toJSON'],
    ['something undefined', { payload: { a: undefined } }, '/payload/a'],
    ['a date', { payload: { a: new Date() } }, '/payload/a'],
  ])('refuses %s and says where in the event', (_, over, pointer) => {
    expect(refusal(withEvent(over))).toMatchObject({
      code: 'invalid_request',
      details: { eventIndex: 0, pointer },
    });
  });

  it('refuses a payload nested so deep that the event would be too deep', () => {
    const nested = (levels: number): object => (levels === 0 ? {} : { a: nested(levels - 1) });
    // The event is the first level, its payload the second.
    expect(refusal(withEvent({ payload: nested(62) }))).toBeNull();
    expect(refusal(withEvent({ payload: nested(63) }))).toMatchObject({
      code: 'invalid_request',
      details: { reason: 'too_deep' },
    });
  });

  it('refuses a payload that no event has room for', () => {
    expect(refusal(withEvent({ payload: { text: 'x'.repeat(70_000) } }))).toMatchObject({
      code: 'event_too_large',
      details: { limit: 65_535, pointer: '/payload' },
    });
  });

  it('refuses more than 1,000 events, and the same id twice', () => {
    expect(
      refusal(append(write('s/1', { events: Array.from({ length: 1_001 }, () => event()) }))),
    ).toMatchObject({
      code: 'invalid_request',
    });
    expect(
      refusal(append(write('s/1', { events: [1, 2].map(() => ({ ...event(), id: ID })) }))),
    ).toMatchObject({ code: 'invalid_request' });
  });

  it('refuses streams of two shards and says which lies where', () => {
    const streams = Array.from({ length: 8 }, (_, n) => `s/${n}`);
    expect(refusal(append(...streams.map((stream) => write(stream))), 4)).toMatchObject({
      code: 'streams_span_shards',
      details: { shards: expect.objectContaining({ 's/0': expect.any(Number) }) },
    });
  });

  it('lets nothing through that the event format refuses', () => {
    const name = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc
        .tuple(
          fc.constantFrom('a', 'A', 'a-b_C', '1', ''),
          fc.constantFrom('/', '.', ''),
          fc.string({ unit: 'binary', maxLength: 10 }),
        )
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(name, name, name, fc.array(name, { maxLength: 3 }), (stream, type, actorId, roles) => {
        const actor = { id: actorId, kind: 'human' as const, roles };
        const request = { ...append(write(stream, { events: [event({}, type)] })), actor };
        const sealed: UnhashedEvent = {
          v: 1,
          id: ID,
          shard: 0,
          seq: 1,
          ts: '2026-01-01T00:00:00.000Z',
          type,
          stream,
          streamVersion: 1,
          actor,
          payload: {},
          correlationId: null,
          causationId: null,
          signerKid: 'k',
          prevHash: '00'.repeat(32),
        };
        if (refusal(request) !== null) return;
        expect(() => sealEvent(sealed, 'o')).not.toThrow(EvidenceError);
      }),
      { numRuns: 2_000 },
    );
    // And it does let names through.
    expect(
      refusal(append(write('caller/CN=ops, O=Illuvrse ü 🙂', { events: [event({}, 'manifest.signed.v2')] }))),
    ).toBeNull();
  });
});
