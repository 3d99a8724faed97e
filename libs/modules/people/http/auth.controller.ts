import { Controller, Get, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { assertOwnOrigin, permittedActions } from '#platform/edge';
import { ApproverNames } from '../people.ports';
import { PeopleError } from '../domain/people.error';
import { principalIdOf } from '../domain/person-session';
import { mapRoles } from '../domain/role-claims';
import { IdentityProvider, type SignedIn } from '../oidc/identity-provider';
import { takenReturn } from '../oidc/oidc.strategy';
import { PeopleOptions } from '../people.options';
import { LogoutTokens } from '../sessions/logout-tokens';
import { instant } from '../sessions/list-sessions.handler';
import { OpenSession } from '../sessions/open-session';
import { People, principalOf } from '../sessions/people';
import { type SessionContent } from '../sessions/session-content';
import { personActor, SessionRecords } from '../sessions/session-records';
import { type SessionRow, SessionTable } from '../sessions/session-table';
import { SignInGuard } from './sign-in.guard';
import { sendPage } from './site-page';

/** Sign-in and sign-out (docs/people.md). */
@Controller('auth')
export class AuthController {
  constructor(
    @Inject(PeopleOptions) private readonly options: PeopleOptions,
    @Inject(IdentityProvider) private readonly provider: IdentityProvider,
    @Inject(OpenSession) private readonly opening: OpenSession,
    @Inject(SessionTable) private readonly sessions: SessionTable,
    @Inject(SessionRecords) private readonly records: SessionRecords,
    @Inject(LogoutTokens) private readonly logoutTokens: LogoutTokens,
    @Inject(People) private readonly people: People,
    @Inject(ApproverNames) private readonly approvers: ApproverNames,
  ) {}

  /** The guard answers, by sending the browser to the provider. */
  @Get('login')
  @UseGuards(SignInGuard)
  login(): void {
    throw new TypeError('the guard let a sign-in begin here');
  }

  @Get('callback')
  @UseGuards(SignInGuard)
  async callback(@Req() request: Request, @Res() response: Response): Promise<void> {
    const returnTo = takenReturn(request);
    await this.opening.open(request, (request as Request & { user: SignedIn }).user);
    response.redirect(303, returnTo);
  }

  @Get('session')
  async session(@Req() request: Request, @Res() response: Response): Promise<void> {
    const { session, person, roles } = await this.people.signedIn(request.headers.cookie);
    const principal = principalIdOf(person);
    const approverId = await this.approvers.approverOf(principal);
    response.json({
      principal,
      issuer: person.iss,
      subject: person.sub,
      name: person.name,
      roles: roles.roles,
      division: roles.division,
      approverId,
      roleless: roles.roleless,
      permits: permittedActions(principalOf(person, roles), approverId !== null),
      sessionId: session.id,
      authenticatedAt: instant(person.authenticatedAt),
      idleEndsAt: instant(session.idleEndsAt),
      until: instant(session.endsAt),
    });
  }

  /** A link can lead here, and a link must not sign anyone out: it takes a press of the button. */
  @Get('logout')
  askLogout(@Res() response: Response): void {
    const form = '<form method="post" action="/auth/logout"><button type="submit">Sign out</button></form>';
    sendPage(response, 200, 'Sign out', form, this.provider.endSessionOrigin());
  }

  /** Ends the session here at once, and says where the provider's own is ended (RP-Initiated Logout 1.0). */
  @Post('logout')
  @HttpCode(200)
  async logout(@Req() request: Request, @Res() response: Response): Promise<void> {
    assertOwnOrigin(request, this.options.origin);
    const { cookie } = this.people;
    const token = cookie.tokenOf(request.headers.cookie);
    const ended = token === null ? null : await this.sessions.remove(token);
    if (ended !== null) this.recordEnds([ended], 'signed_out');
    const content = ended === null ? {} : (JSON.parse(ended.content) as SessionContent);
    const home = `${this.options.origin}/`;
    const location = this.provider.endSessionUrl(content.tokens?.idToken ?? null, home) ?? home;
    response.clearCookie(cookie.name, { path: '/', httpOnly: true, sameSite: 'lax', secure: cookie.secure });
    if (request.accepts(['html', 'json']) === 'json') response.json({ location });
    else response.redirect(303, location);
  }

  /** OpenID Connect Back-Channel Logout 1.0: the provider itself calls, without a cookie and without an Origin. */
  @Post('backchannel-logout')
  async backchannelLogout(@Req() request: Request, @Res() response: Response): Promise<void> {
    response.set('Cache-Control', 'no-store');
    const { logout_token: text } = (request.body ?? {}) as { logout_token?: unknown };
    try {
      if (typeof text !== 'string') {
        throw new PeopleError('invalid_logout_token', 'The request has no logout_token.');
      }
      const token = await this.provider.logoutToken(text);
      if (!(await this.logoutTokens.take(token, token.rememberUntil))) {
        throw new PeopleError('invalid_logout_token', 'The logout token was used before.');
      }
      try {
        this.recordEnds(await this.sessions.removeByPerson(token), 'signed_out_at_provider');
      } catch (error) {
        await this.logoutTokens.giveBack(token).catch(() => undefined);
        throw error;
      }
      response.status(200).end();
    } catch (error) {
      if (!(error instanceof PeopleError)) throw error;
      await this.records.refused(`logout_${error.code}`, this.options.issuer, null);
      if (error.code === 'provider_unavailable') {
        response.status(503).set('Retry-After', '5').json({ error: 'temporarily_unavailable' });
      } else {
        response.status(400).json({ error: 'invalid_request', error_description: error.message });
      }
    }
  }

  private recordEnds(ended: readonly SessionRow[], why: 'signed_out' | 'signed_out_at_provider'): void {
    this.records.closed(
      ended.flatMap(({ id, content }) => {
        const { person } = JSON.parse(content) as SessionContent;
        if (person === undefined) return [];
        const roles = mapRoles(person.roleClaims, this.options.mapping);
        return [{ id, why, actor: personActor(person, 'roles' in roles ? roles.roles : []) }];
      }),
    );
  }
}
