import { type AuditEvent } from '#evidence';
import { type FollowedFilter } from '../read/event-query.sql';
import { type StoredEvent } from '../event-store.types';
import { signedDigest } from '../read/signed-digest';
import { integrityError, type RowFault, type OnRowFault } from './row-fault';

/** Decides whether events are this kernel's own. */
export abstract class EventVerifier {
  /** Division of an event as the kernel would store it: the one filter that is not a member of the event. */
  abstract divisionOf(event: AuditEvent): string | null;
  /**
   * Looks the keys up again when what is known of them is old: before events are verified without a look.
   * @throws when they cannot be looked up
   */
  abstract prepare(): Promise<void>;
  /**
   * Checks format, hash, signature, and that the key was valid there.
   * @param how `lookUp: false`: judges by the keys that are known, and waits for nothing but the processor: for a caller that
   * holds what a look-up may have to wait for
   * @returns what is wrong with the first event that is not this kernel's, or null
   */
  abstract verify(events: readonly StoredEvent[], how?: { lookUp: boolean }): Promise<string | null>;
}

/** What was asked for, for the message, and whether an event is that. */
export interface Expected {
  readonly asked: string;
  readonly fits: (event: AuditEvent, at: number) => boolean;
}

/**
 * Checks rows before anything rests on them: columns decide which rows are found, and whoever can write to the
 * database writes columns as they like. So the event itself has to be what was asked for, and has to be genuine.
 */
export class CheckedReads {
  constructor(
    private readonly where: 'event' | 'index',
    /** Without one nothing is checked: for readers that verify the whole chain themselves. */
    readonly verifier: EventVerifier | undefined,
    private readonly onFault: OnRowFault = () => undefined,
  ) {}

  /** @returns the events @throws EventStoreError `integrity` */
  async check<E extends readonly StoredEvent[]>(
    events: E,
    { asked, fits }: Expected,
    where: RowFault['where'] = this.where,
  ): Promise<E> {
    if (this.verifier === undefined || events.length === 0) return events;
    const wrong = await this.verifier.verify(events);
    if (wrong !== null)
      throw this.fault({ where, message: `A row found as ${asked} is no event of this kernel: ${wrong}.` });
    const other = events.find(({ event }, at) => !fits(event, at));
    if (other !== undefined) {
      const { id, shard, seq } = other.event;
      throw this.fault({
        where,
        message: `A row found as ${asked} holds another event: ${id} at ${shard}:${seq}.`,
      });
    }
    return events;
  }

  /**
   * Whether the events are known to be genuine and what was asked for. Looks nothing up and tells nobody: when they are not,
   * `check` says why.
   */
  async areKnown(events: readonly StoredEvent[], { fits }: Expected): Promise<boolean> {
    if (this.verifier === undefined) return true;
    const wrong = await this.verifier.verify(events, { lookUp: false });
    return wrong === null && events.every(({ event }, at) => fits(event, at));
  }

  /** Whether an event matches a query: its own members decide, not the columns that found it. */
  matching(filter: FollowedFilter): Expected {
    const { stream, type, types, actor, division, from, to, sha256, signerKid, correlationId, subject } =
      filter;
    return {
      asked: `a match of ${JSON.stringify(filter)}`,
      fits: (event) =>
        (stream === undefined || event.stream === stream) &&
        (type === undefined || event.type === type) &&
        (types === undefined || types.includes(event.type)) &&
        (actor === undefined || event.actor.id === actor) &&
        (division === undefined || this.verifier?.divisionOf(event) === division) &&
        (sha256 === undefined || signedDigest(event) === sha256) &&
        (signerKid === undefined || event.signerKid === signerKid) &&
        (correlationId === undefined || event.correlationId?.toLowerCase() === correlationId) &&
        (subject === undefined || event.stream.startsWith(subject)) &&
        (from === undefined || event.ts >= from) &&
        (to === undefined || event.ts < to),
    };
  }

  private fault(fault: RowFault): Error {
    this.onFault(fault);
    return integrityError(fault);
  }
}
