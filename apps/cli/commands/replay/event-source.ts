import { type StreamRecord } from '#platform/audit-stream';

/** Place from which a shard is continued. */
export interface ReplayHead {
  readonly shard: number;
  /** 0 before the first event. */
  readonly seq: number;
  /** The genesis value at 0. */
  readonly hash: string;
  /** Time of the event at `seq`; null at 0. */
  readonly ts: string | null;
}

/** Records of one shard, in the order of `seq` as far as the source can tell. */
export interface SourceBatch {
  readonly shard: number;
  readonly records: readonly StreamRecord[];
}

/** A source that events are read from again. Nothing that it gives has been checked. */
export interface EventSource {
  /** Name for a person: `the archive in /srv/archive`. */
  readonly name: string;
  /** Whether a record's cursor is one of the stream that the workers read, so that they can continue from it. */
  readonly isStream: boolean;

  /** Every registry event (docs/spec/signers.md, section 3), of all shards. May read the whole source. */
  registryEvents(): Promise<readonly Uint8Array[]>;

  /** Number of events behind these heads, when that is known. */
  count(behind: readonly ReplayHead[]): Promise<number | null>;

  /** Events behind the heads, until the source ends. @throws IntegrityFault for what is no event in its right place */
  events(behind: readonly ReplayHead[], signal: AbortSignal): AsyncIterable<SourceBatch>;

  close(): Promise<void>;
}
