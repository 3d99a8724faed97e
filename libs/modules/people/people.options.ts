import { readFileSync } from 'node:fs';
import { ConfigError, type ConfigProblem, type Secret } from '#platform/process';
import { type SessionLimits } from './domain/person-session';
import { type RoleMapping } from './domain/role-claims';
import { type PeopleConfig } from './people.settings';

const MINUTE_MS = 60_000;

/** Everything that sign-in needs to know. */
export class PeopleOptions {
  /** Scheme, host and port of the pages. */
  readonly origin!: string;
  readonly issuer!: string;
  readonly clientId!: string;
  readonly clientSecret!: Secret;
  readonly clientAuth!: PeopleConfig['oidcClientAuth'];
  readonly ca!: string | undefined;
  readonly scopes!: readonly string[];
  readonly algorithms!: readonly string[];
  readonly mapping!: RoleMapping;
  readonly clockToleranceS!: number;
  readonly refreshMs!: number;
  readonly tokenAudience!: string | undefined;
  readonly session!: SessionLimits;
  readonly signInLimit!: number;
  readonly trustedProxies!: number;
  /** Endpoints of the provider may be HTTP. */
  readonly isDevelopment!: boolean;
}

/**
 * The options of sign-in, or undefined where there is no listener for people.
 * @throws ConfigError naming every setting that is missing, contradicts another, or does not do in production
 */
export function peopleOptions(config: PeopleConfig): PeopleOptions | undefined {
  const { webPort, webOrigin, oidcIssuer, oidcClientId, oidcClientSecret, isProduction } = config;
  if (webPort === undefined) return undefined;
  const problems: ConfigProblem[] = [];
  const complain = (member: string, problem: string) => void problems.push({ member, problem });
  for (const [member, value] of Object.entries({
    KERNEL_WEB_ORIGIN: webOrigin,
    KERNEL_OIDC_ISSUER: oidcIssuer,
    KERNEL_OIDC_CLIENT_ID: oidcClientId,
    KERNEL_OIDC_CLIENT_SECRET: oidcClientSecret,
  })) {
    if (value === undefined) complain(member, 'is missing: KERNEL_WEB_PORT opens a listener for people');
  }
  const hasTls = config.webTlsCertFile !== undefined;
  if (hasTls !== (config.webTlsKeyFile !== undefined)) {
    complain('KERNEL_WEB_TLS_KEY_FILE', 'goes together with KERNEL_WEB_TLS_CERT_FILE');
  }
  if (webOrigin !== undefined && new URL(webOrigin).origin !== webOrigin) {
    complain('KERNEL_WEB_ORIGIN', `is more than an origin; expected ${new URL(webOrigin).origin}`);
  }
  const isHttps = webOrigin?.startsWith('https:') === true;
  if (hasTls && !isHttps) complain('KERNEL_WEB_ORIGIN', 'has to be https with KERNEL_WEB_TLS_CERT_FILE');
  if (isHttps && !hasTls && !config.webBehindTlsProxy) {
    complain(
      'KERNEL_WEB_TLS_CERT_FILE',
      'is missing for an origin of https; where a proxy ends TLS, set KERNEL_WEB_BEHIND_TLS_PROXY',
    );
  }
  if (isProduction && !isHttps) complain('KERNEL_WEB_ORIGIN', 'has to be https in production');
  if (oidcIssuer !== undefined && !oidcIssuer.startsWith('https:')) {
    const { hostname } = new URL(oidcIssuer);
    if (isProduction) complain('KERNEL_OIDC_ISSUER', 'has to be https in production');
    else if (!['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) {
      complain('KERNEL_OIDC_ISSUER', 'has to be https, except on this machine in development');
    }
  }
  // OpenID Connect Core section 2; a # would let one issuer and subject read as another's.
  if (oidcIssuer !== undefined && /[?#]/.test(oidcIssuer)) {
    complain('KERNEL_OIDC_ISSUER', 'has a query or a fragment, which an issuer has not');
  }
  if (problems.length > 0) throw new ConfigError('invalid_configuration', problems);
  return Object.freeze({
    origin: webOrigin ?? '',
    issuer: oidcIssuer ?? '',
    clientId: oidcClientId ?? '',
    clientSecret: oidcClientSecret ?? '',
    clientAuth: config.oidcClientAuth,
    ca: config.oidcCaFile === undefined ? undefined : readFileSync(config.oidcCaFile, 'utf8'),
    scopes: [...new Set(['openid', ...config.oidcScopes])],
    algorithms: config.oidcAlgorithms,
    mapping: { rules: config.oidcRoles, union: config.oidcUniteRoles },
    clockToleranceS: config.oidcClockToleranceSeconds,
    refreshMs: config.oidcRefreshMinutes * MINUTE_MS,
    tokenAudience: config.oidcTokenAudience,
    session: {
      idleMs: config.sessionIdleMinutes * MINUTE_MS,
      absoluteMs: config.sessionMaxHours * 60 * MINUTE_MS,
    },
    signInLimit: config.signInLimit,
    trustedProxies: config.webTrustedProxies,
    isDevelopment: !isProduction,
  });
}
