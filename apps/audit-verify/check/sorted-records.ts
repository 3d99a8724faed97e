import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type ChainFault, type EventFacts } from '#evidence';
import { type TemporaryFolder } from './temporary-folder';

/** An inspected event that waits for its turn. */
export interface FactsRecord {
  facts: EventFacts;
  faults: readonly ChainFault[];
  formatted: boolean;
  /** Leaf hash of the log in hex, where it is wanted. */
  leaf?: string;
  /** Settles the order of two at the same position. */
  where: string;
}

/** Records kept in memory before they are sorted and written out: some 100 MB. */
const DEFAULT_LIMIT = 100_000;
const READ_SIZE = 1 << 16;

/**
 * Sorts records by shard and position in bounded memory: sorted runs on disk, merged when they are read. Positions may
 * come in any order and with any gaps.
 */
export class SortedRecords {
  private buffer: FactsRecord[] = [];
  private readonly runs: string[] = [];

  constructor(
    private readonly folder: TemporaryFolder,
    private readonly limit = DEFAULT_LIMIT,
  ) {}

  add(record: FactsRecord): void {
    this.buffer.push(record);
    if (this.buffer.length >= this.limit) this.writeRun();
  }

  *read(): Generator<FactsRecord> {
    this.buffer.sort(compare);
    if (this.runs.length === 0) {
      yield* this.buffer;
      return;
    }
    const sources = [this.buffer.values(), ...this.runs.map(readRun)];
    const heap = new Heap();
    for (const source of sources) heap.pushFrom(source);
    for (let record = heap.pop(); record !== undefined; record = heap.pop()) yield record;
  }

  private writeRun(): void {
    this.buffer.sort(compare);
    const path = this.folder.file();
    const file = openSync(path, 'w');
    for (let i = 0; i < this.buffer.length; i += 1_000) {
      const lines = this.buffer.slice(i, i + 1_000).map((record) => JSON.stringify(record));
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    }
    closeSync(file);
    this.runs.push(path);
    this.buffer = [];
  }
}

function compare(a: FactsRecord, b: FactsRecord): number {
  return (
    a.facts.shard - b.facts.shard ||
    a.facts.seq - b.facts.seq ||
    (a.where < b.where ? -1 : Number(a.where > b.where))
  );
}

function* readRun(path: string): Generator<FactsRecord> {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(READ_SIZE);
    let rest = Buffer.alloc(0);
    for (;;) {
      const length = readSync(file, chunk);
      if (length === 0) return;
      const bytes = Buffer.concat([rest, chunk.subarray(0, length)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      rest = bytes.subarray(end);
      for (const line of bytes.toString('utf8', 0, end).split('\n')) {
        if (line !== '') yield JSON.parse(line) as FactsRecord;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** The least head of several sorted sources on top. */
class Heap {
  private readonly items: { record: FactsRecord; source: Iterator<FactsRecord> }[] = [];

  pushFrom(source: Iterator<FactsRecord>): void {
    const next = source.next();
    if (next.done === true) return;
    this.items.push({ record: next.value, source });
    for (let i = this.items.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.swapIfLess(i, parent)) return;
      i = parent;
    }
  }

  pop(): FactsRecord | undefined {
    const top = this.items[0];
    if (top === undefined) return undefined;
    const { record, source } = top;
    const last = this.items.pop();
    if (last !== undefined && last !== top) {
      this.items[0] = last;
      this.sink();
    }
    this.pushFrom(source);
    return record;
  }

  private sink(): void {
    for (let i = 0; ;) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        const [a, b] = [this.items[child], this.items[least]];
        if (a !== undefined && b !== undefined && compare(a.record, b.record) < 0) least = child;
      }
      if (least === i) return;
      this.swapIfLess(least, i);
      i = least;
    }
  }

  private swapIfLess(lower: number, upper: number): boolean {
    const [a, b] = [this.items[lower], this.items[upper]];
    if (a === undefined || b === undefined || compare(a.record, b.record) >= 0) return false;
    this.items[lower] = b;
    this.items[upper] = a;
    return true;
  }
}
