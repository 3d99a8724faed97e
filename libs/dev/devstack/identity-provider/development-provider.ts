import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Configuration, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { defineConfig, loadConfig } from '#platform/process';
import { DevstackError } from '../devstack.error';
import { DEVELOPMENT_PEOPLE, type DevelopmentPerson } from './development-people';
import { DEVELOPMENT_CLIENT_ID } from './development-provider-client';
import { type IdentityProviderSecrets } from './identity-provider-secrets';

const HOST = '127.0.0.1';

const SCOPES = ['openid', 'profile', 'groups', 'offline_access'];
const HOUR_S = 60 * 60;
const MAX_FORM_BYTES = 1_024;

export interface DevelopmentProviderOptions {
  /** TCP port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  /** Origin of the kernel's pages. */
  readonly webOrigin: string;
  readonly secrets: IdentityProviderSecrets;
  readonly people?: readonly DevelopmentPerson[];
  /** Origin that browsers and the kernel reach it under; default http://127.0.0.1:<port>. */
  readonly issuer?: string;
  /** Where sessions and grants are kept; default in memory. A test that makes a second provider keeps them. */
  readonly adapter?: Configuration['adapter'];
}

export interface DevelopmentProvider {
  readonly issuer: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Starts an identity provider that asks no one for a password: its sign-in page has one button per person. A real one in
 * every other way (oidc-provider).
 * @throws DevstackError `unsupported_option` in production, `port_in_use`
 */
export async function startDevelopmentProvider(
  options: DevelopmentProviderOptions,
): Promise<DevelopmentProvider> {
  if (loadConfig(defineConfig({})).isProduction) {
    throw new DevstackError(
      'unsupported_option',
      'The development identity provider signs anyone in as anyone and is refused in production; set KERNEL_OIDC_ISSUER to a real one.',
    );
  }
  // Its issuer has the port, which is known once the server listens.
  const started: { provider?: Provider } = {};
  const people = options.people ?? DEVELOPMENT_PEOPLE;
  const server = createServer((request, response) => {
    const { provider } = started;
    if (provider === undefined) return void response.writeHead(503).end();
    const asked = /^\/interaction\/[\w-]{1,64}$/.test(request.url?.split('?', 1)[0] ?? '');
    if (asked) void choosePerson(provider, people, request, response);
    else void provider.callback()(request, response);
  });
  const port = await listen(server, options.port);
  const issuer = options.issuer ?? `http://${HOST}:${port}`;
  started.provider = new Provider(issuer, configuration(options, people, issuer));
  return {
    issuer,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function configuration(
  { webOrigin, secrets, adapter }: DevelopmentProviderOptions,
  people: readonly DevelopmentPerson[],
  issuer: string,
): Configuration {
  const audience = webOrigin;
  return {
    ...(adapter !== undefined && { adapter }),
    clients: [
      {
        client_id: DEVELOPMENT_CLIENT_ID,
        client_secret: secrets.clientSecret,
        redirect_uris: [`${webOrigin}/auth/callback`],
        post_logout_redirect_uris: [`${webOrigin}/`],
        backchannel_logout_uri: `${webOrigin}/auth/backchannel-logout`,
        backchannel_logout_session_required: true,
        response_types: ['code'],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: secrets.keys },
    cookies: { keys: [secrets.cookieKey] },
    scopes: SCOPES,
    claims: { openid: ['sub', 'sid', 'auth_time'], profile: ['name'], groups: ['groups', 'division'] },
    // Else groups are at the userinfo endpoint alone.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    issueRefreshToken: (_context, client) => Promise.resolve(client.grantTypeAllowed('refresh_token')),
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: (_context, resource) => {
          if (resource !== audience) throw new Error('unknown resource');
          return { scope: 'groups', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
        },
      },
    },
    extraTokenClaims: (_context, token) => {
      const person = 'accountId' in token ? people.find(({ sub }) => sub === token.accountId) : undefined;
      return person && { groups: [...person.groups], division: person.division };
    },
    findAccount: (_context, sub) => {
      const person = people.find((one) => one.sub === sub);
      if (person === undefined) return undefined;
      const { name, groups, division } = person;
      return { accountId: sub, claims: () => ({ sub, name, groups: [...groups], division }) };
    },
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: (context) => grantedWithoutAsking(context, audience),
    ttl: {
      AccessToken: HOUR_S,
      AuthorizationCode: 60,
      Grant: 24 * HOUR_S,
      IdToken: HOUR_S,
      Interaction: HOUR_S,
      RefreshToken: 24 * HOUR_S,
      Session: 24 * HOUR_S,
    },
    // Its own dispatcher would not call a kernel on this machine.
    fetch: (url: URL | string, { method, headers, body, redirect }: RequestInit) =>
      fetch(url, {
        ...(method !== undefined && { method }),
        ...(headers !== undefined && { headers }),
        ...(body !== undefined && { body }),
        ...(redirect !== undefined && { redirect }),
        signal: AbortSignal.timeout(5_000),
      }),
    renderError: (context, { error, error_description: why }) => {
      context.type = 'html';
      context.body = page('Not signed in', `<p>${escaped(`${error}: ${why ?? ''}`)}</p>`);
    },
    ...(issuer.startsWith('https:') && { proxy: true }),
  } as Configuration;
}

/** Consent is for people who do not know the client. */
async function grantedWithoutAsking(context: KoaContextWithOIDC, audience: string) {
  const { client, session, provider, result } = context.oidc;
  const clientId = client?.clientId ?? '';
  const known = result?.consent?.grantId ?? session?.grantIdFor(clientId);
  if (known !== undefined) return provider.Grant.find(known);
  const grant = new provider.Grant({ clientId, accountId: session?.accountId ?? '' });
  grant.addOIDCScope(SCOPES.join(' '));
  grant.addResourceScope(audience, 'groups');
  await grant.save();
  return grant;
}

/** The sign-in page, and the press of one of its buttons. */
async function choosePerson(
  provider: Provider,
  people: readonly DevelopmentPerson[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (request.method === 'POST') {
      const chosen = new URLSearchParams(await formOf(request)).get('sub');
      const person = people.find(({ sub }) => sub === chosen);
      if (person !== undefined) {
        await provider.interactionFinished(request, response, { login: { accountId: person.sub } });
        return;
      }
    }
    await provider.interactionDetails(request, response);
    const buttons = people.map(
      ({ sub, name, groups }) =>
        `<p><button name="sub" value="${escaped(sub)}">${escaped(sub)}</button> ${escaped(name)}` +
        `${groups.length > 0 ? `, in ${escaped(groups.join(', '))}` : ', in no group'}</p>`,
    );
    send(
      response,
      200,
      page(
        'Development sign-in',
        `<p>This identity provider is for development: anyone signs in as anyone.</p>\n<form method="post">\n${buttons.join('\n')}\n</form>`,
      ),
    );
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    send(response, 400, page('Not signed in', `<p>${escaped(why)}</p>`));
  }
}

async function formOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_FORM_BYTES) throw new Error('the form is too long');
  }
  return text;
}

function logoutSource(context: KoaContextWithOIDC, form: string): void {
  context.type = 'html';
  context.body = page(
    'Sign out',
    `${form}\n<p>Sign out of the development identity provider too?</p>\n` +
      '<button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>\n' +
      '<button type="submit" form="op.logoutForm">Stay signed in there</button>',
  );
}

function postLogoutSuccessSource(context: KoaContextWithOIDC): void {
  context.type = 'html';
  context.body = page('Signed out', '<p>You are signed out.</p>');
}

function page(title: string, body: string): string {
  return `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${title}</title></head>\n<body>\n<h1>${title}</h1>\n${body}\n</body>\n</html>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function send(response: ServerResponse, status: number, html: string): void {
  response
    .writeHead(status, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' })
    .end(html);
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new DevstackError('port_in_use', `Port ${port} (identity provider) is already in use.`, { port })
          : error,
      ),
    );
    server.listen(port, HOST, () => resolve());
  });
  return (server.address() as AddressInfo).port;
}
