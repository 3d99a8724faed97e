import { type S3Location } from '../sources/s3-location';

/** A piece of work for a worker thread: where its events are. Workers read for themselves, so that reading is parallel. */
export type Task =
  /** The lines that begin in [start, end) of a file. */
  | { kind: 'lines'; path: string; start: number; end: number }
  /** Whole files of an archive folder. */
  | { kind: 'files'; root: string; paths: string[] }
  /** Objects of an archive in a bucket. */
  | { kind: 'objects'; location: S3Location; keys: string[] }
  /** Rows of kernel.events, both ends included. */
  | { kind: 'rows'; url: string; shard: number; first: number; last: number };
