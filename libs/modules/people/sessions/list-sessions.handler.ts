import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { type Principal } from '#platform/edge';
import { type Person, principalIdOf } from '../domain/person-session';
import { mapRoles } from '../domain/role-claims';
import { PeopleOptions } from '../people.options';
import { type SessionContent } from './session-content';
import { SessionTable } from './session-table';

export interface SessionView {
  readonly id: string;
  readonly principal: string;
  readonly name: string | null;
  readonly roles: readonly string[];
  readonly division: string | null;
  readonly authenticatedAt: string | null;
  readonly createdAt: string;
  /** To the minute or so. */
  readonly seenAt: string;
  readonly idleEndsAt: string;
  readonly endsAt: string;
}

export interface SessionPage {
  readonly sessions: readonly SessionView[];
  readonly nextCursor: string | null;
}

/** Sessions that last: the caller's own, or everyone's for a SuperAdmin. */
export class ListSessions extends Query<SessionPage> {
  constructor(
    readonly caller: Principal,
    readonly page: { readonly cursor?: string; readonly limit: number },
  ) {
    super();
  }
}

@QueryHandler(ListSessions)
export class ListSessionsHandler implements IQueryHandler<ListSessions, SessionPage> {
  constructor(
    private readonly sessions: SessionTable,
    private readonly options: PeopleOptions,
  ) {}

  async execute({ caller, page: { cursor, limit } }: ListSessions): Promise<SessionPage> {
    const of = reachOf(caller);
    if (of === 'nothing') return { sessions: [], nextCursor: null };
    const after = cursor ?? null;
    const found = await this.sessions.list({ of, after, limit: limit + 1, now: Date.now() });
    const shown = found.slice(0, limit);
    const last = shown.at(-1);
    return {
      sessions: shown.map(({ id, content, createdAt, seenAt, idleEndsAt, endsAt }) => {
        const { person } = JSON.parse(content) as SessionContent & { person: Person };
        const roles = mapRoles(person.roleClaims, this.options.mapping);
        return {
          id,
          principal: principalIdOf(person),
          name: person.name,
          roles: 'roles' in roles ? roles.roles : [],
          division: 'roles' in roles ? roles.division : null,
          authenticatedAt: instant(person.authenticatedAt),
          createdAt: new Date(createdAt).toISOString(),
          seenAt: new Date(seenAt).toISOString(),
          idleEndsAt: new Date(idleEndsAt).toISOString(),
          endsAt: new Date(endsAt).toISOString(),
        };
      }),
      nextCursor: found.length > limit && last !== undefined ? last.id : null,
    };
  }
}

/** Whose sessions a caller may see and end: null is everyone's; a service that is no SuperAdmin has none. */
export function reachOf({ id, kind, roles }: Principal): Pick<Person, 'iss' | 'sub'> | null | 'nothing' {
  if (roles.includes('SuperAdmin')) return null;
  if (kind !== 'human') return 'nothing';
  // An issuer has no #, a subject may.
  const mark = id.indexOf('#');
  return mark < 0 ? 'nothing' : { iss: id.slice(0, mark), sub: id.slice(mark + 1) };
}

export function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
