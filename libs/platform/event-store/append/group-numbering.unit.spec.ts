import { hashEvent } from '#evidence';
import { type AppendState, claimKey, type HeadPosition } from './append-state.sql';
import { numberGroup, type NumberingContext, type Overlay } from './group-numbering';
import { type PendingAppend } from './pending-append';
import { ACTOR } from '../fixtures/store.fixture';

const HEAD: HeadPosition = { seq: 10, hash: 'ab'.repeat(32), ms: Date.UTC(2026, 0, 1) };
let lastId = 0;

interface RequestOptions {
  stream?: string;
  expected?: number | null;
  events?: number;
  key?: string;
  requestHash?: string;
  givenIds?: string[];
  requires?: { stream: string; version: number }[];
  uncertain?: boolean;
}

function request(options: RequestOptions = {}): PendingAppend {
  const {
    stream = 's/1',
    expected = null,
    events = 1,
    key,
    requestHash = 'h',
    givenIds,
    requires,
    uncertain = false,
  } = options;
  return {
    actor: ACTOR,
    correlationId: null,
    causationId: null,
    events: Array.from({ length: events }, (_, n) => ({
      id: givenIds?.[n] ?? newId(),
      type: 'thing.changed',
      stream,
      expectedVersion: n === 0 ? expected : null,
      payload: { n },
      canonicalPayload: `{"n":${n}}`,
      statesHeads: false,
      division: null,
    })),
    keysAsOf: null,
    statesHeads: false,
    givenIds: givenIds ?? [],
    requires: requires ?? [],
    idempotency:
      key === undefined
        ? undefined
        : { caller: 'c', key, requestHash, answer: () => ({ status: 200, body: Buffer.of() }) },
    bytes: 10,
    trace: undefined,
    enqueuedAt: 0,
    ticket: 0,
    uncertain,
    checkIds: false,
    alone: false,
    resolve: () => undefined,
    reject: () => undefined,
  };
}

function newId(): string {
  return `01900000-0000-7000-8000-${String(++lastId).padStart(12, '0')}`;
}

function state(over: Partial<AppendState> = {}): AppendState {
  return {
    head: HEAD,
    versions: new Map(),
    claims: new Map(),
    existingIds: new Set(),
    headKid: null,
    fence: 0,
    ...over,
  };
}

function number(requests: PendingAppend[], over: Partial<NumberingContext> = {}) {
  return numberGroup(requests, {
    origin: 'kernel.example.com/test',
    shard: 0,
    signerKid: 'k',
    now: HEAD.ms + 5,
    state: state(),
    overlays: [],
    base: HEAD,
    ...over,
  });
}

const events = (group: ReturnType<typeof number>) =>
  group.accepted.flatMap((accepted) =>
    accepted.events.map(({ sealed }) => sealed.finish(`${'A'.repeat(86)}==`).event),
  );

