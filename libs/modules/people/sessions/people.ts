import { Injectable } from '@nestjs/common';
import {
  AccessError,
  type CallingRequest,
  type PersonIdentifier,
  type Principal,
  type Role,
} from '#platform/edge';
import { EventStoreError, RowKey } from '#platform/event-store';
import { PeopleError } from '../domain/people.error';
import { endedBy, type Person, principalIdOf, seen } from '../domain/person-session';
import { mapRoles, type MappedRoles } from '../domain/role-claims';
import { IdentityProvider } from '../oidc/identity-provider';
import { PeopleOptions } from '../people.options';
import { SessionCookie } from './session-cookie';
import { SessionRefresh } from './session-refresh';
import { type SessionContent } from './session-content';
import { type SessionRow, SessionTable } from './session-table';
import { SEEN_EVERY_MS } from './session-store';

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

export interface SignedInPerson {
  readonly session: SessionRow;
  readonly person: Person;
  readonly roles: Extract<MappedRoles, { roles: readonly string[] }>;
}

/** Says who a request comes from: by their session, or, where that is configured, by an access token. */
@Injectable()
export class People implements PersonIdentifier {
  readonly cookie: SessionCookie;
  private readonly seen = new WeakSet<object>();

  constructor(
    rowKey: RowKey,
    private readonly options: PeopleOptions,
    private readonly sessions: SessionTable,
    private readonly refresh: SessionRefresh,
    private readonly provider: IdentityProvider,
  ) {
    this.cookie = new SessionCookie(options.origin.startsWith('https:'), rowKey.secretsFor('session cookie'));
  }

  bearsToken({ headers }: CallingRequest): boolean {
    return this.options.tokenAudience !== undefined && /^Bearer /i.test(headers.authorization ?? '');
  }

  async personOf(request: CallingRequest): Promise<Principal> {
    if (this.bearsToken(request)) return this.byToken(request.headers.authorization ?? '');
    // A stream that is asked for again is no sign of a person.
    const isFirst = !this.seen.has(request);
    this.seen.add(request);
    const { person, roles } = await this.signedIn(request.headers.cookie, isFirst);
    return principalOf(person, roles);
  }

  /** The session of a cookie. @throws AccessError `sign_in_required`, `sign_in_unavailable` */
  async signedIn(cookie: string | undefined, movesIdleEnd = true): Promise<SignedInPerson> {
    const token = this.cookie.tokenOf(cookie);
    const session = token === null ? null : await this.find(token);
    const now = Date.now();
    if (session === null || session.person === null || endedBy(session, now) !== null) throw signInRequired();
    const { person } = JSON.parse(session.content) as SessionContent;
    if (person === undefined) throw signInRequired();
    const current = await this.refresh.ifDue(session, person);
    if (current === null) throw signInRequired();
    const roles = mapRoles(current.roleClaims, this.options.mapping);
    // The rules were changed since this person signed in.
    if ('refused' in roles) throw new AccessError('sign_in_required', `${roles.refused} Sign in again.`);
    if (movesIdleEnd && now - session.seenAt >= SEEN_EVERY_MS) this.moveIdleEnd(session, now);
    return { session, person: current, roles };
  }

  private async find(token: string): Promise<SessionRow | null> {
    try {
      return await this.sessions.find(token);
    } catch (cause) {
      if (!isAway(cause)) throw cause;
      throw new AccessError(
        'sign_in_unavailable',
        'The kernel cannot tell who is signed in at the moment; try again.',
        {},
        { cause },
      );
    }
  }

  /** Not waited for: the request is answered by what was found. */
  private moveIdleEnd(session: SessionRow, now: number): void {
    const moved = { ...session, ...seen(session, now, this.options.session), version: session.version + 1 };
    // Another request moved it, or it has ended.
    this.sessions.write(moved).catch(() => undefined);
  }

  private async byToken(header: string): Promise<Principal> {
    const token = BEARER.exec(header)?.[1];
    if (token === undefined)
      throw new AccessError('invalid_token', 'The header Authorization has no access token.');
    try {
      const person = await this.provider.personOfAccessToken(token);
      const roles = mapRoles(person.roleClaims, this.options.mapping);
      if ('refused' in roles) throw new AccessError('invalid_token', roles.refused);
      return principalOf(person, roles);
    } catch (error) {
      if (!(error instanceof PeopleError)) throw error;
      const code = error.code === 'provider_unavailable' ? 'sign_in_unavailable' : 'invalid_token';
      throw new AccessError(code, error.message, {}, { cause: error });
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof EventStoreError && error.code === 'store_unavailable';
}

function signInRequired(): AccessError {
  return new AccessError(
    'sign_in_required',
    'Nobody is signed in, or the session has ended; sign in (/auth/login).',
  );
}

/** The person as the rules see them. */
export function principalOf(
  person: Person,
  { roles, division, roleless }: SignedInPerson['roles'],
): Principal {
  return Object.freeze({
    id: principalIdOf(person),
    kind: 'human',
    roles: Object.freeze(roles as readonly Role[]),
    ...(division !== null && { division }),
    ...(roleless !== null && { roleless }),
    ...(person.authenticatedAt !== null && { authenticatedAt: person.authenticatedAt }),
  });
}
