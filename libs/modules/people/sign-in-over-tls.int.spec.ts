import { TestCa, type TestBrowser, type TestDatabase, withPostgres } from '#dev/testing';
import { migrate } from '#platform/event-store';
import { TestPeople } from './fixtures/people.fixture';

const ORIGIN = 'kernel.example.com/test';

describe('sign-in over TLS', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let people: TestPeople;
  let browser: TestBrowser;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    const ca = await TestCa.create();
    const { cert, key } = await ca.issueServer();
    people = await TestPeople.start(database, {}, { tls: { cert, key, ca: ca.cert } });
    browser = people.browser();
  });
  afterAll(async () => {
    await people.close();
    await database.drop();
  });

  it('has a cookie that no other host can plant, and that goes over TLS alone', async () => {
    expect((await browser.signIn('operator')).status).toBe(303);
    const lines = browser.setCookies.filter((line) => line.includes('kernel-session'));
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).toMatch(/^__Host-kernel-session=s%3A/);
      expect(new Set(line.split('; ').slice(1))).toEqual(
        new Set(['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax']),
      );
    }
    const answer = await browser.get('/auth/session', { accept: 'application/json' });
    expect(await answer.json()).toMatchObject({ roles: ['Operator'] });
  });

  it('knows no session by the name that the cookie has without TLS', async () => {
    await browser.signIn('operator');
    const cookie = `kernel-session=${browser.sessionCookie}`;
    expect((await browser.get('/auth/session', { cookie })).status).toBe(401);
  });

  it('takes the cookie away at sign-out', async () => {
    await browser.signIn('operator');
    expect((await browser.post('/auth/logout')).status).toBe(303);
    expect(browser.setCookies.at(-1)).toMatch(
      /^__Host-kernel-session=; Path=\/; Expires=Thu, 01 Jan 1970 .*; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(browser.sessionCookie).toBeUndefined();
  });
});
