import { faultAt, type ChainFault, type EventFacts } from './chain-fault';

/**
 * Checks that must remember something about every event: ids are unique, versions of a stream have no gap.
 * An implementation may answer at once or at the end.
 */
export interface IdentityCheck {
  /** @param skipped number of positions of the shard skipped so far: they may explain a jump */
  see(facts: EventFacts, skipped: number): readonly ChainFault[];
  finish(): ChainFault[];
}

/** Remembers everything in memory; for chains that fit. */
export class IdentityCheckInMemory implements IdentityCheck {
  private readonly ids = new Set<string>();
  private readonly streams = new Map<string, { shard: number; version: number }>();

  /** @param complete the chain is read from position 1, so every stream must start with version 1. */
  constructor(private readonly complete: boolean) {}

  see(facts: EventFacts, skipped: number): ChainFault[] {
    const faults: ChainFault[] = [];
    if (!hasIdentity(facts)) return faults;
    if (this.ids.has(facts.id)) faults.push(faultAt(facts, 'duplicate', duplicateId(facts.id)));
    this.ids.add(facts.id);
    const last = this.streams.get(facts.stream);
    const message = streamFault(facts, last ?? null, skipped, this.complete);
    if (message !== null) faults.push(faultAt(facts, 'stream', message));
    this.streams.set(facts.stream, { shard: facts.shard, version: facts.streamVersion });
    return faults;
  }

  finish(): ChainFault[] {
    return [];
  }
}

/** An event whose format is wrong may lack an id or its place in a stream. */
export function hasIdentity({ id, stream, streamVersion }: EventFacts): boolean {
  return id !== '' && stream !== '' && streamVersion > 0;
}

export function duplicateId(id: string): string {
  return `the id ${id} occurs at an earlier position too`;
}

/** What is wrong with an event's place in its stream, or null. */
export function streamFault(
  facts: Pick<EventFacts, 'shard' | 'stream' | 'streamVersion'>,
  last: { shard: number; version: number } | null,
  skipped: number,
  complete: boolean,
): string | null {
  const { shard, stream, streamVersion } = facts;
  if (last !== null && last.shard !== shard) {
    return `stream ${stream} is in shard ${last.shard} and in shard ${shard}`;
  }
  if (last === null && !complete) return null;
  const before = last?.version ?? 0;
  if (streamVersion === before + 1) return null;
  const jump = streamVersion - before - 1;
  if (jump > 0 && jump <= skipped) return null;
  return `stream ${stream} has version ${streamVersion} here, expected ${before + 1}`;
}
