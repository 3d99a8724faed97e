import { type AuditEvent } from '#evidence';
import { type EventStore } from '../event-store';

/** A stream's state, and the version that it was folded up to. */
export interface Folded<S> {
  state: S;
  version: number;
}

/** Number of states kept; a few kilobytes each. */
const MAX_KEPT = 1_000;

/**
 * States of streams, folded from the event store. Each load asks the store for the events after the kept version, so an
 * account with ten thousand entries costs no more than one with ten, and no state is ever older than the store.
 */
export class FoldedStreams<S> {
  private readonly kept = new Map<string, Folded<S>>();

  constructor(
    private readonly store: Pick<EventStore, 'loadStream'>,
    private readonly initial: S,
    private readonly evolve: (state: S, event: AuditEvent) => S,
    private readonly maxKept = MAX_KEPT,
  ) {}

  async load(stream: string): Promise<Folded<S>> {
    const before = this.kept.get(stream) ?? { state: this.initial, version: 0 };
    const news = await this.store.loadStream(stream, { fromVersion: before.version + 1 });
    const folded = {
      state: news.reduce((state, { event }) => this.evolve(state, event), before.state),
      version: news.at(-1)?.event.streamVersion ?? before.version,
    };
    if (folded.version > 0) this.keep(stream, folded);
    return folded;
  }

  private keep(stream: string, folded: Folded<S>): void {
    // Another load may have read further meanwhile.
    const other = this.kept.get(stream);
    this.kept.delete(stream);
    this.kept.set(stream, other !== undefined && other.version > folded.version ? other : folded);
    if (this.kept.size <= this.maxKept) return;
    const [oldest] = this.kept.keys();
    if (oldest !== undefined) this.kept.delete(oldest);
  }
}
