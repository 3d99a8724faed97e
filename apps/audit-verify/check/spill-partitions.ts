import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type Spill, type SpillRecord, PARTITIONS, partitionOf } from '../verdict/identity/spill';
import { type TemporaryFolder } from './temporary-folder';

/** Records in a partition's buffer. */
const BUFFERED = 512;

interface Partition extends SpillRecord {
  file: number;
  bytes: Uint8Array;
}

/** Partitions in files: each is later read into memory alone. */
export class SpillPartitions implements Spill {
  private readonly partitions: Partition[];

  /** @param size numbers in a record */
  constructor(
    folder: TemporaryFolder,
    private readonly size: number,
  ) {
    this.partitions = Array.from({ length: PARTITIONS }, () => {
      const buffer = new ArrayBuffer(size * 8 * BUFFERED);
      return {
        file: openSync(folder.file(), 'w+'),
        numbers: new Float64Array(buffer),
        words: new Int32Array(buffer),
        bytes: new Uint8Array(buffer),
        at: -size,
      };
    });
  }

  next(hash: number): SpillRecord {
    const partition = this.partitions[partitionOf(hash)] as Partition;
    partition.at += this.size;
    if (partition.at === partition.numbers.length) {
      this.flush(partition);
      partition.at = 0;
    }
    return partition;
  }

  *read(): Generator<Iterable<SpillRecord>> {
    for (const partition of this.partitions) {
      partition.at += this.size;
      this.flush(partition);
      yield this.records(partition);
      closeSync(partition.file);
    }
  }

  private *records(partition: Partition): Generator<SpillRecord> {
    const { file, bytes } = partition;
    for (let position = 0; ;) {
      let length = 0;
      for (let read = -1; read !== 0 && length < bytes.length; length += read) {
        read = readSync(file, bytes, length, bytes.length - length, position + length);
      }
      for (partition.at = 0; partition.at * 8 < length; partition.at += this.size) yield partition;
      if (length < bytes.length) return;
      position += length;
    }
  }

  private flush({ file, bytes, at }: Partition): void {
    for (let done = 0; done < at * 8;) done += writeSync(file, bytes, done, at * 8 - done);
  }
}
