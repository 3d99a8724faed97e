import { Injectable } from '@nestjs/common';
import { type Actor, type JsonObject } from '#evidence';
import { EventStore, KERNEL_ACTOR } from '#platform/event-store';
import { GrowingPause } from '#platform/resilience';
import { PeopleError } from '../domain/people.error';
import { type MappedRoles } from '../domain/role-claims';
import { type Person, principalIdOf, type SessionTimes } from '../domain/person-session';
import { ChainOpen } from '../people.ports';
import { PeopleMetrics } from '../people.metrics';

export type SessionEnd =
  | 'signed_out'
  | 'revoked'
  | 'idle'
  | 'too_old'
  | 'signed_out_at_provider'
  | 'refused_by_provider'
  | 'too_many'
  | 'replaced'
  | 'not_kept';

/** Ends that wait to be recorded while nothing can be signed. */
const MOST_WAITING = 10_000;
/** Refusals that go into the chain in a minute: anyone can cause them, and the chain is for ever. */
const REFUSALS_A_MINUTE = 30;
const MINUTE_MS = 60_000;

interface Ended {
  readonly id: string;
  readonly why: SessionEnd;
  readonly actor: Actor;
}

/**
 * Records in the chain who signed in, who was refused and which sessions ended. A session that cannot be recorded is not
 * opened; an end is in force first and recorded as soon as possible. No token and no cookie is in an event.
 */
@Injectable()
export class SessionRecords {
  private readonly waiting: Ended[] = [];
  private running: Promise<void> | undefined;
  private readonly stopped = new AbortController();
  private refusals = { since: 0, count: 0 };

  constructor(
    private readonly events: EventStore,
    private readonly chain: ChainOpen,
    private readonly metrics: PeopleMetrics,
  ) {}

  /** @throws PeopleError `not_recordable` */
  async opened(
    session: SessionTimes & { readonly id: string },
    person: Person,
    { roles, division }: Extract<MappedRoles, { roles: readonly string[] }>,
  ): Promise<void> {
    const payload = {
      sessionId: session.id,
      roles: [...roles],
      division,
      authenticatedAt:
        person.authenticatedAt === null ? null : new Date(person.authenticatedAt).toISOString(),
      endsAt: new Date(session.endsAt).toISOString(),
    };
    try {
      await this.append(`session/${session.id}`, 'session.opened', payload, personActor(person, roles));
    } catch (cause) {
      throw new PeopleError(
        'not_recordable',
        'No one can sign in at the moment: sign-ins are recorded, and nothing can be recorded now. Try again later.',
        {},
        { cause },
      );
    }
  }

  /** Records ends, now or, when nothing can be signed, as soon as something can. */
  closed(ended: readonly Ended[]): void {
    for (const end of ended) {
      this.metrics.closed(end.why);
      if (this.waiting.length < MOST_WAITING) this.waiting.push(end);
      else this.metrics.unrecorded('closed');
    }
    this.running ??= this.recordEnds().finally(() => (this.running = undefined));
  }

  /** Records a refusal, within the rate that strangers may write to the chain; the metrics count all of them. */
  async refused(reason: string, issuer: string, subject: string | null): Promise<void> {
    this.metrics.refused(reason);
    const now = Date.now();
    if (now - this.refusals.since > MINUTE_MS) this.refusals = { since: now, count: 0 };
    if (++this.refusals.count > REFUSALS_A_MINUTE) {
      this.metrics.unrecorded('refused');
      return;
    }
    try {
      await this.append('session/refused', 'session.refused', { reason, issuer, subject }, KERNEL_ACTOR);
    } catch {
      this.metrics.unrecorded('refused');
    }
  }

  /** Gives what waits one last chance. */
  async close(): Promise<void> {
    this.stopped.abort();
    await this.running;
  }

  private async recordEnds(): Promise<void> {
    const pause = new GrowingPause(200, 10_000);
    for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
      const { id, why, actor } = next;
      try {
        await this.append(`session/${id}`, 'session.closed', { sessionId: id, reason: why }, actor);
        this.waiting.shift();
        pause.reset();
      } catch {
        if (this.stopped.signal.aborted) {
          this.waiting.forEach(() => this.metrics.unrecorded('closed'));
          return;
        }
        await pause.wait(this.stopped.signal);
      }
    }
  }

  private async append(stream: string, type: string, payload: JsonObject, actor: Actor): Promise<void> {
    // An event appended to a store that is being rebuilt would begin a second chain.
    this.chain.assertOpen();
    await this.events.append({
      actor,
      // People have to sign in to end a mode.
      whateverTheMode: true,
      writes: [{ stream, expectedVersion: 'any', events: [{ type, payload }] }],
    });
  }
}

export function personActor(person: Pick<Person, 'iss' | 'sub'>, roles: readonly string[]): Actor {
  return { id: principalIdOf(person), kind: 'human', roles: [...roles] };
}
