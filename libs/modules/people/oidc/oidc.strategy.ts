import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { type Request } from 'express';
import { type AuthenticateOptions } from 'passport';
import { Strategy } from 'passport-openidconnect';
import { calculatePKCECodeChallenge, randomNonce, randomPKCECodeVerifier } from 'openid-client';
import { PeopleError } from '../domain/people.error';
import { type PendingSignIn } from '../domain/person-session';
import { PeopleOptions } from '../people.options';
import { IdentityProvider, type SignedIn } from './identity-provider';
import { rememberSignIn, takeSignIn } from './sign-in-state';

/** Name under which passport knows it. */
export const OIDC = 'oidc';
export const CALLBACK_PATH = '/auth/callback';

/** What a request that begins a sign-in asks for. */
export interface SignInOptions extends Omit<AuthenticateOptions, 'state'> {
  returnTo?: string;
  fresh?: boolean;
}

/** Discovery has the true ones. */
const UNKNOWN = 'https://undiscovered.invalid/';

/** Where the browser goes after its answer: the session that knew it is replaced by another one. */
const returns = new WeakMap<Request, string>();
/** Verified answers. By request: the mixin of Nest calls `validate` on the strategy, and not on passport's copy of it. */
const verified = new WeakMap<Request, SignedIn>();

export function takenReturn(request: Request): string {
  return returns.get(request) ?? '/';
}

type ExchangeCallback = (
  error: unknown,
  accessToken?: string,
  refreshToken?: string,
  params?: { id_token: string },
) => void;

/** What passport-openidconnect has and its types do not: it calls these members protected. */
interface Internals {
  _issuer: string;
  _oauth2: {
    _authorizeUrl: string;
    _accessTokenUrl: string;
    _clientId: string;
    getOAuthAccessToken(code: string, params: object, callback: ExchangeCallback): void;
  };
}

/**
 * Sign-in by passport-openidconnect (docs/adr/0180-the-flow-is-passports-and-no-check-is.md): the order of its steps is
 * its own. It has no PKCE and checks no signature, so every check is made beside it: state and nonce in the session,
 * the exchange of the code by openid-client, the ID token by jose. What it then checks again, it checks on claims that
 * are verified already.
 */
@Injectable()
export class OidcStrategy extends PassportStrategy(Strategy, OIDC, true) {
  /** Passport makes an object of this for each request: these belong to one sign-in. */
  private begun?: PendingSignIn;
  private challenge: { code_challenge?: string; code_challenge_method?: string } = {};

  constructor(
    private readonly provider: IdentityProvider,
    private readonly options: PeopleOptions,
  ) {
    super({
      issuer: UNKNOWN,
      authorizationURL: UNKNOWN,
      tokenURL: UNKNOWN,
      userInfoURL: UNKNOWN,
      callbackURL: options.origin + CALLBACK_PATH,
      clientID: options.clientId,
      // The code is exchanged by openid-client, with the secret of the moment.
      clientSecret: UNKNOWN,
      // `openid` is added by the library.
      scope: options.scopes.filter((scope) => scope !== 'openid').join(' '),
      skipUserProfile: true,
      passReqToCallback: true,
      // The state is ours: the store of the library keeps one a session, and no verifier.
      store: { store: () => undefined, verify: () => undefined },
    });
  }

  override authenticate(request: Request, options: SignInOptions = {}): void {
    const isAnswer = request.path === CALLBACK_PATH;
    (isAnswer ? this.answered(request) : this.begin(request, options)).then(
      () => {
        super.authenticate(request, options);
      },
      (error: unknown) => this.error(error as Error),
    );
  }

  /** Called by passport with what `answered` verified. */
  validate(
    request: Request,
    _issuer: string,
    _profile: object,
    _context: object,
    _idToken: string,
  ): SignedIn {
    const done = verified.get(request);
    if (done === undefined) throw new TypeError('passport went on without a verified answer');
    return done;
  }

