import { faultAt, type ChainFault, type EventFacts } from './chain-fault';
import { type IdentityCheck } from './identity-check';

export interface ShardHead {
  shard: number;
  /** Highest position read. */
  seq: number;
  hash: string;
  ts: string;
  id: string;
}

export interface ChainSequenceOptions {
  genesisHash(shard: number): string;
  identity: IdentityCheck;
  /** First position to check, default 1; what comes before only gives the link. */
  from?: number;
  /**
   * Positions may come late: a gap is reported by `finish`, and what fills it is a fault of order. Without it a gap is
   * reported as soon as it shows.
   */
  lateArrivals?: boolean;
}

/** Missing positions, with the links that stand open at their ends. */
interface Missing {
  first: number;
  last: number;
  hashBefore: string | null;
  prevHashAfter: string;
}

interface ShardState {
  head: ShardHead | null;
  next: number;
  /** Hash that the event at `next` must link to; null when it is not known. */
  link: string | null;
  missing: Missing[];
  missingCount: number;
}

/** The checks between events: position, link, time, stream. Facts of one shard come in the order of the source. */
export class ChainSequence {
  private readonly shards = new Map<number, ShardState>();
  private readonly from: number;
  private readonly lateArrivals: boolean;

  constructor(private readonly options: ChainSequenceOptions) {
    this.from = options.from ?? 1;
    this.lateArrivals = options.lateArrivals ?? false;
  }

  /** Sets the hash that the first event of a shard must link to, when it does not start at position 1. */
  setPredecessor(shard: number, hash: string): void {
    this.stateOf(shard).link = hash;
  }

  heads(): ShardHead[] {
    return [...this.shards.values()].flatMap(({ head }) => head ?? []).sort((a, b) => a.shard - b.shard);
  }

  accept(facts: EventFacts): ChainFault[] {
    const faults: ChainFault[] = [];
    const state = this.stateOf(facts.shard);
    const { seq } = facts;
    if (seq < this.from) {
      if (seq === this.from - 1) state.link = facts.hash;
      return faults;
    }
    if (seq < state.next) {
      this.late(state, facts, faults);
      return faults;
    }
    if (seq > state.next) {
      const missing = {
        first: state.next,
        last: seq - 1,
        hashBefore: state.link,
        prevHashAfter: facts.prevHash,
      };
      state.missingCount += missing.last - missing.first + 1;
      if (this.lateArrivals || state.missing.length === 0) state.missing.push(missing);
      if (!this.lateArrivals) faults.push(gap(facts.shard, missing));
    } else if (state.link !== null && facts.prevHash !== state.link) {
      faults.push(faultAt(facts, 'link', wrongLink(facts, state.link)));
    }
    if (state.head !== null && facts.ts < state.head.ts) {
      faults.push(
        faultAt(facts, 'time', `ts ${facts.ts} is earlier than ${state.head.ts} of the event before it`),
      );
    }
    faults.push(...this.options.identity.see(facts, state.missingCount));
    const { shard, hash, ts, id } = facts;
    state.head = { shard, seq, hash, ts, id };
    state.next = seq + 1;
    state.link = hash;
    return faults;
  }

  finish(): ChainFault[] {
    const faults = this.options.identity.finish();
    if (!this.lateArrivals) return faults;
    for (const [shard, state] of this.shards) {
      for (const missing of state.missing) faults.push(gap(shard, missing));
    }
    return faults;
  }

  private late(state: ShardState, facts: EventFacts, faults: ChainFault[]): void {
    const { seq } = facts;
    const at = state.missing.findIndex(({ first, last }) => first <= seq && seq <= last);
    const missing = state.missing[at];
    if (missing === undefined) {
      const again =
        state.head?.seq === seq && state.head.hash !== facts.hash
          ? `position ${facts.shard}:${seq} is taken by event ${state.head.id}: the chain forks here`
          : `position ${facts.shard}:${seq} occurs again`;
      faults.push(faultAt(facts, 'duplicate', again));
      return;
    }
    const after = state.head === null ? '' : ` ${facts.shard}:${state.head.seq}`;
    faults.push(faultAt(facts, 'order', `comes after position${after}`));
    if (missing.first === seq && missing.hashBefore !== null && facts.prevHash !== missing.hashBefore) {
      faults.push(faultAt(facts, 'link', wrongLink(facts, missing.hashBefore)));
    }
    if (missing.last === seq && facts.hash !== missing.prevHashAfter) {
      faults.push(
        faultAt(
          facts,
          'link',
          `its hash is ${facts.hash}, but the next event has prevHash ${missing.prevHashAfter}`,
        ),
      );
    }
    const rest: Missing[] = [];
    if (missing.first < seq) rest.push({ ...missing, last: seq - 1, prevHashAfter: facts.prevHash });
    if (seq < missing.last) rest.push({ ...missing, first: seq + 1, hashBefore: facts.hash });
    state.missing.splice(at, 1, ...rest);
    state.missingCount--;
  }

  private stateOf(shard: number): ShardState {
    let state = this.shards.get(shard);
    if (state === undefined) {
      const link = this.from === 1 ? this.options.genesisHash(shard) : null;
      state = { head: null, next: this.from, link, missing: [], missingCount: 0 };
      this.shards.set(shard, state);
    }
    return state;
  }
}

function wrongLink(facts: EventFacts, expected: string): string {
  return facts.seq === 1
    ? `prevHash is ${facts.prevHash}, the genesis value of this origin and shard is ${expected}`
    : `prevHash is ${facts.prevHash}, the event before it has hash ${expected}`;
}

function gap(shard: number, { first, last }: Missing): ChainFault {
  const what =
    first === last
      ? `position ${shard}:${first} is missing`
      : `positions ${shard}:${first} to ${shard}:${last} are missing`;
  return { code: 'gap', shard, seq: first, id: null, message: what };
}
