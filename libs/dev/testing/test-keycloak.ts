import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BoundedLog, freePort, guardFolder, releaseFolder, startChild, userCache } from '#dev/devstack';
import { defineConfig, loadConfig, text } from '#platform/process';
import { describeWith, nightly } from './describe-with';

/** scripts/install-keycloak.sh fetches the same version. */
const VERSION = '26.4.7';
/** The first start builds the server, on two busy cores for minutes. */
export const KEYCLOAK_START_MS = 480_000;
const STOP_GRACE_MS = 20_000;
const REALM = 'kernel';
const PASSWORD = 'a password for tests';

const ADMIN = 'admin';

const settings = defineConfig({
  PATH: { schema: text().optional(), description: 'Where programs are.' },
});

function keycloakFolder(): string {
  return join(userCache(), `keycloak-${VERSION}`);
}

/** A suite that needs a real Keycloak: nightly, since the server takes minutes to start. */
export function describeWithKeycloak(name: string, suite: () => void): void {
  const absent = existsSync(keycloakFolder())
    ? null
    : `Keycloak ${VERSION} is not installed (scripts/install-keycloak.sh fetches it with Maven)`;
  describeWith(nightly(absent), name, suite);
}

export interface KeycloakPerson {
  readonly sub: string;
  readonly groups: readonly string[];
  readonly division?: string;
}

