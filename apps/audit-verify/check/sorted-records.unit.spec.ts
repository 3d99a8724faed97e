import fc from 'fast-check';
import { SortedRecords, type FactsRecord } from './sorted-records';
import { TemporaryFolder } from './temporary-folder';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());

function record(shard: number, seq: number, where: string): FactsRecord {
  const facts = {
    shard,
    seq,
    id: where,
    ts: '',
    stream: 'é\n',
    streamVersion: 1,
    signerKid: '',
    prevHash: '',
    hash: '',
  };
  return { facts, faults: [], formatted: true, where };
}

describe('SortedRecords', () => {
  it('sorts by shard and position, in memory and over runs on disk', () => {
    const place = fc.tuple(
      fc.nat(2),
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      fc.stringMatching(/^[a-c]$/),
    );
    fc.assert(
      fc.property(fc.array(place, { maxLength: 80 }), fc.integer({ min: 1, max: 30 }), (places, limit) => {
        const sorted = new SortedRecords(folder, limit);
        for (const [shard, seq, where] of places) sorted.add(record(shard, seq, where));
        const expected = [...places].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2].localeCompare(b[2]));
        expect([...sorted.read()]).toEqual(expected.map((place) => record(...place)));
      }),
      { numRuns: 100 },
    );
  });

  it('reads runs that are longer than a read', () => {
    const sorted = new SortedRecords(folder, 1_000);
    for (let i = 3_500; i > 0; i--) sorted.add(record(0, i, String(i)));
    expect([...sorted.read()].map(({ facts }) => facts.seq)).toEqual(
      Array.from({ length: 3_500 }, (_, i) => i + 1),
    );
  });
});
