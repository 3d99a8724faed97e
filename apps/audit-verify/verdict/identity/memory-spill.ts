import { PARTITIONS, partitionOf, type Spill, type SpillRecord } from './spill';

/** Records in a block of a partition. */
const BLOCK = 512;

interface Block {
  numbers: Float64Array;
  words: Int32Array;
}

interface Partition extends SpillRecord {
  blocks: Block[];
}

/** Partitions in memory, for where there are no files. */
export class MemorySpill implements Spill {
  private readonly partitions: Partition[] = Array.from({ length: PARTITIONS }, () => ({
    blocks: [],
    numbers: new Float64Array(0),
    words: new Int32Array(0),
    at: 0,
  }));

  /** @param size numbers in a record */
  constructor(private readonly size: number) {}

  next(hash: number): SpillRecord {
    const partition = this.partitions[partitionOf(hash)] as Partition;
    partition.at += this.size;
    if (partition.at < partition.numbers.length) return partition;
    const buffer = new ArrayBuffer(this.size * 8 * BLOCK);
    const block = { numbers: new Float64Array(buffer), words: new Int32Array(buffer) };
    partition.blocks.push(block);
    return Object.assign(partition, block, { at: 0 });
  }

  *read(): Generator<Iterable<SpillRecord>> {
    for (const partition of this.partitions) {
      yield this.records(partition);
      partition.blocks = [];
    }
  }

  private *records({ blocks, at: last }: Partition): Generator<SpillRecord> {
    for (const [i, block] of blocks.entries()) {
      const end = i === blocks.length - 1 ? last + this.size : block.numbers.length;
      for (const record = { ...block, at: 0 }; record.at < end; record.at += this.size) yield record;
    }
  }
}
