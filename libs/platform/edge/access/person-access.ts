import { contextOf } from '../request-context';
import { AccessError } from './access-error';
import { type AccessRules, type CallingRequest } from './access-rules';
import { type Scope } from './matrix';
import { type Principal } from './principal';
import { type RoleAccess } from './role-access';

/** How old a sign-in may be for an operation that asks for a fresh one (`x-fresh-sign-in`). */
export const FRESH_SIGN_IN_S = 5 * 60;
/** RFC 9110 section 9.2.1. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Tells who a person is, from their session or their access token. */
export interface PersonIdentifier {
  /** Whether the request names its caller by an access token, which no browser sends by itself. */
  bearsToken(request: CallingRequest): boolean;
  /** @throws AccessError `sign_in_required`, `invalid_token`, `sign_in_unavailable` */
  personOf(request: CallingRequest): Promise<Principal>;
}

/**
 * The rules of the listener for people: who they are by their session, what they may do by the same matrix as services,
 * and two more checks that only browsers need.
 */
export class PersonAccess implements AccessRules {
  readonly policies: ReadonlySet<string>;

  constructor(
    private readonly roles: Pick<RoleAccess, 'policies' | 'permit'>,
    private readonly people: PersonIdentifier,
    /** Scheme, host and port under which people reach this listener. */
    private readonly origin: string,
  ) {
    this.policies = roles.policies;
  }

  /** A certificate has no say here, should there be one. */
  async identify(request: CallingRequest): Promise<Principal> {
    if (!this.people.bearsToken(request)) assertOwnOrigin(request, this.origin);
    return this.people.personOf(request);
  }

  async permit(principal: Principal, policy: string, request: CallingRequest): Promise<Scope> {
    const scope = await this.roles.permit(principal, policy);
    if (contextOf(request)?.operation?.freshSignIn === true) assertFresh(principal);
    return scope;
  }
}

/**
 * Refuses an unsafe request that a page of another origin sent: browsers send the session's cookie along with it.
 * @throws AccessError `foreign_origin`
 */
export function assertOwnOrigin(
  { method = '', headers }: Pick<CallingRequest, 'method' | 'headers'>,
  own: string,
): void {
  if (SAFE_METHODS.has(method) || headers.origin === own) return;
  throw new AccessError(
    'foreign_origin',
    `Requests that change something need the header Origin: ${own}, which browsers send from this kernel's own pages.`,
    { origin: headers.origin?.slice(0, 200) ?? null },
  );
}

function assertFresh({ authenticatedAt }: Principal): void {
  if (authenticatedAt !== undefined && Date.now() - authenticatedAt <= FRESH_SIGN_IN_S * 1_000) return;
  throw new AccessError(
    'reauthentication_required',
    `This command needs a sign-in that is at most ${FRESH_SIGN_IN_S / 60} minutes old; sign in again (/auth/login?fresh=true) and repeat it.`,
    { maxAgeSeconds: FRESH_SIGN_IN_S },
  );
}
