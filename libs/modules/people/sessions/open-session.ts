import { Injectable } from '@nestjs/common';
import { type Request } from 'express';
import { newEventId } from '#platform/event-store';
import { PeopleError } from '../domain/people.error';
import { newTimes } from '../domain/person-session';
import { mapRoles } from '../domain/role-claims';
import { type SignedIn } from '../oidc/identity-provider';
import { saved } from '../oidc/sign-in-state';
import { PeopleMetrics } from '../people.metrics';
import { PeopleOptions } from '../people.options';
import { personActor, SessionRecords } from './session-records';
import { SessionTable } from './session-table';

/** Sessions of one person at a time; the oldest ends for a new one. */
export const MOST_SESSIONS = 20;

/** Opens the session of a person whom the provider has named. */
@Injectable()
export class OpenSession {
  constructor(
    private readonly options: PeopleOptions,
    private readonly sessions: SessionTable,
    private readonly records: SessionRecords,
    private readonly metrics: PeopleMetrics,
  ) {}

  /** @throws PeopleError `ambiguous_roles`, `not_recordable` */
  async open(request: Request, { person, idToken, refreshToken }: SignedIn): Promise<void> {
    const roles = mapRoles(person.roleClaims, this.options.mapping);
    if ('refused' in roles) {
      throw new PeopleError('ambiguous_roles', `You cannot sign in. ${roles.refused}`, { sub: person.sub });
    }
    const before = request.session.person === undefined ? undefined : request.session.row?.id;
    // Another token than the one with which the sign-in was begun: whoever planted that one has nothing (session fixation).
    await regenerated(request);
    const actor = personActor(person, roles.roles);
    // It has ended by now, whether or not there will be another one.
    if (before !== undefined) this.records.closed([{ id: before, why: 'replaced', actor }]);
    const now = Date.now();
    const row = { id: newEventId(), ...newTimes(now, this.options.session) };
    await this.records.opened(row, person, roles);
    const refreshAt = refreshToken === null ? null : now + this.options.refreshMs;
    Object.assign(request.session, { row, person, tokens: { idToken, refreshToken, refreshAt } });
    try {
      await saved(request);
    } catch (error) {
      this.records.closed([{ id: row.id, why: 'not_kept', actor }]);
      throw error;
    }
    this.metrics.opened();
    const all = await this.sessions.list({ of: person, after: null, limit: 100, now });
    for (const { id } of all.slice(0, Math.max(0, all.length - MOST_SESSIONS))) {
      if ((await this.sessions.removeById(id, person)) !== null) {
        this.records.closed([{ id, why: 'too_many', actor }]);
      }
    }
  }
}

function regenerated({ session }: Request): Promise<void> {
  return new Promise((resolve, reject) => {
    session.regenerate((error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
