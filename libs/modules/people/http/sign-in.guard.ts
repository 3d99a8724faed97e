import { type ExecutionContext, Injectable } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { type Request } from 'express';
import { PeopleError } from '../domain/people.error';
import { safeReturn } from '../domain/safe-return';
import { OIDC, type SignInOptions } from '../oidc/oidc.strategy';
import { type SignedIn } from '../oidc/identity-provider';
import { PeopleOptions } from '../people.options';

/** Sends a browser to the identity provider, or judges what it brings back. Passport's own session is not used. */
@Injectable()
export class SignInGuard extends AuthGuard(OIDC) {
  constructor(private readonly people: PeopleOptions) {
    super();
  }

  override getAuthenticateOptions(context: ExecutionContext): SignInOptions {
    const { query } = context.switchToHttp().getRequest<Request>();
    return {
      session: false,
      returnTo: safeReturn(query['returnTo'], this.people.origin),
      fresh: query['fresh'] === 'true',
    };
  }

  override handleRequest<T = SignedIn>(error: unknown, user: T | false | undefined): T {
    if (error !== null && error !== undefined) throw error as Error;
    if (user) return user;
    throw new PeopleError(
      'invalid_id_token',
      'The identity provider answered with tokens that are not acceptable.',
    );
  }
}
