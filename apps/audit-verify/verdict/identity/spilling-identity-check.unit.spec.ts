import fc from 'fast-check';
import { IdentityCheckInMemory, type ChainFault, type EventFacts } from '#evidence';
import { CompactTable } from './compact-table';
import { idKey, idOfKey, nameKey } from './key-128';
import { MemorySpill } from './memory-spill';
import { type MakeSpill } from './spill';
import { SpillingIdentityCheck } from './spilling-identity-check';
import { SpillPartitions } from '../../check/spill-partitions';
import { TemporaryFolder } from '../../check/temporary-folder';

const folder = new TemporaryFolder();
afterAll(() => folder.remove());
const onDisk = (size: number) => new SpillPartitions(folder, size);

function facts(seq: number, id: number, stream: number, streamVersion: number): EventFacts {
  return {
    shard: 0,
    seq,
    id: `018f4b6e-0000-7000-8000-${id.toString(16).padStart(12, '0')}`,
    ts: '2026-01-31T10:00:00.000Z',
    stream: `thing/${stream}`,
    streamVersion,
    signerKid: 'k1',
    prevHash: '',
    hash: '',
  };
}

const brief = (faults: readonly ChainFault[]): string[] =>
  faults.map(({ code, seq, id }) => `${seq} ${code} ${id}`).sort();

describe('SpillingIdentityCheck', () => {
  it.each<[where: string, makeSpill: MakeSpill]>([
    ['to disk', onDisk],
    ['to memory', (size) => new MemorySpill(size)],
  ])('finds what the check in memory finds, however much of it goes %s', (_where, makeSpill) => {
    const event = fc.record({
      id: fc.integer({ min: 1, max: 60 }),
      stream: fc.nat(5),
      version: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 60 }),
        fc.integer({ min: 1, max: 50 }),
        fc.boolean(),
        fc.nat(2),
        (events, limit, complete, skipped) => {
          const memory = new IdentityCheckInMemory(complete);
          const spilling = new SpillingIdentityCheck(makeSpill, complete, limit);
          const all = events.map(({ id, stream, version }, i) => facts(i + 1, id, stream, version));
          const found = (check: IdentityCheckInMemory | SpillingIdentityCheck): string[] =>
            brief([...all.flatMap((given) => check.see(given, skipped)), ...check.finish()]);
          expect(found(spilling)).toEqual(found(memory));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('handles more events than a write buffer holds', () => {
    const spilling = new SpillingIdentityCheck(onDisk, true, 10);
    let faults = 0;
    for (let seq = 1; seq <= 60_000; seq++) faults += spilling.see(facts(seq, seq, seq, 1), 0).length;
    faults += spilling.see(facts(60_001, 77, 60_001, 1), 0).length;
    faults += spilling.see(facts(60_002, 60_002, 99, 3), 0).length;
    expect(faults).toBe(0);
    expect(spilling.finish()).toMatchObject([
      { code: 'duplicate', seq: 60_001, id: facts(0, 77, 0, 1).id },
      { code: 'stream', seq: 60_002 },
    ]);
  });
});

describe('CompactTable', () => {
  it('is a map', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 1 })), { maxLength: 300 }),
        (entries) => {
          const table = new CompactTable();
          const map = new Map<number, number>();
          for (const [k, value] of entries) {
            expect(table.swap(Int32Array.of(k, 0, 0, k & 3), value)).toBe(map.get(k) ?? 0);
            map.set(k, value);
          }
          expect(table.size).toBe(map.size);
          expect(new Map([...table.entries()].map(([key, value]) => [key[0], value]))).toEqual(map);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('grows', () => {
    const table = new CompactTable();
    for (let i = 0; i < 100_000; i++) table.swap(Int32Array.of(i, i * 7, 0, i), i + 1);
    expect(table.size).toBe(100_000);
    expect(table.swap(Int32Array.of(50_000, 350_000, 0, 50_000), 1)).toBe(50_001);
  });
});

describe('keys', () => {
  it('keeps a UUID exactly', () => {
    fc.assert(fc.property(fc.uuid(), (id) => expect(idOfKey(idKey(id, new Int32Array(4)))).toBe(id)));
  });

  it('tells names apart', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) seen.add(nameKey(`manifest/m-${i}`, new Int32Array(4)).join());
    expect(seen.size).toBe(20_000);
  });
});
