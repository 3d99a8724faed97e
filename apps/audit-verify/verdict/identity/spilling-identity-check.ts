import {
  duplicateId,
  faultAt,
  hasIdentity,
  streamFault,
  type ChainFault,
  type EventFacts,
  type IdentityCheck,
} from '#evidence';
import { CompactTable } from './compact-table';
import { idKey, idOfKey, nameKey, spread, type Key128 } from './key-128';
import { type MakeSpill, type Spill } from './spill';

/** Events remembered in memory, in some 50 MB, before the rest is spilled. */
const DEFAULT_LIMIT = 300_000;

/** Numbers in a record: id (two of them), shard, seq. */
const ID_RECORD = 4;
/** Stream (two), id (two), shard, seq, version, skipped. */
const STREAM_RECORD = 8;

/** A stream's shard and last version as one number; a shard beyond 2^20 is told apart modulo that. */
const VERSIONS = 2 ** 33;
const SHARDS = 2 ** 20;

/**
 * The identity checks (unique ids, stream versions without gaps) of a chain of any length in bounded memory. Within the
 * limit faults come at once; beyond it the facts are spilled to partition files by hash, which `finish` checks one by one.
 */
export class SpillingIdentityCheck implements IdentityCheck {
  private ids = new CompactTable();
  private streams = new CompactTable();
  private readonly id: Key128 = new Int32Array(4);
  private readonly stream: Key128 = new Int32Array(4);
  private spill: { ids: Spill; streams: Spill } | undefined;

  /** @param complete the chain is read from position 1, so every stream must start with version 1 */
  constructor(
    private readonly makeSpill: MakeSpill,
    private readonly complete: boolean,
    private readonly limit = DEFAULT_LIMIT,
  ) {}

  see(facts: EventFacts, skipped: number): ChainFault[] {
    if (!hasIdentity(facts)) return [];
    const { shard, seq, streamVersion } = facts;
    idKey(facts.id, this.id);
    nameKey(facts.stream, this.stream);
    if (this.spill !== undefined) {
      writeId(this.spill.ids, this.id, shard, seq);
      writeStream(this.spill.streams, this.stream, this.id, shard, seq, streamVersion, skipped);
      return [];
    }
    const faults: ChainFault[] = [];
    if (this.ids.swap(this.id, 1) !== 0) faults.push(faultAt(facts, 'duplicate', duplicateId(facts.id)));
    const message = this.streamMessage(this.streams, this.stream, facts, skipped);
    if (message !== null) faults.push(faultAt(facts, 'stream', message));
    if (this.ids.size >= this.limit) this.spillAll();
    return faults;
  }

  finish(): ChainFault[] {
    const { spill } = this;
    if (spill === undefined) return [];
    this.spill = undefined;
    const faults: ChainFault[] = [];
    for (const records of spill.ids.read()) {
      const ids = new CompactTable();
      for (const { numbers, words, at } of records) {
        readKey(words, at * 2, this.id);
        if (ids.swap(this.id, 1) === 0) continue;
        const id = idOfKey(this.id);
        const [shard = 0, seq = 0] = numbers.subarray(at + 2, at + 4);
        faults.push(faultAt({ shard, seq, id }, 'duplicate', duplicateId(id)));
      }
    }
    for (const records of spill.streams.read()) {
      const streams = new CompactTable();
      for (const { numbers, words, at } of records) {
        readKey(words, at * 2, this.stream);
        const seq = numbers[at + 5] ?? 0;
        const facts = {
          shard: numbers[at + 4] ?? 0,
          // Only its hash was kept.
          stream: 'of this event',
          streamVersion: numbers[at + 6] ?? 0,
        };
        if (seq === 0) {
          streams.swap(this.stream, pack(facts));
          continue;
        }
        const message = this.streamMessage(streams, this.stream, facts, numbers[at + 7] ?? 0);
        if (message === null) continue;
        const id = idOfKey(readKey(words, at * 2 + 4, this.id));
        faults.push(faultAt({ shard: facts.shard, seq, id }, 'stream', message));
      }
    }
    return faults;
  }

  private streamMessage(
    streams: CompactTable,
    key: Key128,
    facts: Pick<EventFacts, 'shard' | 'stream' | 'streamVersion'>,
    skipped: number,
  ): string | null {
    const before = streams.swap(key, pack(facts));
    const last = before === 0 ? null : { shard: Math.floor(before / VERSIONS), version: before % VERSIONS };
    return streamFault(facts, last, skipped, this.complete);
  }

  /** Spills what is remembered; from now on everything goes there. */
  private spillAll(): void {
    const ids = this.makeSpill(ID_RECORD);
    const streams = this.makeSpill(STREAM_RECORD);
    // Position 0 stands for "seen before, checked already".
    for (const [key] of this.ids.entries()) writeId(ids, key, 0, 0);
    for (const [key, value] of this.streams.entries()) {
      writeStream(streams, key, NO_ID, Math.floor(value / VERSIONS), 0, value % VERSIONS, 0);
    }
    this.ids = new CompactTable();
    this.streams = new CompactTable();
    this.spill = { ids, streams };
  }
}

const NO_ID: Key128 = new Int32Array(4);

function pack({ shard, streamVersion }: Pick<EventFacts, 'shard' | 'streamVersion'>): number {
  return (shard % SHARDS) * VERSIONS + (streamVersion % VERSIONS);
}

function spreadOf(key: Key128): number {
  return spread(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0);
}

function writeId(into: Spill, id: Key128, shard: number, seq: number): void {
  const { numbers, words, at } = into.next(spreadOf(id));
  writeKey(words, at * 2, id);
  numbers[at + 2] = shard;
  numbers[at + 3] = seq;
}

function writeStream(
  into: Spill,
  stream: Key128,
  id: Key128,
  shard: number,
  seq: number,
  version: number,
  skipped: number,
): void {
  const { numbers, words, at } = into.next(spreadOf(stream));
  writeKey(words, at * 2, stream);
  writeKey(words, at * 2 + 4, id);
  numbers[at + 4] = shard;
  numbers[at + 5] = seq;
  numbers[at + 6] = version;
  numbers[at + 7] = skipped;
}

function writeKey(words: Int32Array, at: number, key: Key128): void {
  for (let i = 0; i < 4; i++) words[at + i] = key[i] ?? 0;
}

function readKey(words: Int32Array, at: number, into: Key128): Key128 {
  for (let i = 0; i < 4; i++) into[i] = words[at + i] ?? 0;
  return into;
}
