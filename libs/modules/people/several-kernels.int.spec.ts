import { type RequestListener } from 'node:http';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { migrate, RowKey } from '#platform/event-store';
import { TestPeople, until } from './fixtures/people.fixture';

const ORIGIN = 'kernel.example.com/test';

/** Two kernel processes behind one origin. */
describe('several kernels', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let one: TestPeople;
  let two: TestPeople;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    const rowKey = RowKey.random(ORIGIN);
    one = await TestPeople.start(database, {}, { rowKey });
    const { origin, issuer, clientSecret } = one.options;
    two = await TestPeople.start(database, { origin, issuer, clientSecret }, { rowKey, idp: false });
    // As a load balancer that knows no sessions: in turn.
    const sites = [one, two].map(({ web }) => web.listeners('request')[0] as RequestListener);
    let turn = 0;
    one.web.removeAllListeners('request').on('request', (request, response) => {
      sites[turn++ % sites.length]?.(request, response);
    });
  });
  afterAll(async () => {
    await two.close();
    await one.close();
    await database.drop();
  });

  it('share their sessions: begun at one, opened at another, ended at either', async () => {
    const browser = one.browser();
    const callback = await browser.choose(await browser.begin(), 'operator');
    expect((await browser.get(callback.href)).status).toBe(303);
    for (let n = 0; n < 4; n++) expect((await browser.get('/auth/session')).status).toBe(200);
    // The answer is good once, whichever of them gets it.
    for (let n = 0; n < 2; n++) expect((await browser.get(callback.href)).status).toBe(400);
    const cookie = browser.sessionCookie;
    expect((await browser.post('/auth/logout')).status).toBe(303);
    browser.sessionCookie = cookie;
    for (let n = 0; n < 2; n++) expect((await browser.get('/auth/session')).status).toBe(401);
    await until(() => [...one.ends, ...two.ends].includes('signed_out'));
    expect([...one.types, ...two.types].filter((type) => type === 'session.opened')).toHaveLength(1);
  });

  it('open one session for an answer that comes to both at the same time', async () => {
    const browser = one.browser();
    const callback = await browser.choose(await browser.begin(), 'auditor');
    const answers = await Promise.all([1, 2, 3, 4].map(() => browser.get(callback.href)));
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
  });
});
