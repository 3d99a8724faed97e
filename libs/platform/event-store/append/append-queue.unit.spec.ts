import { AppendQueue } from './append-queue';
import { type PendingAppend } from './pending-append';

const BOUNDS = { maxQueuedRequests: 4, maxQueuedBytes: 100 };
const GROUP = { maxGroupRequests: 3, maxGroupEvents: 5, maxGroupBytes: 50 };

function pending(name: string, { events = 1, bytes = 1, enqueuedAt = 0, alone = false } = {}): PendingAppend {
  return {
    correlationId: name,
    events: Array.from({ length: events }),
    bytes,
    enqueuedAt,
    alone,
    ticket: -1,
  } as unknown as PendingAppend;
}

const names = (requests: readonly PendingAppend[]) => requests.map(({ correlationId }) => correlationId);

describe('AppendQueue', () => {
  it('gives groups in order, within their bounds', () => {
    const queue = new AppendQueue({ maxQueuedRequests: 100, maxQueuedBytes: 1_000 });
    for (const name of ['a', 'b', 'c', 'd']) queue.push(pending(name));
    queue.push(pending('e', { events: 5 }));
    queue.push(pending('f', { bytes: 45 }));
    queue.push(pending('g', { bytes: 10 }));
    queue.push(pending('h', { events: 9, bytes: 99 }));
    expect(names(queue.take(GROUP))).toEqual(['a', 'b', 'c']);
    expect(names(queue.take(GROUP))).toEqual(['d']);
    expect(names(queue.take(GROUP))).toEqual(['e']);
    expect(names(queue.take(GROUP))).toEqual(['f']);
    expect(names(queue.take(GROUP))).toEqual(['g']);
    // Larger than any group may be, so a group of its own.
    expect(names(queue.take(GROUP))).toEqual(['h']);
    expect(queue.take(GROUP)).toEqual([]);
  });

  it('is full by number or by bytes, and has room again when something was taken', () => {
    const queue = new AppendQueue(BOUNDS);
    expect(['a', 'b', 'c', 'd', 'e'].map((name) => queue.push(pending(name)))).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    queue.take(GROUP);
    expect(queue.size).toBe(1);
    expect(queue.push(pending('large', { bytes: 99 }))).toBe(true);
    expect(queue.push(pending('small'))).toBe(false);
    queue.take({ ...GROUP, maxGroupBytes: 1_000 });
    expect(queue.push(pending('huge', { bytes: 1_000 }))).toBe(true);
  });

  it('takes back what came before, in its old place, bounds or not', () => {
    const queue = new AppendQueue(BOUNDS);
    for (const name of ['a', 'b', 'c', 'd']) queue.push(pending(name));
    const first = queue.take({ ...GROUP, maxGroupRequests: 2 });
    const second = queue.take({ ...GROUP, maxGroupRequests: 1 });
    queue.push(pending('e'));
    queue.push(pending('f'));
    queue.push(pending('g'));
    queue.putBack(second);
    queue.putBack(first);
    expect(queue.size).toBe(7);
    expect(names(queue.take({ ...GROUP, maxGroupRequests: 9, maxGroupEvents: 9 }))).toEqual([...'abcdefg']);
  });

  it('gives what must be alone alone', () => {
    const queue = new AppendQueue(BOUNDS);
    queue.push(pending('a'));
    queue.push(pending('b', { alone: true }));
    queue.push(pending('c'));
    queue.push(pending('d'));
    expect([1, 2, 3].map(() => names(queue.take(GROUP)))).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  it('gives up what has waited too long and keeps the rest', () => {
    const queue = new AppendQueue({ maxQueuedRequests: 9, maxQueuedBytes: 10 });
    queue.push(pending('old', { enqueuedAt: 1, bytes: 6 }));
    queue.push(pending('young', { enqueuedAt: 9, bytes: 4 }));
    expect(names(queue.takeOlderThan(5))).toEqual(['old']);
    expect(queue.push(pending('next', { bytes: 6 }))).toBe(true);
    expect(names(queue.take(GROUP))).toEqual(['young', 'next']);
  });

  it('stays cheap over many groups', () => {
    const queue = new AppendQueue({ maxQueuedRequests: 1e6, maxQueuedBytes: 1e9 });
    let taken = 0;
    for (let round = 0; round < 3_000; round++) {
      for (let n = 0; n < 5; n++) queue.push(pending(String(round * 5 + n)));
      for (const { correlationId } of queue.take(GROUP)) expect(correlationId).toBe(String(taken++));
    }
    expect(taken + queue.size).toBe(15_000);
  });
});
