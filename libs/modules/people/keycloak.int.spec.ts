import { freePort, DEVELOPMENT_CLIENT_ID, DEVELOPMENT_PEOPLE } from '#dev/devstack';
import {
  describeWithKeycloak,
  KEYCLOAK_START_MS,
  startTestKeycloak,
  type TestBrowser,
  type TestDatabase,
  type TestKeycloak,
  withPostgres,
} from '#dev/testing';
import { migrate } from '#platform/event-store';
import { TestPeople, until } from './fixtures/people.fixture';

const ORIGIN = 'kernel.example.com/test';
const SECRET = 'a-secret-of-the-client';

/** What sign-in.int.spec.ts has against oidc-provider, as far as another provider can make a difference. */
describeWithKeycloak('sign-in at Keycloak', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let keycloak: TestKeycloak;
  let people: TestPeople;
  let browser: TestBrowser;

  beforeAll(async () => {
    const port = await freePort();
    keycloak = await startTestKeycloak({
      webOrigin: `http://localhost:${port}`,
      clientId: DEVELOPMENT_CLIENT_ID,
      clientSecret: SECRET,
      people: DEVELOPMENT_PEOPLE,
    });
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    const settings = {
      issuer: keycloak.issuer,
      clientSecret: SECRET,
      algorithms: ['RS256'],
      scopes: ['openid', 'profile'],
      refreshMs: 1,
    };
    people = await TestPeople.start(database, settings, { idp: false, port });
  }, KEYCLOAK_START_MS);
  afterAll(async () => {
    await people.close();
    await database.drop();
    await keycloak.stop();
  });
  beforeEach(() => {
    browser = people.browser();
  });

  const send = (url: string, init?: RequestInit) => browser.send(url, init);
  const signIn = async (person: string, query = ''): Promise<Response> =>
    browser.get((await keycloak.signIn(send, await browser.begin(query), person)).href);
  const session = async () =>
    (await (await browser.get('/auth/session', { accept: 'application/json' })).json()) as Record<
      string,
      unknown
    >;

  it.each([
    ['operator', { roles: ['Operator'], division: null }],
    ['lead', { roles: ['DivisionLead'], division: 'product' }],
    ['norole', { roles: [] }],
  ])('signs in %s with role and division', async (person, expected) => {
    const answer = await signIn(person, '?returnTo=/upgrades');
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/upgrades']);
    expect(await session()).toMatchObject({ issuer: keycloak.issuer, ...expected });
    // Refreshes rotate there.
    expect(await session()).toMatchObject(expected);
    expect(await session()).toMatchObject(expected);
  });

  it('takes no answer of another browser, of another issuer, or twice', async () => {
    const callback = await keycloak.signIn(send, await browser.begin(), 'operator');
    expect((await people.browser().get(callback.href)).status).toBe(400);
    const mixed = new URL(callback);
    mixed.searchParams.set('iss', 'https://evil.example');
    expect((await browser.get(mixed.href)).status).toBe(400);
    expect((await browser.get(callback.href)).status).toBe(400);
  });

  it('says when the person proved who they are, and asks again where that is needed', async () => {
    await signIn('superadmin');
    const first = Date.parse(String((await session())['authenticatedAt']));
    expect(Math.abs(Date.now() - first)).toBeLessThan(60_000);
    const asked = await browser.begin('?fresh=true');
    const callback = await keycloak.signIn(send, asked, 'superadmin');
    expect((await browser.get(callback.href)).status).toBe(303);
  });

  it('changes its keys without a failed sign-in', async () => {
    await signIn('operator');
    for (const person of ['auditor', 'lead']) {
      await keycloak.rotateKeys();
      browser = people.browser();
      expect([person, (await signIn(person)).status]).toEqual([person, 303]);
      expect(await session()).toMatchObject({ issuer: keycloak.issuer });
    }
  });

  it('ends the session there, and tells so by the back channel: other sessions of that sign-in end too', async () => {
    await signIn('operator');
    const other = people.browser();
    other.adopt(browser, keycloak.issuer);
    const callback = await keycloak.signIn(
      (url, init) => other.send(url, init),
      await other.begin(),
      'operator',
    );
    expect((await other.get(callback.href)).status).toBe(303);
    const elsewhere = people.browser();
    const apart = await keycloak.signIn(
      (url, init) => elsewhere.send(url, init),
      await elsewhere.begin(),
      'operator',
    );
    expect((await elsewhere.get(apart.href)).status).toBe(303);
    const answer = await browser.post('/auth/logout', {}, { accept: 'application/json' });
    const { location } = (await answer.json()) as { location: string };
    expect((await browser.get(location)).status).toBe(302);
    await until(() => people.ends.includes('signed_out_at_provider'));
    expect((await other.get('/auth/session')).status).toBe(401);
    expect((await elsewhere.get('/auth/session')).status).toBe(200);
    expect(people.ends.filter((reason) => reason === 'signed_out_at_provider')).toHaveLength(1);
  });
});
