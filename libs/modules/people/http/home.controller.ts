import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { type Request, type Response } from 'express';
import { AccessError } from '#platform/edge';
import { principalIdOf } from '../domain/person-session';
import { IdentityProvider } from '../oidc/identity-provider';
import { People } from '../sessions/people';
import { escaped, sendPage } from './site-page';

/** The page to begin at: who is signed in, as what. */
@Controller()
export class HomeController {
  constructor(
    @Inject(People) private readonly people: People,
    @Inject(IdentityProvider) private readonly provider: IdentityProvider,
  ) {}

  @Get()
  async home(@Req() request: Request, @Res() response: Response): Promise<void> {
    try {
      const { person, roles } = await this.people.signedIn(request.headers.cookie);
      const what =
        roles.roleless ??
        `Your role: ${roles.roles.join(', ')}${roles.division === null ? '' : ` of division ${roles.division}`}.`;
      const who = person.name === null ? principalIdOf(person) : `${person.name} (${principalIdOf(person)})`;
      const body =
        `<p>You are signed in as ${escaped(who)}.</p>\n<p>${escaped(what)}</p>\n` +
        '<form method="post" action="/auth/logout"><button type="submit">Sign out</button></form>';
      sendPage(response, 200, 'Illuvrse kernel', body, this.provider.endSessionOrigin());
    } catch (error) {
      if (!(error instanceof AccessError) || error.code !== 'sign_in_required') throw error;
      // A cookie that is genuine and names no session any more: it ended by its limits, or someone ended it.
      const hasEnded = this.people.cookie.tokenOf(request.headers.cookie) !== null;
      const why = hasEnded ? '<p>Your session has ended, or you did not finish signing in.</p>\n' : '';
      sendPage(response, 200, 'Illuvrse kernel', `${why}<p><a href="/auth/login">Sign in</a></p>`);
    }
  }
}
