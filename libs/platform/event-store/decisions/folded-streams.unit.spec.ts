import { recorded } from '#dev/testing';
import { type StoredEvent } from '../event-store.types';
import { FoldedStreams } from './folded-streams';

/** A store with only streams, which records its calls. */
class Streams {
  readonly asked: [string, number][] = [];
  private readonly streams = new Map<string, StoredEvent[]>();

  append(stream: string): void {
    const events = this.streams.get(stream) ?? [];
    const event = recorded('thing.happened', {}, events.length + 1);
    this.streams.set(stream, [...events, { event, bytes: new Uint8Array() }]);
  }

  async loadStream(stream: string, { fromVersion = 1 } = {}): Promise<StoredEvent[]> {
    this.asked.push([stream, fromVersion]);
    return (this.streams.get(stream) ?? []).slice(fromVersion - 1);
  }
}

describe('streams that are folded once', () => {
  function folded(maxKept = 10) {
    const store = new Streams();
    const count = new FoldedStreams(store, 0, (state: number) => state + 1, maxKept);
    return { store, count };
  }

  it('are as the store is at each load, and cost what is new', async () => {
    const { store, count } = folded();
    expect(await count.load('a/1')).toEqual({ state: 0, version: 0 });
    for (let n = 0; n < 3; n++) store.append('a/1');
    expect(await count.load('a/1')).toEqual({ state: 3, version: 3 });
    store.append('a/1');
    expect(await count.load('a/1')).toEqual({ state: 4, version: 4 });
    expect(await count.load('a/1')).toEqual({ state: 4, version: 4 });
    expect(store.asked.map(([, from]) => from)).toEqual([1, 1, 4, 5]);
  });

  it('are forgotten when they are too many, the longest unused first', async () => {
    const { store, count } = folded(2);
    for (const stream of ['a/1', 'a/2', 'a/3']) store.append(stream);
    for (const stream of ['a/1', 'a/2', 'a/1', 'a/3', 'a/1', 'a/2']) await count.load(stream);
    expect(store.asked).toEqual([
      ['a/1', 1],
      ['a/2', 1],
      ['a/1', 2],
      ['a/3', 1],
      ['a/1', 2],
      ['a/2', 1],
    ]);
  });
});
