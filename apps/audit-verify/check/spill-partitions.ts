import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { type TemporaryFolder } from './temporary-folder';

/** Each partition is later read into memory alone. */
const PARTITIONS = 64;
const BUFFERED = 1_024;

interface Partition {
  path: string;
  file: number;
  buffer: Buffer;
  filled: number;
}

/** Records of one size, spread over files by a hash; a file gives them back in the order they came. */
export class SpillPartitions {
  private readonly partitions: Partition[];

  constructor(
    folder: TemporaryFolder,
    private readonly recordSize: number,
  ) {
    this.partitions = Array.from({ length: PARTITIONS }, () => {
      const path = folder.file();
      return { path, file: openSync(path, 'w+'), buffer: Buffer.alloc(recordSize * BUFFERED), filled: 0 };
    });
  }

  /** Room for one record, to be written at once. @param hash 32 bits, the high ones choose the partition */
  next(hash: number): { buffer: Buffer; at: number } {
    const partition = this.partitions[(hash >>> 26) % PARTITIONS] as Partition;
    if (partition.filled === partition.buffer.length) flush(partition);
    const at = partition.filled;
    partition.filled += this.recordSize;
    return { buffer: partition.buffer, at };
  }

  /** Gives one partition after the other, each as its records in order. */
  *read(): Generator<Iterable<{ buffer: Buffer; at: number }>> {
    for (const partition of this.partitions) {
      flush(partition);
      yield this.records(partition);
      closeSync(partition.file);
    }
  }

  private *records({ file, buffer }: Partition): Generator<{ buffer: Buffer; at: number }> {
    for (let position = 0; ;) {
      const length = readSync(file, buffer, 0, buffer.length, position);
      for (let at = 0; at < length; at += this.recordSize) yield { buffer, at };
      if (length === 0) return;
      position += length;
    }
  }
}

function flush(partition: Partition): void {
  for (let at = 0; at < partition.filled;) {
    at += writeSync(partition.file, partition.buffer, at, partition.filled - at);
  }
  partition.filled = 0;
}
