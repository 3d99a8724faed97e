import { Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { createRemoteJWKSet, customFetch as joseFetch, type JWTVerifyGetKey } from 'jose';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildEndSessionUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  customFetch,
  discovery,
  refreshTokenGrant,
  ResponseBodyError,
  AuthorizationResponseError,
  clockTolerance,
  ClientError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { boundedFetch } from '#platform/http-client';
import { type Logger, SecretFile, secretText } from '#platform/process';
import { answerWithin, GrowingPause, pause } from '#platform/resilience';
import { PeopleError } from '../domain/people.error';
import { type PendingSignIn, type Person } from '../domain/person-session';
import { PeopleMetrics } from '../people.metrics';
import { PeopleOptions } from '../people.options';
import { personOfAccessToken } from './access-token';
import { type IdTokenRules, personOfIdToken } from './id-token';
import { type LogoutToken, readLogoutToken } from './logout-token';

/** Longest wait for one answer of the provider: a person is waiting too. */
const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 1_024 * 1_024;
/** How often the provider's endpoints are asked for again: it may change its answer. */
const REDISCOVER_MS = 60 * 60 * 1_000;
/**
 * Between two requests for the keys because of a key id that is not among them. Short, so that the sign-in after a rotation
 * succeeds at once; not 0, or strangers' tokens would make requests without end.
 */
const KEYS_COOLDOWN_MS = 2_000;
/** How often a failure makes its endpoints be asked for again: they may have moved, or it may just be away. */
const FAILED_COOLDOWN_MS = 2_000;
/** Longest refresh token that is kept: with the rest of a session it has to fit into a row. */
const MAX_REFRESH_TOKEN_LENGTH = 8 * 1_024;
/** A provider that has no key for longer than this has withdrawn it. */
const KEYS_MAX_AGE_MS = 10 * 60 * 1_000;

/** Codes of openid-client for an answer that came, and says what it must not. */
const BAD_ANSWERS: ReadonlySet<string> = new Set([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_UNSUPPORTED_OPERATION',
  'OAUTH_KEY_SELECTION_FAILED',
]);

interface Discovered {
  readonly config: Configuration;
  readonly keys: JWTVerifyGetKey;
  readonly jwksUri: string;
}

export interface SignedIn {
  readonly person: Person;
  readonly idToken: string;
  readonly accessToken: string;
  readonly refreshToken: string | null;
}

/** The endpoints that a person's browser is sent to. */
export interface ProviderEndpoints {
  readonly issuer: string;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
}

/**
 * The organisation's identity provider. Its endpoints are found at the start, again and again while it is away, and every
 * hour after that; nothing waits for them but sign-in.
 */
@Injectable()
export class IdentityProvider implements OnModuleInit, OnModuleDestroy {
  private known: Discovered | undefined;
  private asking: Promise<Discovered> | undefined;
  /** When its endpoints were last asked for, by performance.now. */
  private askedAt = -Infinity;
  private readonly stopped = new AbortController();
  private readonly http;
  private loop: Promise<void> | undefined;

  constructor(
    private readonly options: PeopleOptions,
    private readonly metrics: PeopleMetrics,
    private readonly logger: Logger,
  ) {
    this.http = boundedFetch({ ca: options.ca, timeoutMs: ANSWER_MS, maxBytes: MAX_ANSWER_BYTES });
  }

  private readonly fetch: typeof globalThis.fetch = (url, init = {}) => {
    const { signal } = this.stopped;
    return this.http.fetch(url, {
      ...init,
      signal: init.signal ? AbortSignal.any([init.signal, signal]) : signal,
    });
  };

  onModuleInit(): void {
    this.loop = this.keepDiscovering();
  }

  async onModuleDestroy(): Promise<void> {
    // Also ends what is being asked.
    this.stopped.abort();
    await this.loop;
    await this.http.close();
  }

  /** @throws PeopleError `provider_unavailable` */
  async endpoints(): Promise<ProviderEndpoints> {
    const metadata = (await this.discovered()).config.serverMetadata();
    return {
      issuer: metadata.issuer,
      authorizationUrl: metadata.authorization_endpoint ?? '',
      tokenUrl: metadata.token_endpoint ?? '',
    };
  }

  /**
   * Refuses an answer that another provider gave, whether it brings a code or an error.
   * @throws PeopleError `issuer_mismatch`
   */
  async assertAnswered(answer: URL): Promise<void> {
    assertAnswerFrom(answer, (await this.discovered()).config);
  }

  /**
   * Exchanges the code of an answer for tokens and judges them.
   * @param answer the callback's URL with everything that the browser brought
   * @throws PeopleError
   */
  async signIn(answer: URL, state: string, pending: PendingSignIn): Promise<SignedIn> {
    const { config, keys } = await this.discovered();
    assertAnswerFrom(answer, config);
    let tokens;
    try {
      tokens = await this.withSecret(() =>
        authorizationCodeGrant(config, answer, {
          pkceCodeVerifier: pending.codeVerifier,
          expectedState: state,
          expectedNonce: pending.nonce,
          idTokenExpected: true,
        }),
      );
    } catch (error) {
      throw this.explained(error);
    }
    const { id_token: idToken, access_token: accessToken, refresh_token: refreshToken = null } = tokens;
    assertRefreshTokenFits(refreshToken);
    if (idToken === undefined) {
      throw new PeopleError('invalid_id_token', 'The identity provider answered without an ID token.');
    }
    return { person: await this.judged(idToken, keys, pending), idToken, accessToken, refreshToken };
  }

  /**
   * Asks the provider whether a session's person is still who they were.
   * @throws PeopleError `code_refused` when the provider says no
   */
  async refresh(
    refreshToken: string,
    before: Person,
  ): Promise<{ person: Person; idToken: string | null; refreshToken: string }> {
    const { config, keys } = await this.discovered();
    let tokens;
    try {
      tokens = await this.withSecret(() => refreshTokenGrant(config, refreshToken));
    } catch (error) {
      throw this.explained(error);
    }
    const { id_token: idToken = null, refresh_token: next = refreshToken } = tokens;
    assertRefreshTokenFits(next);
    if (idToken === null) return { person: before, idToken, refreshToken: next };
    const person = await this.judged(idToken, keys, null);
    // OpenID Connect Core section 12.2.
    if (person.iss !== before.iss || person.sub !== before.sub) {
      throw new PeopleError(
        'invalid_id_token',
        'The identity provider answered a refresh with another person.',
      );
    }
    const { authenticatedAt, sid, name } = before;
    return {
      person: { ...person, authenticatedAt, sid, name: person.name ?? name },
      idToken,
      refreshToken: next,
    };
  }

  /** @throws PeopleError */
  async logoutToken(token: string): Promise<LogoutToken> {
    return readLogoutToken(token, (await this.discovered()).keys, this.rules());
  }

  /** @throws PeopleError */
  async personOfAccessToken(token: string): Promise<Person> {
    const audience = this.options.tokenAudience ?? '';
    return personOfAccessToken(token, (await this.discovered()).keys, this.rules(), audience);
  }

  /** Where a browser ends the provider's own session; null when the provider has no such page, or is not known. */
  endSessionUrl(idToken: string | null, returnTo: string): string | null {
    const config = this.known?.config;
    if (config?.serverMetadata().end_session_endpoint === undefined) return null;
    return buildEndSessionUrl(config, {
      post_logout_redirect_uri: returnTo,
      ...(idToken !== null && { id_token_hint: idToken }),
    }).href;
  }

  /** Origin of that page. */
  endSessionOrigin(): string | null {
    const endpoint = this.known?.config.serverMetadata().end_session_endpoint;
    return endpoint !== undefined && URL.canParse(endpoint) ? new URL(endpoint).origin : null;
  }

  /**
   * The person of a token that the provider itself gave us. A key that is not known is looked for once more when the keys may
   * be fetched again: the provider changed them within the last seconds, and neither code nor refresh token is good twice.
   */
  private async judged(token: string, keys: JWTVerifyGetKey, pending: PendingSignIn | null): Promise<Person> {
    const judge = () => personOfIdToken(token, keys, this.rules(), pending);
    try {
      return await judge().catch(async (error: unknown) => {
        if (!(error instanceof PeopleError) || error.code !== 'keys_rotated') throw error;
        await pause(KEYS_COOLDOWN_MS, this.stopped.signal);
        return judge();
      });
    } catch (error) {
      if (error instanceof PeopleError && error.code === 'provider_unavailable') {
        this.metrics.providerFailed('keys');
        this.lookAgain();
      }
      throw error;
    }
  }

  private rules(): IdTokenRules {
    const { issuer, clientId, algorithms, clockToleranceS, mapping } = this.options;
    return { issuer, clientId, algorithms, clockToleranceS, roleRules: mapping.rules };
  }

  /** Asks at once where no answer is known yet: the pause between attempts is not a person's. */
  private async discovered(): Promise<Discovered> {
    if (this.known !== undefined) return this.known;
    const late = () => new Error(`no answer within ${ANSWER_MS} ms`);
    try {
      return await answerWithin(ANSWER_MS, late, this.discover());
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  /** How this kernel authenticates at the token endpoint: with the secret that is in force then. */
  private readonly authenticate: ClientAuth = (server, client, body, headers) => {
    const { clientAuth, clientSecret } = this.options;
    const method = clientAuth === 'client_secret_post' ? ClientSecretPost : ClientSecretBasic;
    return method(secretText(clientSecret))(server, client, body, headers);
  };

  /**
   * Asks again when the provider did not accept the client's secret, and its file has another by now. A provider checks
   * the client first (RFC 6749 section 4.1.3), so that neither code nor refresh token is used up.
   */
  private async withSecret<T>(ask: () => Promise<T>): Promise<T> {
    const { clientSecret } = this.options;
    const used = secretText(clientSecret);
    try {
      return await ask();
    } catch (error) {
      if (!isClientRefused(error) || !(clientSecret instanceof SecretFile)) throw error;
      if (clientSecret.look() === used) throw error;
      return ask();
    }
  }

  private async keepDiscovering(): Promise<void> {
    const { signal } = this.stopped;
    const growing = new GrowingPause(500, 30_000);
    while (!signal.aborted) {
      try {
        await this.discover();
        growing.reset();
        await pause(REDISCOVER_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.notFound(error);
        await growing.wait(signal);
      }
    }
  }

  /** After a failure that may come from endpoints that have moved; no one waits for it. */
  private lookAgain(): void {
    if (this.stopped.signal.aborted || performance.now() - this.askedAt < FAILED_COOLDOWN_MS) return;
    this.discover().catch((error: unknown) => this.notFound(error));
  }

  private notFound(error: unknown): void {
    if (this.stopped.signal.aborted) return;
    this.metrics.providerFailed('discovery');
    this.logger.warn(
      { err: error, issuer: this.options.issuer, known: this.known !== undefined },
      'the identity provider does not say where its endpoints are',
    );
  }

  private discover(): Promise<Discovered> {
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  private async ask(): Promise<Discovered> {
    this.askedAt = performance.now();
    const { issuer, clientId, clockToleranceS, isDevelopment } = this.options;
    const config = await discovery(
      new URL(issuer),
      clientId,
      { [clockTolerance]: clockToleranceS },
      this.authenticate,
      {
        timeout: ANSWER_MS / 1_000,
        [customFetch]: this.fetch as never,
        ...(isDevelopment && { execute: [allowInsecureRequests] }),
      },
    );
    const metadata = config.serverMetadata();
    // Compared as text: URLs that mean the same are different issuers (RFC 8414 section 3.3).
    if (metadata.issuer !== issuer) throw new Error(`it names itself ${metadata.issuer.slice(0, 200)}`);
    for (const [name, value] of Object.entries({
      authorization_endpoint: metadata.authorization_endpoint,
      token_endpoint: metadata.token_endpoint,
      jwks_uri: metadata.jwks_uri,
    })) {
      assertEndpoint(name, value, isDevelopment);
    }
    const jwksUri = metadata.jwks_uri ?? '';
    const kept = this.known?.jwksUri === jwksUri ? this.known.keys : undefined;
    const keys =
      kept ??
      createRemoteJWKSet(new URL(jwksUri), {
        cooldownDuration: KEYS_COOLDOWN_MS,
        cacheMaxAge: KEYS_MAX_AGE_MS,
        timeoutDuration: ANSWER_MS,
        [joseFetch]: this.fetch,
      });
    this.known = { config, keys, jwksUri };
    this.metrics.providerKnown();
    return this.known;
  }

  /** A sentence for the person; the cause is for the log. */
  private explained(error: unknown): PeopleError {
    // A secret that is being replaced, or is wrong, says nothing of the person.
    if (isClientRefused(error)) return this.away(error);
    if (error instanceof AuthorizationResponseError) {
      return new PeopleError(
        'provider_refused',
        'The identity provider did not let you sign in.',
        {},
        { cause: error },
      );
    }
    if (error instanceof ResponseBodyError) {
      const isForNow = error.status >= 500 || error.status === 408 || error.status === 429;
      if (isForNow || error.error === 'temporarily_unavailable') return this.away(error);
      return new PeopleError(
        'code_refused',
        'The identity provider does not accept this sign-in any more: it was used before, or took too long. Sign in again.',
        { error: error.error.slice(0, 64) },
        { cause: error },
      );
    }
    const code = error instanceof ClientError ? error.code : undefined;
    if (code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') {
      return new PeopleError(
        'clock_skew',
        'The ID token is not of this time: the clocks of the identity provider and of this kernel differ by more than is tolerated. Tell whoever operates them.',
        {},
        { cause: error },
      );
    }
    if (code !== undefined && BAD_ANSWERS.has(code)) {
      return new PeopleError(
        'invalid_id_token',
        'The identity provider answered with tokens that are not acceptable.',
        { code },
        { cause: error },
      );
    }
    return this.away(error);
  }

  private away(cause: unknown): PeopleError {
    this.metrics.providerFailed('token');
    this.lookAgain();
    return unavailable(cause);
  }
}

/** RFC 9207 section 2.4: an answer that says who gave it is taken from the provider that was asked alone. */
function assertAnswerFrom({ searchParams }: URL, config: Configuration): void {
  const { issuer, authorization_response_iss_parameter_supported: isSaid } = config.serverMetadata();
  const said = searchParams.getAll('iss');
  if (said.length === 0 ? isSaid !== true : said.length === 1 && said[0] === issuer) return;
  throw new PeopleError(
    'issuer_mismatch',
    'The answer did not come from the identity provider that was asked. Sign in again; if this happens again, tell whoever operates this kernel.',
  );
}

/** Whether the provider did not accept this client's secret: RFC 6749 section 5.2, with a challenge or without one. */
function isClientRefused(error: unknown): boolean {
  if (error instanceof WWWAuthenticateChallengeError) return error.status === 401;
  return error instanceof ResponseBodyError && error.error === 'invalid_client';
}

function assertRefreshTokenFits(token: string | null): void {
  if (token === null || token.length <= MAX_REFRESH_TOKEN_LENGTH) return;
  throw new PeopleError(
    'invalid_id_token',
    'The identity provider gave a refresh token that is longer than this kernel keeps. Tell whoever operates them.',
  );
}

function unavailable(cause: unknown): PeopleError {
  return new PeopleError(
    'provider_unavailable',
    'The identity provider does not answer, so no one can sign in at the moment. Try again in a minute.',
    {},
    { cause },
  );
}

function assertEndpoint(name: string, value: string | undefined, isDevelopment: boolean): void {
  if (value !== undefined && URL.canParse(value)) {
    const { protocol, username, password } = new URL(value);
    const isPlain = protocol === 'http:' && isDevelopment;
    if ((protocol === 'https:' || isPlain) && username === '' && password === '') return;
  }
  throw new Error(`its ${name} is missing or no URL of https`);
}
