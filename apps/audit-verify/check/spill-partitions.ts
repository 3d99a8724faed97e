import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type TemporaryFolder } from './temporary-folder';

/** Each partition is later read into memory alone. */
const PARTITIONS = 64;
const BUFFERED = 512;

/** A record of 8-byte numbers, seen as numbers or as pairs of 32-bit words: index with `at`, or twice that for words. */
export interface SpillRecord {
  numbers: Float64Array;
  words: Int32Array;
  at: number;
}

interface Partition extends SpillRecord {
  file: number;
  bytes: Uint8Array;
}

/** Records of one size, spread over files by a hash; a file gives them back in the order they came. */
export class SpillPartitions {
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

  /** Room for one record, to be written before the next call. @param hash 32 bits, the high ones choose the partition */
  next(hash: number): SpillRecord {
    const partition = this.partitions[(hash >>> 26) % PARTITIONS] as Partition;
    partition.at += this.size;
    if (partition.at === partition.numbers.length) {
      this.flush(partition);
      partition.at = 0;
    }
    return partition;
  }

  /** Gives one partition after the other, each as its records in order. */
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
