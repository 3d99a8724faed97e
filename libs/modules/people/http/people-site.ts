import { type RequestListener } from 'node:http';
import { Injectable, Module, type OnModuleDestroy } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PassportModule } from '@nestjs/passport';
import { ExpressAdapter } from '@nestjs/platform-express';
import express, { type NextFunction, type Request, type Response } from 'express';
import { rateLimit } from 'express-rate-limit';
import session from 'express-session';
import { randomBytes } from 'node:crypto';
import { type INestApplication } from '@nestjs/common';
import { type Logger, NestLogger } from '#platform/process';
import { IdentityProvider } from '../oidc/identity-provider';
import { OidcStrategy } from '../oidc/oidc.strategy';
import { PeopleMetrics } from '../people.metrics';
import { PeopleOptions } from '../people.options';
import { ApproverNames } from '../people.ports';
import { LogoutTokens } from '../sessions/logout-tokens';
import { OpenSession } from '../sessions/open-session';
import { People } from '../sessions/people';
import { SessionRecords } from '../sessions/session-records';
import { SessionStore } from '../sessions/session-store';
import { SessionTable } from '../sessions/session-table';
import { AuthController } from './auth.controller';
import { HomeController } from './home.controller';
import { sendPage } from './site-page';
import { SiteFilter } from './site.filter';
import { SignInGuard } from './sign-in.guard';

const MINUTE_MS = 60_000;
/** The provider calls for everyone from one address. */
const BACKCHANNEL_FACTOR = 10;
const LOGOUT_TOKEN_LIMIT = '32kb';

/** The pages of the listener for people: a Nest app of their own, on Nest's adapter for Express. */
@Injectable()
export class PeopleSite implements OnModuleDestroy {
  private app: INestApplication | undefined;

  constructor(
    private readonly options: PeopleOptions,
    private readonly provider: IdentityProvider,
    private readonly sessions: SessionTable,
    private readonly records: SessionRecords,
    private readonly opening: OpenSession,
    private readonly logoutTokens: LogoutTokens,
    private readonly people: People,
    private readonly approvers: ApproverNames,
    private readonly metrics: PeopleMetrics,
    private readonly logger: Logger,
  ) {}

  async open(): Promise<RequestListener> {
    const server = express();
    server.disable('x-powered-by');
    server.disable('etag');
    server.set('trust proxy', this.options.trustedProxies);
    // Nested members and lists are no parameters of ours.
    server.set('query parser', 'simple');
    this.useMiddleware(server);
    const app = await NestFactory.create(this.module(), new ExpressAdapter(server), {
      logger: new NestLogger(this.logger),
      abortOnError: false,
      bodyParser: false,
    });
    app.useGlobalFilters(new SiteFilter(this.options, this.records, this.logger));
    await app.init();
    this.app = app;
    return server;
  }

  async onModuleDestroy(): Promise<void> {
    await this.app?.close();
  }

  private useMiddleware(server: express.Express): void {
    const { signInLimit } = this.options;
    server.use(['/auth/login', '/auth/callback', '/auth/logout'], this.limit(signInLimit));
    server.use('/auth/backchannel-logout', this.limit(signInLimit * BACKCHANNEL_FACTOR));
    server.use(
      '/auth/backchannel-logout',
      express.urlencoded({ extended: false, limit: LOGOUT_TOKEN_LIMIT }),
    );
    server.use(['/auth/login', '/auth/callback'], this.overTls, this.session());
  }

  private limit(limit: number) {
    return rateLimit({
      windowMs: MINUTE_MS,
      limit,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      // It would write to the console about what the edge and the settings decide.
      validate: false,
      handler: (_request, response) => {
        this.metrics.refused('rate_limited');
        response.set('Retry-After', String(MINUTE_MS / 1_000));
        const sentence = 'Too many requests for sign-in came from your address; try again in a minute.';
        sendPage(response, 429, 'Too many requests', `<p>${sentence}</p>`);
      },
    });
  }

  /**
   * express-session sets a cookie with Secure only on a request that it knows came over TLS. Where TLS ends at a proxy,
   * the configuration says so, and no header.
   */
  private readonly overTls = (request: Request, _response: Response, next: NextFunction): void => {
    Object.defineProperty(request, 'secure', { value: this.people.cookie.secure });
    next();
  };

  private session() {
    const { name, secure, texts } = this.people.cookie;
    return session({
      name,
      secret: texts,
      store: new SessionStore(this.sessions, this.options.session),
      genid: () => randomBytes(32).toString('base64url'),
      resave: false,
      saveUninitialized: false,
      // Without an age: it goes with the browser, and its true limits are in the row.
      cookie: { httpOnly: true, sameSite: 'lax', secure, path: '/' },
    });
  }

  private module() {
    const shared: [unknown, unknown][] = [
      [PeopleOptions, this.options],
      [IdentityProvider, this.provider],
      [SessionTable, this.sessions],
      [SessionRecords, this.records],
      [OpenSession, this.opening],
      [LogoutTokens, this.logoutTokens],
      [People, this.people],
      [ApproverNames, this.approvers],
    ];
    const { options, provider } = this;

    @Module({
      imports: [PassportModule.register({ session: false })],
      controllers: [AuthController, HomeController],
      providers: [
        // By factories: as values, Nest would call their hooks a second time.
        ...shared.map(([provide, value]) => ({
          provide: provide as never,
          useFactory: () => hookless(value),
        })),
        { provide: OidcStrategy, useFactory: () => new OidcStrategy(provider, options) },
        { provide: SignInGuard, useFactory: () => new SignInGuard(options) },
      ],
    })
    class SiteModule {}
    return SiteModule;
  }
}

const HOOKS: ReadonlySet<PropertyKey> = new Set([
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/** The same object without the hooks of its life: the kernel's own app begins and ends it. */
function hookless(value: unknown): unknown {
  return new Proxy(value as object, {
    get: (target, name) => {
      if (HOOKS.has(name)) return undefined;
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