  /** Parameters of the request to the provider that the library does not know. */
  override authorizationParams(): object {
    const { begun } = this;
    return {
      nonce: begun?.nonce,
      ...this.challenge,
      // Makes the provider say when the person last proved who they are; with 0 it asks them again.
      max_age: begun?.fresh === true ? '0' : String(Math.ceil(this.options.session.absoluteMs / 1_000)),
      ...(begun?.fresh === true && { prompt: 'login' }),
    };
  }

  private async begin(request: Request, { returnTo = '/', fresh = false }: SignInOptions): Promise<void> {
    await this.pointAtProvider();
    const codeVerifier = randomPKCECodeVerifier();
    const pending = { nonce: randomNonce(), codeVerifier, returnTo, fresh, startedAt: Date.now() };
    this.begun = pending;
    this.challenge = {
      code_challenge: await calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    };
    this.useState({
      store: (_request, _context, _state, _meta, callback) => {
        rememberSignIn(request, pending).then((state) => callback(null, state), callback);
      },
    });
    // An answer that came here by mistake, or was sent here, is none.
    Object.defineProperty(request, 'query', { value: {} });
  }

  private async answered(request: Request): Promise<void> {
    const { state, code, error } = request.query;
    const pending = await takeSignIn(request, state);
    returns.set(request, pending.returnTo);
    const answer = new URL(request.originalUrl, this.options.origin);
    if (typeof error === 'string') {
      await this.provider.assertAnswered(answer);
      throw refusedByProvider(error);
    }
    if (typeof code !== 'string') {
      throw new PeopleError('code_refused', 'The identity provider answered without a code. Sign in again.');
    }
    await this.pointAtProvider();
    const done = await this.provider.signIn(answer, state as string, pending);
    verified.set(request, done);
    this.begun = pending;
    this.useState({ verify: (_request, _state, callback) => callback(null, { nonce: pending.nonce }) });
    const internals = this as unknown as Internals;
    internals._oauth2 = Object.assign(Object.create(internals._oauth2) as Internals['_oauth2'], {
      getOAuthAccessToken: (_code: string, _params: object, callback: ExchangeCallback) =>
        callback(null, done.accessToken, undefined, {
          id_token: tolerated(done.idToken, this.options.clockToleranceS),
        }),
    });
  }

  private async pointAtProvider(): Promise<void> {
    const { issuer, authorizationUrl, tokenUrl } = await this.provider.endpoints();
    const internals = this as unknown as Internals;
    internals._issuer = issuer;
    internals._oauth2 = Object.assign(Object.create(internals._oauth2) as Internals['_oauth2'], {
      _authorizeUrl: authorizationUrl,
      _accessTokenUrl: tokenUrl,
    });
  }

  private useState(store: Partial<StateStore>): void {
    (this as unknown as { _stateStore: Partial<StateStore> })._stateStore = store;
  }
}

interface StateStore {
  store(
    request: Request,
    context: object,
    state: unknown,
    meta: object,
    callback: (error: unknown, state?: string) => void,
  ): void;
  verify(request: Request, state: string, callback: (error: unknown, context?: object) => void): void;
}

/** The library compares `exp` without any tolerance: it gets the verified claims with the tolerance added. */
function tolerated(idToken: string, toleranceS: number): string {
  const [head, body = ''] = idToken.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as { exp: number };
  const payload = Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + toleranceS + 1 }));
  return `${head}.${payload.toString('base64')}.`;
}

/** RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6. The provider's own text is not shown: anyone can write it. */
function refusedByProvider(error: string): PeopleError {
  if (error === 'temporarily_unavailable' || error === 'server_error') {
    return new PeopleError(
      'provider_unavailable',
      'The identity provider cannot sign anyone in at the moment. Try again in a minute.',
    );
  }
  const isDeclined =
    error === 'access_denied' || error === 'login_required' || error === 'interaction_required';
  return new PeopleError(
    'provider_refused',
    isDeclined
      ? 'The identity provider did not let you sign in, or you declined.'
      : 'The identity provider refused the request of this kernel; tell whoever operates it.',
  );
}
