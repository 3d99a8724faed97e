import { type TestDatabase, withPostgres } from '#dev/testing';
import { migrate } from '#platform/event-store';
import { TestPeople, until } from './fixtures/people.fixture';
import { type Instead, type ProviderFront } from './fixtures/provider-front.fixture';

const ORIGIN = 'kernel.example.com/test';
const DISCOVERY = '/.well-known/openid-configuration';
const NOT_FOUND = 'the identity provider does not say where its endpoints are';

describe('an identity provider', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let people: TestPeople;
  let front: ProviderFront;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    people = await TestPeople.start(database, {}, { front: true });
    if (people.front === undefined) throw new Error('there is no front');
    ({ front } = people);
  });
  afterEach(() => people.close());

  const changed = (change: Record<string, unknown>): Instead => ({
    changed: (genuine) => ({ ...genuine, ...change }),
  });
  const signIn = async (): Promise<number> => {
    const browser = people.browser();
    return (await browser.get((await browser.choose(await browser.begin(), 'operator')).href)).status;
  };

  it.each<[string, () => Instead]>([
    ['that names itself otherwise', () => changed({ issuer: 'https://evil.example' })],
    ['that names itself with a slash more', () => changed({ issuer: `${front.origin}/` })],
    ['without endpoint for tokens', () => changed({ token_endpoint: undefined })],
    ['without keys', () => changed({ jwks_uri: undefined })],
    ['whose endpoint is no URL of http', () => changed({ authorization_endpoint: 'javascript:alert(1)' })],
    ['whose endpoint carries a password', () => changed({ token_endpoint: 'http://a:b@127.0.0.1/token' })],
    ['that is no JSON', () => ({ bytes: Buffer.from('<html>maintenance</html>') })],
    ['that is a list', () => ({ json: [] })],
    ['that is endless', () => ({ bytes: Buffer.alloc(3 * 1_024 * 1_024, ' ') })],
    ['that is elsewhere', () => ({ status: 302, location: 'http://127.0.0.1:1/' })],
    ['that is a failure', () => ({ status: 500 })],
  ])('with a discovery document %s has nobody sent to it', async (_, instead) => {
    front.answerWith(DISCOVERY, instead());
    const answer = await people.browser().get('/auth/login');
    expect([answer.status, answer.headers.get('location'), await answer.text()]).toEqual([
      503,
      null,
      expect.stringContaining('The identity provider does not answer'),
    ]);
    front.restore(DISCOVERY);
    expect(await signIn()).toBe(303);
  });

  it('that moves its endpoints is found again by a sign-in that failed', async () => {
    expect(await signIn()).toBe(303);
    front.answerWith(DISCOVERY, changed({ token_endpoint: `${front.origin}/moved/token` }));
    front.move('/token', '/moved/token');
    front.answerWith('/token', { status: 404 });
    const statuses: number[] = [];
    await until(async () => statuses.push(await signIn()) > 0 && statuses.at(-1) === 303);
    expect(statuses.slice(0, -1)).not.toHaveLength(0);
    expect(new Set(statuses.slice(0, -1))).toEqual(new Set([503]));
    expect((await people.provider.endpoints()).tokenUrl).toBe(`${front.origin}/moved/token`);
  });

  it('that names itself otherwise later is known as before, and the log and a metric say so', async () => {
    expect(await signIn()).toBe(303);
    front.answerWith(DISCOVERY, changed({ issuer: 'https://evil.example' }));
    front.answerWith('/token', { status: 500 });
    await until(async () => (await signIn()) === 503 && people.log.join('').includes(NOT_FOUND));
    expect(await people.registry.metrics()).toMatch(
      /kernel_oidc_failures_total\{request="discovery"\} [1-9]/,
    );
    front.restore('/token');
    expect(await signIn()).toBe(303);
    expect(await people.provider.endpoints()).toMatchObject({ issuer: front.origin });
  });

  it('whose keys cannot be fetched signs no one in, and says so', async () => {
    front.answerWith('/jwks', { status: 500 });
    expect(await signIn()).toBe(503);
    expect(await people.registry.metrics()).toContain('kernel_oidc_failures_total{request="keys"} 1');
    front.restore('/jwks');
    expect(await signIn()).toBe(303);
  });

  it('that is asked too often ends no session', async () => {
    await people.close();
    people = await TestPeople.start(database, { refreshMs: 1 }, { front: true });
    const browser = people.browser();
    await browser.signIn('operator');
    people.front?.answerWith('/token', { status: 429 });
    await until(
      async () =>
        people.log.join('').includes('a session was not refreshed') ||
        (await browser.get('/auth/session')).status !== 200,
    );
    expect((await browser.get('/auth/session')).status).toBe(200);
    expect(people.ends).toEqual([]);
  });
});
