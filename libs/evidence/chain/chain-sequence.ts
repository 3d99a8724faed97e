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
  genesisHash(this: void, shard: number): string;
  identity: IdentityCheck;
  /** First position to check, default 1; earlier events only provide the link. */
  from?: number;
  /** Positions may come late: `finish` reports an unfilled gap. Otherwise a gap is reported when it shows. */
  lateArrivals?: boolean;
}

/** Gaps of a shard that are remembered, so that filling one late is a fault of order and not a duplicate. */
const MAX_OPEN_GAPS = 1_000;

const NO_FAULTS: readonly ChainFault[] = [];

/** Missing positions, with the open links at their ends. */
interface OpenGap {
  first: number;
  last: number;
  hashBefore: string | null;
  prevHashAfter: string;
}

interface ShardState {
  head: ShardHead | null;
  next: number;
  /** Hash that the event at `next` must link to; null when unknown. */
  link: string | null;
  gaps: OpenGap[];
  /** Positions skipped so far, filled late or not: they may explain a jump in a stream. */
  skipped: number;
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

  accept(facts: EventFacts): readonly ChainFault[] {
    const state = this.stateOf(facts.shard);
    const { shard, seq, hash, id } = facts;
    if (seq < this.from) {
      if (seq === this.from - 1) state.link = hash;
      return NO_FAULTS;
    }
    if (seq < state.next) return this.acceptLate(state, facts);
    const faults: ChainFault[] = [];
    if (seq > state.next) this.openGap(state, facts, faults);
    else if (state.link !== null && facts.prevHash !== state.link) {
      faults.push(faultAt(facts, 'link', wrongLink(facts, state.link)));
    }
    const before = state.head?.ts ?? '';
    if (facts.ts !== '' && facts.ts < before) {
      faults.push(faultAt(facts, 'time', `ts ${facts.ts} is earlier than ${before} of the event before it`));
    }
    faults.push(...this.options.identity.see(facts, state.skipped));
    state.head = { shard, seq, hash, ts: facts.ts === '' ? before : facts.ts, id };
    state.next = seq + 1;
    state.link = hash;
    return faults;
  }

  finish(): ChainFault[] {
    const faults = this.options.identity.finish();
    if (!this.lateArrivals) return faults;
    for (const [shard, state] of this.shards) {
      for (const gap of state.gaps) faults.push(gapFault(shard, gap));
    }
    return faults;
  }

  private openGap(state: ShardState, facts: EventFacts, faults: ChainFault[]): void {
    const gap: OpenGap = {
      first: state.next,
      last: facts.seq - 1,
      hashBefore: state.link,
      prevHashAfter: facts.prevHash,
    };
    state.skipped += gap.last - gap.first + 1;
    const remembered = state.gaps.length < MAX_OPEN_GAPS;
    if (remembered) state.gaps.push(gap);
    if (!remembered || !this.lateArrivals) faults.push(gapFault(facts.shard, gap));
  }

  /** An event whose position lies behind the head: it fills a gap, or its position was there before. */
  private acceptLate(state: ShardState, facts: EventFacts): ChainFault[] {
    const { seq, shard, hash } = facts;
    const at = state.gaps.findIndex(({ first, last }) => first <= seq && seq <= last);
    const gap = state.gaps[at];
    if (gap === undefined) {
      const forked = state.head?.seq === seq && state.head.hash !== hash;
      const message = forked
        ? `position ${shard}:${seq} is taken by event ${state.head?.id}: the chain forks here`
        : `position ${shard}:${seq} occurs again`;
      return [faultAt(facts, 'duplicate', message)];
    }
    const faults = [faultAt(facts, 'order', `it comes after position ${shard}:${state.next - 1}`)];
    if (gap.first === seq && gap.hashBefore !== null && facts.prevHash !== gap.hashBefore) {
      faults.push(faultAt(facts, 'link', wrongLink(facts, gap.hashBefore)));
    }
    if (gap.last === seq && hash !== gap.prevHashAfter) {
      const message = `its hash is ${hash}, but the event after it has prevHash ${gap.prevHashAfter}`;
      faults.push(faultAt(facts, 'link', message));
    }
    const rest: OpenGap[] = [];
    if (gap.first < seq) rest.push({ ...gap, last: seq - 1, prevHashAfter: facts.prevHash });
    if (seq < gap.last) rest.push({ ...gap, first: seq + 1, hashBefore: hash });
    state.gaps.splice(at, 1, ...rest);
    return faults;
  }

  private stateOf(shard: number): ShardState {
    let state = this.shards.get(shard);
    if (state === undefined) {
      const link = this.from === 1 ? this.options.genesisHash(shard) : null;
      state = { head: null, next: this.from, link, gaps: [], skipped: 0 };
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

function gapFault(shard: number, { first, last }: OpenGap): ChainFault {
  const message =
    first === last
      ? `position ${shard}:${first} is missing`
      : `positions ${shard}:${first} to ${shard}:${last} are missing`;
  return { code: 'gap', shard, seq: first, id: null, message };
}