describe('numberGroup', () => {
  it('numbers, links and versions across the requests of a group', () => {
    const group = number([request({ events: 2 }), request({ stream: 's/2' }), request()], {
      state: state({ versions: new Map([['s/1', 4]]) }),
    });
    const numbered = events(group);
    expect(numbered.map(({ seq, stream, streamVersion }) => [seq, stream, streamVersion])).toEqual([
      [11, 's/1', 5],
      [12, 's/1', 6],
      [13, 's/2', 1],
      [14, 's/1', 7],
    ]);
    let link = HEAD.hash;
    for (const { prevHash, hash, signature, ...rest } of numbered) {
      expect(prevHash).toBe(link);
      expect(signature).toBeDefined();
      expect(hashEvent({ ...rest, prevHash })).toBe(hash);
      link = hash;
    }
    expect(group.head).toEqual({ seq: 14, hash: link, ms: HEAD.ms + 5 });
    expect(new Map(group.versions)).toEqual(
      new Map([
        ['s/1', 7],
        ['s/2', 1],
      ]),
    );
  });

  it('takes no time before the head', () => {
    expect(events(number([request()], { now: HEAD.ms - 60_000 }))[0]?.ts).toBe('2026-01-01T00:00:00.000Z');
  });

  it('leaves out what does not fit, and its numbers with it', () => {
    const large = JSON.stringify({ n: 'x'.repeat(65_500) });
    const group = number([
      request({ expected: 3 }),
      request({ expected: 0, events: 2 }),
      {
        ...request({ stream: 's/2' }),
        // The payload alone would fit into an event.
        events: request({ stream: 's/2' }).events.map((event) => ({ ...event, canonicalPayload: large })),
      },
      request({ expected: 2 }),
    ]);
    expect(events(group).map(({ seq, streamVersion }) => [seq, streamVersion])).toEqual([
      [11, 1],
      [12, 2],
      [13, 3],
    ]);
    expect(group.refused.map(({ error }) => error.code)).toEqual(['version_conflict', 'event_too_large']);
    expect(group.refusedIfCommitted).toEqual([]);
  });

  it('refuses on the word of an uncommitted neighbour only if that one commits', () => {
    const group = number([request({ expected: 0 }), request({ expected: 0 })]);
    expect(group.accepted).toHaveLength(1);
    expect(group.refused).toEqual([]);
    expect(group.refusedIfCommitted).toMatchObject([
      { error: { code: 'version_conflict', details: { actual: 1 } } },
    ]);
  });

  it('sees the groups ahead of it, the latest first', () => {
    const ahead = (version: number): Overlay => ({
      versions: new Map([['s/1', version]]),
      claims: new Set(),
      ids: new Set(),
    });
    const group = number([request(), request({ stream: 's/2' })], {
      state: state({
        versions: new Map([
          ['s/1', 1],
          ['s/2', 8],
        ]),
      }),
      overlays: [ahead(2), ahead(3)],
    });
    expect(events(group).map(({ streamVersion }) => streamVersion)).toEqual([4, 9]);
    const late = number([request({ expected: 2 })], { overlays: [ahead(2), ahead(3)] });
    expect(late.refused).toEqual([]);
    expect(late.refusedIfCommitted).toHaveLength(1);
  });

  it('looks at the key first: answered by what is stored, or to be looked at again', () => {
    const claims = new Map([[claimKey('c', 'done'), 'h']]);
    const uncommitted: Overlay = {
      versions: new Map(),
      claims: new Set([claimKey('c', 'ahead')]),
      ids: new Set(),
    };
    const requests = [
      request({ key: 'done', expected: 99 }),
      request({ key: 'done', requestHash: 'other' }),
      request({ key: 'ahead' }),
      request({ key: 'new' }),
      request({ key: 'new' }),
    ];
    const group = number(requests, { state: state({ claims }), overlays: [uncommitted] });
    expect(group.answered).toEqual([requests[0], requests[1]]);
    expect(group.deferred).toEqual([requests[2], requests[4]]);
    expect(group.accepted).toMatchObject([{ pending: requests[3] }]);
    expect([...group.claims]).toEqual([claimKey('c', 'new')]);
  });

  it('tells what an earlier attempt committed from an id that is taken', () => {
    const [mine, taken] = [request({ uncertain: true }), request()];
    const existingIds = new Set([...mine.events, ...taken.events].map(({ id }) => id));
    const group = number([mine, taken], { state: state({ existingIds }) });
    expect(group.committedBefore).toEqual([mine]);
    expect(group.refused).toMatchObject([{ pending: taken, error: { code: 'duplicate_event_id' } }]);
    expect(number([mine]).accepted).toHaveLength(1);
  });

  it('defers an id that a group ahead, or this one, brings too', () => {
    const id = newId();
    const requests = [request({ givenIds: [id] }), request({ givenIds: [id] })];
    expect(number(requests).deferred).toEqual([requests[1]]);
    const ahead: Overlay = { versions: new Map(), claims: new Set(), ids: new Set([id]) };
    expect(number(requests, { overlays: [ahead] }).deferred).toEqual(requests);
  });
});
