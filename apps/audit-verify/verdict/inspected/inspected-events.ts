import { type AuditEvent, type ChainFault, type EventFacts } from '#evidence';

/** What those who inspect events one by one need to know. */
export interface InspectionSetup {
  origin: string;
  /** Raw public keys by kid. */
  keys: [kid: string, raw: Uint8Array][];
  checkSignatures: boolean;
  /** Leave out events of other shards. */
  shard: number | null;
  /** Shards of whose events the leaves of the log's tree are wanted, and up to which position. */
  leaves: [shard: number, upTo: number][];
  /** Events before this position are read, but their signatures are not checked. */
  from: number;
}

/**
 * The facts of many events, packed: a few long strings and arrays cross a thread boundary far faster than an object per
 * event. Every text but the stream has a fixed length.
 */
export interface PackedFacts {
  count: number;
  shard: Float64Array;
  seq: Float64Array;
  streamVersion: Float64Array;
  id: string;
  ts: string;
  hash: string;
  prevHash: string;
  /** Leaf hashes of the log in hex, of all events or, when nobody wants them, of none. */
  leaf: string;
  /** Index into kids. */
  kid: Uint32Array;
  kids: string[];
  /** Joined by line feeds, which no stream holds. */
  streams: string;
}

/** What is special about an event: most are not. */
export interface Oddity {
  /** How many packed events come before it. */
  before: number;
  /** Facts that do not fit the packed form, of an event whose format is wrong; null when nothing can be read. */
  facts: EventFacts | null;
  faults: ChainFault[];
  /** Line in the task, from 0, or path, or row. */
  where: string | number;
}

export interface TaskResult {
  facts: PackedFacts;
  /** Faults of packed events, by index, in order. */
  faults: [index: number, faults: ChainFault[]][];
  /** Events that are not packed, in order. */
  odd: Oddity[];
  /** Sound events that speak for the key registry, of all shards. */
  registry: AuditEvent[];
  /** Lines, files or rows looked at. */
  items: number;
  /** Size of what was read, for the progress bar. */
  bytes: number;
}

export const ID_LENGTH = 36;
export const TS_LENGTH = 24;
export const HASH_LENGTH = 64;
