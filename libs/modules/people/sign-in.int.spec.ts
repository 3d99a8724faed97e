import { type TestBrowser, type TestDatabase, withPostgres } from '#dev/testing';
import { migrate } from '#platform/event-store';
import { TestPeople, until } from './fixtures/people.fixture';
import { MOST_SESSIONS } from './sessions/open-session';

const ORIGIN = 'kernel.example.com/test';

describe('sign-in', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let people: TestPeople;
  let browser: TestBrowser;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    people = await TestPeople.start(database);
    browser = people.browser();
  });
  afterEach(async () => {
    await people.dataSource.query('DELETE FROM kernel.sessions');
    await people.close();
  });

  const sessionOf = async (of: TestBrowser): Promise<Record<string, unknown>> => {
    const answer = await of.get('/auth/session', { accept: 'application/json' });
    return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) };
  };
  const refusals = () =>
    people.events.filter(({ type }) => type === 'session.refused').map(({ payload }) => payload['reason']);

  it('asks with PKCE, state and nonce, and takes the person back to the page they came from', async () => {
    const asked = await browser.begin('?returnTo=/upgrades/upg-1');
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      state: expect.stringMatching(/^[\w-]{43}$/) as string,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as string,
      redirect_uri: `${people.options.origin}/auth/callback`,
      scope: 'openid profile groups',
    });
    const callback = await browser.choose(asked, 'operator');
    const answer = await browser.get(callback.href);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/upgrades/upg-1']);
    expect(await sessionOf(browser)).toMatchObject({
      status: 200,
      principal: `${people.idp?.issuer}#operator`,
      roles: ['Operator'],
      division: null,
      approverId: null,
      roleless: null,
    });
    expect(people.events).toMatchObject([
      {
        type: 'session.opened',
        actor: { kind: 'human', roles: ['Operator'] },
        payload: { roles: ['Operator'] },
      },
    ]);
  });

  it.each([
    ['superadmin', { roles: ['SuperAdmin'], division: null }],
    ['lead', { roles: ['DivisionLead'], division: 'product' }],
    ['auditor', { roles: ['Auditor'] }],
    ['approver-3', { roles: [], approverId: 'approver-3' }],
    ['norole', { roles: [], roleless: expect.stringContaining('None of the groups') as string }],
  ])('names %s with role and division', async (person, expected) => {
    await browser.signIn(person);
    expect(await sessionOf(browser)).toMatchObject({ status: 200, ...expected });
  });

  it('sets a cookie that no script reads and no other site sends along with a request that changes something', async () => {
    await browser.signIn('operator');
    for (const line of browser.setCookies.filter((one) => one.startsWith('kernel-session='))) {
      expect(line).toMatch(/; HttpOnly/);
      expect(line).toMatch(/; SameSite=Lax/);
      expect(line).toMatch(/; Path=\//);
      expect(line).not.toMatch(/Domain=/);
    }
  });

  it('replaces the session that was there before (session fixation)', async () => {
    const attacker = people.browser();
    const asked = await attacker.begin();
    const planted = attacker.sessionCookie;
    // The victim finishes, in a browser into which the attacker planted their cookie, the sign-in that belongs to it.
    browser.sessionCookie = planted;
    const callback = await browser.choose(asked, 'superadmin');
    expect((await browser.get(callback.href)).status).toBe(303);
    expect(browser.sessionCookie).not.toBe(planted);
    expect(await sessionOf(browser)).toMatchObject({ status: 200, roles: ['SuperAdmin'] });
    attacker.sessionCookie = planted;
    expect(await sessionOf(attacker)).toMatchObject({ status: 401 });
  });

  it('does not take an answer into another browser (login CSRF)', async () => {
    const attacker = people.browser();
    const callback = await attacker.choose(await attacker.begin(), 'operator');
    expect((await browser.get(callback.href)).status).toBe(400);
    await browser.begin();
    expect((await browser.get(callback.href)).status).toBe(400);
    expect(refusals()).toEqual(['state_mismatch', 'state_mismatch']);
    expect(await sessionOf(browser)).toMatchObject({ status: 401 });
  });

  it('takes an answer once, also when it comes twice at the same time', async () => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    const answers = await Promise.all([1, 2, 3].map(() => browser.get(callback.href)));
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
    expect((await browser.get(callback.href)).status).toBe(400);
    expect(people.types.filter((type) => type === 'session.opened')).toHaveLength(1);
  });

  it('takes no code that was used before, nor one of another sign-in', async () => {
    const used = await browser.choose(await browser.begin(), 'operator');
    await browser.get(used.href);
    const again = await browser.begin();
    const mixed = new URL(used);
    mixed.searchParams.set('state', again.searchParams.get('state') ?? '');
    const answer = await browser.get(mixed.href);
    expect([answer.status, refusals()]).toEqual([401, ['code_refused']]);
    // PKCE: the code of a stolen answer does not fit the verifier of another browser's sign-in.
    const victim = people.browser();
    const stolen = await victim.choose(await victim.begin(), 'superadmin');
    const thief = people.browser();
    stolen.searchParams.set('state', (await thief.begin()).searchParams.get('state') ?? '');
    expect((await thief.get(stolen.href)).status).toBe(401);
    expect(await sessionOf(thief)).toMatchObject({ status: 401 });
  });

  it.each<[string, (url: URL, issuer: string) => void, number, string]>([
    [
      'another issuer (mix-up)',
      (url) => url.searchParams.set('iss', 'https://evil.example'),
      400,
      'issuer_mismatch',
    ],
    ['no issuer', (url) => url.searchParams.delete('iss'), 400, 'issuer_mismatch'],
    ['two issuers', (url, issuer) => url.searchParams.append('iss', issuer), 400, 'issuer_mismatch'],
    ['no state', (url) => url.searchParams.delete('state'), 400, 'state_mismatch'],
    ['another state', (url) => url.searchParams.set('state', 'x'), 400, 'state_mismatch'],
    ['a state of the language', (url) => url.searchParams.set('state', '__proto__'), 400, 'state_mismatch'],
    ['two states', (url) => url.searchParams.append('state', 'x'), 400, 'state_mismatch'],
    ['no code', (url) => url.searchParams.delete('code'), 401, 'code_refused'],
    ['another code', (url) => url.searchParams.set('code', 'x'), 401, 'code_refused'],
    ['two codes', (url) => url.searchParams.append('code', 'x'), 401, 'code_refused'],
    ['a refusal', (url) => url.searchParams.set('error', 'access_denied'), 403, 'provider_refused'],
    [
      'a refusal of another issuer',
      (url) => {
        url.searchParams.set('error', 'access_denied');
        url.searchParams.set('iss', 'https://evil.example');
      },
      400,
      'issuer_mismatch',
    ],
    ['a failure', (url) => url.searchParams.set('error', 'server_error'), 503, 'provider_unavailable'],
  ])('refuses an answer with %s, and records it', async (_, change, status, reason) => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    change(callback, people.idp?.issuer ?? '');
    const answer = await browser.get(callback.href);
    expect([answer.status, refusals()]).toEqual([status, [reason]]);
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await answer.text()).toMatch(/<p>[A-Z][^<]+\.<\/p>/);
    expect(await sessionOf(browser)).toMatchObject({ status: 401 });
  });

  it('shows nothing of what a stranger wrote into the answer', async () => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    callback.searchParams.set('error', 'access_denied');
    callback.searchParams.set('error_description', '<script>alert(1)</script>');
    expect(await (await browser.get(callback.href)).text()).not.toContain('alert(1)');
  });

  it.each(['https://evil.example/', '//evil.example', '/\\evil.example', '/auth/logout'])(
    'does not send anyone to %s (open redirect)',
    async (page) => {
      const answer = await browser.signIn('operator', `?returnTo=${encodeURIComponent(page)}`);
      expect(answer.headers.get('location')).toBe('/');
    },
  );

  it('has no token, cookie or code in events or logs', async () => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    await browser.get(callback.href);
    await browser.get(callback.href);
    const cookie =
      decodeURIComponent(browser.sessionCookie ?? '')
        .slice(2)
        .split('.')[0] ?? '';
    const secrets = [cookie, callback.searchParams.get('code'), callback.searchParams.get('state')];
    const told = JSON.stringify(people.events) + people.log.join('');
    for (const secret of [...secrets, people.options.clientSecret, 'eyJ']) {
      expect(secret).toBeTruthy();
      expect(told).not.toContain(secret);
    }
  });

  it('opens no session that cannot be recorded', async () => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    people.chainFails = true;
    const answer = await browser.get(callback.href);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5']);
    people.chainFails = false;
    expect(await sessionOf(browser)).toMatchObject({ status: 401 });
  });

  it('records the end of the session before even when the new one cannot be recorded', async () => {
    await browser.signIn('operator');
    const { sessionId } = await sessionOf(browser);
    const callback = await browser.choose(await browser.begin(), 'operator');
    people.chainFails = true;
    expect((await browser.get(callback.href)).status).toBe(503);
    people.chainFails = false;
    await until(() => people.ends.length > 0);
    expect(people.events.at(-1)).toMatchObject({
      type: 'session.closed',
      payload: { sessionId, reason: 'replaced' },
    });
  });

  it('signs out here at once, by our own page alone, and says where to sign out at the provider', async () => {
    await browser.signIn('operator');
    expect((await browser.post('/auth/logout', {}, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await browser.get('/auth/logout')).status).toBe(200);
    expect(await sessionOf(browser)).toMatchObject({ status: 200 });
    const stolen = browser.sessionCookie;
    const answer = await browser.post('/auth/logout', {}, { accept: 'application/json' });
    const { location } = (await answer.json()) as { location: string };
    expect(new URL(location).origin).toBe(people.idp?.issuer);
    expect(new URL(location).searchParams.get('id_token_hint')).toMatch(/^eyJ/);
    browser.sessionCookie = stolen;
    expect(await sessionOf(browser)).toMatchObject({ status: 401 });
    expect(people.events.at(-1)).toMatchObject({ type: 'session.closed', payload: { reason: 'signed_out' } });
  });

  it('is asked for again by the provider where a fresh sign-in is needed', async () => {
    await browser.signIn('superadmin');
    const first = await sessionOf(browser);
    const asked = await browser.begin('?fresh=true');
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({ prompt: 'login', max_age: '0' });
    const callback = await browser.choose(asked, 'superadmin');
    expect((await browser.get(callback.href)).status).toBe(303);
    const second = await sessionOf(browser);
    expect(second['sessionId']).not.toBe(first['sessionId']);
    const ended = people.events.filter(({ type }) => type === 'session.closed').map(({ payload }) => payload);
    expect(ended).toEqual([{ sessionId: first['sessionId'], reason: 'replaced' }]);
  });

  it('keeps a bounded number of sessions of one person', async () => {
    for (let n = 0; n < MOST_SESSIONS + 2; n++) await people.browser().signIn('operator');
    const all = await people.sessions.list({ of: null, after: null, limit: 100, now: Date.now() });
    expect(all).toHaveLength(MOST_SESSIONS);
  });

  it('says in a sentence that the provider is away, and signs in when it is back', async () => {
    const callback = await browser.choose(await browser.begin(), 'operator');
    await people.idp?.close();
    const answer = await browser.get(callback.href);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain('The identity provider does not answer');
    expect(refusals()).toEqual(['provider_unavailable']);
    expect(await people.registry.metrics()).toContain('kernel_oidc_failures_total{request="token"} 1');
  });
});

describe('sign-in before the provider was ever there', () => {
  const postgres = withPostgres();

  it('is refused with a sentence', async () => {
    const database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    const people = await TestPeople.start(database, {}, { idp: false });
    people.provider.onModuleInit();
    const answer = await people.browser().get('/auth/login');
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining('The identity provider does not answer'),
    ]);
    await people.close();
    await database.drop();
  });
});

describe('requests for sign-in', () => {
  const postgres = withPostgres();

  it('are limited by address', async () => {
    const database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    const people = await TestPeople.start(database, { signInLimit: 3 });
    const statuses: number[] = [];
    for (let n = 0; n < 5; n++) {
      const headers = { 'x-forwarded-for': `203.0.113.${n}` };
      statuses.push((await people.browser().get('/auth/callback', headers)).status);
    }
    expect(statuses).toEqual([400, 400, 400, 429, 429]);
    expect((await people.browser().get('/auth/session')).status).toBe(401);
    await people.close();
    await database.drop();
  });
});
