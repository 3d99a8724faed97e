/** A record of 8-byte numbers, seen as numbers or as pairs of 32-bit words: index with `at`, or twice that for words. */
export interface SpillRecord {
  numbers: Float64Array;
  words: Int32Array;
  at: number;
}

/** Records of one size, spread over partitions by a hash, each of which gives them back in the order they came. */
export interface Spill {
  /** Room for one record, to be written before the next call. @param hash 32 bits, the high ones choose the partition */
  next(hash: number): SpillRecord;
  /** Gives one partition after the other, each as its records in order. */
  read(): Iterable<Iterable<SpillRecord>>;
}

/** @param size numbers in a record */
export type MakeSpill = (size: number) => Spill;

export const PARTITIONS = 64;

/** The partition of a record. @param hash 32 bits */
export function partitionOf(hash: number): number {
  return (hash >>> 26) % PARTITIONS;
}
