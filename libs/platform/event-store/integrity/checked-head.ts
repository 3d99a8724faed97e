import { type AuditEvent, genesisHash } from '#evidence';
import { postgresError } from '#platform/postgres';
import { type HeadPosition } from '../append/append-state.sql';
import { type StoredEvent } from '../event-store.types';
import { type EventReader } from '../read/event-reader';
import { type CheckedReads, type Expected } from './checked-reads';
import { integrityError, type OnRowFault, type RowFault } from './row-fault';

export interface CheckedHeadOptions {
  readonly shard: number;
  readonly origin: string;
  readonly reader: EventReader;
  readonly checked: CheckedReads;
  readonly onFault: OnRowFault;
}

/**
 * Verifies a head of a shard that somebody else wrote, before anything is built on it: the database keeps the shape of the
 * chain, but not that its events are ours, and a signature on top of anything else would vouch for it.
 */
export class CheckedHead {
  constructor(private readonly options: CheckedHeadOptions) {}

  /** Looks the keys up again when what is known of them is old: before `isKnown` is asked. @throws PostgresError */
  async prepare(): Promise<void> {
    try {
      await this.options.checked.verifier?.prepare();
    } catch (cause) {
      throw postgresError(cause, 'unreachable');
    }
  }

  /**
   * Whether the head names this event (null: there is none), and the event is known to be this kernel's. Waits for nothing
   * but the processor: a writer that holds the head's row asks.
   */
  async isKnown(head: HeadPosition, event: StoredEvent | null): Promise<boolean> {
    const { checked } = this.options;
    if (checked.verifier === undefined) return true;
    if (head.seq === 0) return this.isGenesis(head);
    return event !== null && checked.areKnown([event], this.expected(head));
  }

  /** Verifies by all that can be looked up. @throws EventStoreError `integrity` when the head is not this kernel's */
  async verify(head: HeadPosition): Promise<void> {
    const { shard, origin, reader, checked } = this.options;
    if (checked.verifier === undefined) return;
    if (head.seq === 0) {
      if (this.isGenesis(head)) return;
      throw this.fault(`The empty shard ${shard} does not begin with the genesis value of ${origin}.`);
    }
    const events = await reader.read(shard, head.seq - 1, 1);
    if (events.length === 0)
      throw this.fault(`There is no event at ${shard}:${head.seq}, which the head names.`);
    await checked.check(events, this.expected(head), 'head');
  }

  private isGenesis({ hash }: HeadPosition): boolean {
    return hash === genesisHash(this.options.origin, this.options.shard);
  }

  private expected({ seq, hash }: HeadPosition): Expected {
    const { shard } = this.options;
    return {
      asked: `the head of shard ${shard} at ${seq}`,
      fits: (event: AuditEvent) => event.shard === shard && event.seq === seq && event.hash === hash,
    };
  }

  private fault(message: string): Error {
    const fault: RowFault = { where: 'head', message };
    this.options.onFault(fault);
    return integrityError(fault);
  }
}