export interface TestKeycloak {
  readonly issuer: string;
  /** Presses through its sign-in page: from the request for authorization to the callback's URL. */
  signIn(
    send: (url: string, init?: RequestInit) => Promise<Response>,
    authorization: URL,
    person: string,
  ): Promise<URL>;
  /** Signs with a new key from now on; the one before stays published, as Keycloak rotates. */
  rotateKeys(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Keycloak with a realm for a kernel whose pages are at `webOrigin`. */
export async function startTestKeycloak(options: {
  webOrigin: string;
  clientId: string;
  clientSecret: string;
  people: readonly KeycloakPerson[];
}): Promise<TestKeycloak> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-keycloak-'));
  guardFolder(dir);
  const home = join(dir, 'keycloak');
  // Two servers on one folder refuse each other: what is written is copied, the rest is shared.
  await mkdir(join(home, 'data', 'import'), { recursive: true });
  for (const part of ['bin', 'conf', 'providers', 'themes']) {
    await cp(join(keycloakFolder(), part), join(home, part), { recursive: true }).catch(() => undefined);
  }
  await cp(join(keycloakFolder(), 'lib'), join(home, 'lib'), { recursive: true });
  await symlink(join(keycloakFolder(), 'version.txt'), join(home, 'version.txt')).catch(() => undefined);
  const [port, management] = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${port}`;
  await writeFile(join(home, 'data', 'import', `${REALM}-realm.json`), JSON.stringify(realmOf(options)));
  const log = new BoundedLog(join(dir, 'keycloak.log'));
  const child = await startChild({
    command: join(home, 'bin', 'kc.sh'),
    args: [
      'start-dev',
      '--import-realm',
      '--http-host=127.0.0.1',
      `--http-port=${port}`,
      `--http-management-port=${management}`,
      `--hostname=${origin}`,
      '--health-enabled=true',
    ],
    env: {
      PATH: loadConfig(settings).path ?? '',
      HOME: dir,
      JAVA_OPTS: '-Xms64m -Xmx512m',
      KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN,
      KC_BOOTSTRAP_ADMIN_PASSWORD: PASSWORD,
    },
    cwd: home,
    log,
  });
  const stop = async (): Promise<void> => {
    // kc.sh replaces itself by Java: the child is the server.
    await child.stop(STOP_GRACE_MS);
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  };
  const issuer = `${origin}/realms/${REALM}`;
  const deadline = Date.now() + KEYCLOAK_START_MS;
  while (!(await answers(`${issuer}/.well-known/openid-configuration`))) {
    if (child.exit === undefined && Date.now() < deadline) {
      await delay(500);
      continue;
    }
    const lines = log.tail(5).join('\n');
    await stop();
    throw new Error(`Keycloak did not start:\n${lines}`);
  }
  let rotations = 0;
  return { issuer, stop, signIn, rotateKeys: () => rotateKeys(origin, ++rotations) };
}

/** By the admin API, as an operator does: a key of a higher priority. */
async function rotateKeys(origin: string, n: number): Promise<void> {
  const login = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: 'admin-cli',
      username: ADMIN,
      password: PASSWORD,
    }),
  });
  const { access_token: token } = (await login.json()) as { access_token: string };
  const answer = await fetch(`${origin}/admin/realms/${REALM}/components`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      name: `rotated-${n}`,
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      config: { priority: [String(1_000 + n)], keySize: ['2048'], algorithm: ['RS256'] },
    }),
  });
  if (answer.status !== 201) throw new Error(`no new key: ${answer.status} ${await answer.text()}`);
}

async function signIn(
  send: (url: string, init?: RequestInit) => Promise<Response>,
  authorization: URL,
  person: string,
): Promise<URL> {
  let answer = await send(authorization.href);
  if (answer.status === 200) {
    const [, action = ''] = /<form[^>]*action="([^"]+)"/.exec(await answer.text()) ?? [];
    answer = await send(action.replaceAll('&amp;', '&'), {
      method: 'POST',
      body: new URLSearchParams({ username: person, password: PASSWORD }),
      headers: { origin: authorization.origin },
    });
  }
  const location = answer.headers.get('location');
  if (location === null)
    throw new Error(`Keycloak did not go on: ${answer.status} ${(await answer.text()).slice(0, 500)}`);
  return new URL(location);
}

async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

function realmOf({
  webOrigin,
  clientId,
  clientSecret,
  people,
}: Parameters<typeof startTestKeycloak>[0]): object {
  const mapper = (name: string, protocolMapper: string, config: object) => ({
    name,
    protocol: 'openid-connect',
    protocolMapper,
    config: { 'id.token.claim': 'true', 'access.token.claim': 'true', 'claim.name': name, ...config },
  });
  return {
    realm: REALM,
    enabled: true,
    sslRequired: 'none',
    groups: [...new Set(people.flatMap(({ groups }) => groups))].map((name) => ({ name })),
    users: people.map(({ sub, groups, division }) => ({
      username: sub,
      enabled: true,
      email: `${sub}@example.com`,
      emailVerified: true,
      firstName: sub,
      lastName: 'Test',
      credentials: [{ type: 'password', value: PASSWORD, temporary: false }],
      groups: groups.map((name) => `/${name}`),
      ...(division !== undefined && { attributes: { division: [division] } }),
    })),
    // Attributes that no profile declares are dropped otherwise.
    components: {
      'org.keycloak.userprofile.UserProfileProvider': [
        {
          providerId: 'declarative-user-profile',
          config: {
            'kc.user.profile.config': [
              JSON.stringify({
                unmanagedAttributePolicy: 'ENABLED',
                attributes: ['username', 'email', 'firstName', 'lastName'].map((name) => ({
                  name,
                  permissions: { view: ['admin', 'user'], edit: ['admin', 'user'] },
                })),
              }),
            ],
          },
        },
      ],
    },
    clients: [
      {
        clientId,
        secret: clientSecret,
        protocol: 'openid-connect',
        publicClient: false,
        standardFlowEnabled: true,
        redirectUris: [`${webOrigin}/auth/callback`],
        attributes: {
          'pkce.code.challenge.method': 'S256',
          'post.logout.redirect.uris': `${webOrigin}/`,
          'backchannel.logout.url': `${webOrigin}/auth/backchannel-logout`,
          'backchannel.logout.session.required': 'true',
        },
        protocolMappers: [
          mapper('groups', 'oidc-group-membership-mapper', { 'full.path': 'false' }),
          mapper('division', 'oidc-usermodel-attribute-mapper', {
            'user.attribute': 'division',
            'jsonType.label': 'String',
          }),
        ],
      },
    ],
  };
}
