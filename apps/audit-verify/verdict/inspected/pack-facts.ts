import {
  hexEncode,
  isRegistryEvent,
  leafHash,
  type AuditEvent,
  type ChainFault,
  type EventFacts,
  type Inspection,
} from '#evidence';
import {
  HASH_LENGTH,
  ID_LENGTH,
  type Oddity,
  type PackedFacts,
  type TaskResult,
  TS_LENGTH,
  type InspectionSetup,
} from './inspected-events';

const FIRST_CAPACITY = 2_048;
const utf8 = new TextEncoder();
/** In the place of a leaf that nobody wants. */
const NO_LEAF = '0'.repeat(HASH_LENGTH);

function hexLeaf(bytes: Uint8Array | string): string {
  return hexEncode(leafHash(typeof bytes === 'string' ? utf8.encode(bytes) : bytes));
}

/** Collects inspected events into a TaskResult. */
export class FactsPacker {
  private count = 0;
  private shard = new Float64Array(FIRST_CAPACITY);
  private seq = new Float64Array(FIRST_CAPACITY);
  private streamVersion = new Float64Array(FIRST_CAPACITY);
  private kid = new Uint32Array(FIRST_CAPACITY);
  private id = '';
  private ts = '';
  private hash = '';
  private prevHash = '';
  private streams = '';
  private leaf = '';
  private readonly leaves: ReadonlyMap<number, number>;
  private readonly kids = new Map<string, number>();
  private readonly faults: [number, ChainFault[]][] = [];
  private readonly odd: Oddity[] = [];
  private readonly registry: AuditEvent[] = [];
  private items = 0;
  private bytes = 0;

  /**
   * @param onlyShard leaves out events of other shards, except for what they say about keys
   * @param leaves see InspectionSetup
   */
  constructor(
    private readonly onlyShard: number | null,
    leaves: InspectionSetup['leaves'] = [],
  ) {
    this.leaves = new Map(leaves);
  }

  /**
   * @param where see Oddity
   * @param read the bytes that were inspected
   * @param bytes how many count for the progress bar
   */
  add(
    { facts, event, formatted, faults }: Inspection,
    where: string | number,
    read: Uint8Array | string,
    bytes: number,
  ): void {
    this.items++;
    this.bytes += bytes;
    if (event !== null && faults.length === 0 && isRegistryEvent(event)) this.registry.push(event);
    if (this.onlyShard !== null && facts !== null && facts.shard !== this.onlyShard) return;
    if (facts === null || !formatted) {
      this.odd.push({ before: this.count, facts, faults, where });
      return;
    }
    const i = this.count++;
    if (i >= this.shard.length) this.grow();
    this.shard[i] = facts.shard;
    this.seq[i] = facts.seq;
    this.streamVersion[i] = facts.streamVersion;
    this.id += facts.id;
    this.ts += facts.ts;
    this.hash += facts.hash;
    this.prevHash += facts.prevHash;
    this.streams += i === 0 ? facts.stream : `\n${facts.stream}`;
    if (this.leaves.size > 0) {
      const wanted = facts.seq <= (this.leaves.get(facts.shard) ?? 0);
      this.leaf += wanted ? hexLeaf(read) : NO_LEAF;
    }
    let kid = this.kids.get(facts.signerKid);
    if (kid === undefined) {
      kid = this.kids.size;
      this.kids.set(facts.signerKid, kid);
    }
    this.kid[i] = kid;
    if (faults.length > 0) this.faults.push([i, faults]);
  }

  result(): TaskResult {
    const { count, id, ts, hash, prevHash, leaf, streams, faults, odd, registry, items, bytes } = this;
    return {
      facts: {
        count,
        shard: this.shard.slice(0, count),
        seq: this.seq.slice(0, count),
        streamVersion: this.streamVersion.slice(0, count),
        id,
        ts,
        hash,
        prevHash,
        leaf,
        kid: this.kid.slice(0, count),
        kids: [...this.kids.keys()],
        streams,
      },
      faults,
      odd,
      registry,
      items,
      bytes,
    };
  }

  private grow(): void {
    const bigger = <T extends Float64Array | Uint32Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    const length = this.shard.length * 2;
    this.shard = bigger(this.shard, new Float64Array(length));
    this.seq = bigger(this.seq, new Float64Array(length));
    this.streamVersion = bigger(this.streamVersion, new Float64Array(length));
    this.kid = bigger(this.kid, new Uint32Array(length));
  }
}

/** Takes packed facts apart, one after the other. */
export class FactsReader {
  private readonly streams: string[];

  constructor(private readonly packed: PackedFacts) {
    this.streams = packed.streams.split('\n');
  }

  /** Leaf hash in hex; null when it was not wanted. */
  leafAt(i: number): string | null {
    const leaf = this.packed.leaf.slice(i * HASH_LENGTH, (i + 1) * HASH_LENGTH);
    return leaf === '' || leaf === NO_LEAF ? null : leaf;
  }

  at(i: number): EventFacts {
    const { packed } = this;
    return {
      shard: packed.shard[i] ?? 0,
      seq: packed.seq[i] ?? 0,
      id: packed.id.slice(i * ID_LENGTH, (i + 1) * ID_LENGTH),
      ts: packed.ts.slice(i * TS_LENGTH, (i + 1) * TS_LENGTH),
      stream: this.streams[i] ?? '',
      streamVersion: packed.streamVersion[i] ?? 0,
      signerKid: packed.kids[packed.kid[i] ?? 0] ?? '',
      prevHash: packed.prevHash.slice(i * HASH_LENGTH, (i + 1) * HASH_LENGTH),
      hash: packed.hash.slice(i * HASH_LENGTH, (i + 1) * HASH_LENGTH),
    };
  }
}
