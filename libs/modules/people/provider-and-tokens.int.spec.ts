import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { importJWK, type JWK, SignJWT } from 'jose';
import { newSigningKey, startDevelopmentProvider } from '#dev/devstack';
import { type TestBrowser, type TestDatabase, withPostgres } from '#dev/testing';
import { type AccessError } from '#platform/edge';
import { migrate } from '#platform/event-store';
import { SecretFile } from '#platform/process';
import { TestPeople, until } from './fixtures/people.fixture';
import { type PeopleOptions } from './people.options';

const ORIGIN = 'kernel.example.com/test';
const LOGOUT = 'http://schemas.openid.net/event/backchannel-logout';
/** What a logout token says, beside what every token does. */
const GENUINE = { sub: 'operator', jti: 'of-a-forger', events: { [LOGOUT]: {} } };

/** A token with other members in one part of it, under the signature that it had. */
function withPart(token: string, part: 0 | 1, change: object): string {
  const parts = token.split('.');
  const before = JSON.parse(Buffer.from(parts[part] ?? '', 'base64url').toString()) as object;
  parts[part] = Buffer.from(JSON.stringify({ ...before, ...change })).toString('base64url');
  return parts.join('.');
}

describe('the identity provider', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let people: TestPeople;
  let browser: TestBrowser;

  beforeAll(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
  });
  afterAll(() => database.drop());
  const start = async (over: Partial<PeopleOptions> = {}) => {
    people = await TestPeople.start(database, over, { front: true });
    browser = people.browser();
  };
  afterEach(async () => {
    await people.dataSource.query('DELETE FROM kernel.sessions');
    await people.dataSource.query('DELETE FROM kernel.logout_tokens');
    await people.close();
  });

  /** Another provider at the same place, which remembers nothing. */
  const replaceProvider = async (
    keys = people.secrets.keys,
    clientSecret: string = people.secrets.clientSecret,
  ) => {
    const port = people.idp?.port ?? 0;
    await people.idp?.close();
    const secrets = { ...people.secrets, keys, clientSecret };
    const { issuer, origin: webOrigin } = people.options;
    people.idp = await startDevelopmentProvider({ port, webOrigin, secrets, issuer });
  };
  /** A token that the provider might have made. */
  const minted = async (
    claims: object,
    typ: string,
    jwk: JWK = people.secrets.keys[0] as JWK,
  ): Promise<string> => {
    const now = Math.floor(Date.now() / 1_000);
    const all = { iss: people.options.issuer, iat: now, exp: now + 120, ...claims };
    return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid ?? '', typ })
      .sign(await importJWK(jwk, 'ES256'));
  };
  const statusOf = async (of: TestBrowser = browser) => (await of.get('/auth/session')).status;
  const ends = () => people.ends;
  const rotate = async () => replaceProvider([newSigningKey()]);

  it('may change its keys again and again: no sign-in fails', async () => {
    await start();
    await browser.signIn('operator');
    for (const person of ['auditor', 'lead', 'superadmin']) {
      await rotate();
      expect([person, (await people.browser().signIn(person)).status]).toEqual([person, 303]);
    }
    expect(await statusOf()).toBe(200);
    const refused = people.events.filter(({ type }) => type === 'session.refused');
    expect(refused).toEqual([]);
  });

  it('may not sign with a key that it never published', async () => {
    await start();
    people.front?.answerWith('/jwks', { json: { keys: [] } });
    const answer = await browser.signIn('operator');
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('Try again')]);
  });

  describe('knows another secret of this kernel', () => {
    const SECOND = 'another-secret-of-the-client';
    let dir: string;
    let file: string;
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'client-secret-'));
      file = join(dir, 'secret');
    });
    afterEach(() => rm(dir, { recursive: true, force: true }));
    const startWithFile = async () => {
      const value = 'a-secret-of-the-client';
      await writeFile(file, value);
      const clientSecret = new SecretFile({
        setting: 'KERNEL_OIDC_CLIENT_SECRET',
        path: file,
        value,
        parse: (text) => text,
      });
      await start({ clientSecret, refreshMs: 1 });
    };

    it('signs people in as soon as the file has it, without a restart', async () => {
      await startWithFile();
      expect((await browser.signIn('operator')).status).toBe(303);
      await replaceProvider(people.secrets.keys, SECOND);
      await writeFile(file, SECOND);
      expect((await people.browser().signIn('auditor')).status).toBe(303);
    });

    it('refuses a sign-in until then, and ends no session for it', async () => {
      await startWithFile();
      await browser.signIn('operator');
      await replaceProvider(people.secrets.keys, SECOND);
      const answer = await people.browser().signIn('auditor');
      expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('Try again')]);
      expect(await statusOf()).toBe(200);
      expect(ends()).toEqual([]);
    });
  });

  describe('asked again for a session', () => {
    it('may be away: the session goes on', async () => {
      await start({ refreshMs: 1 });
      await browser.signIn('operator');
      await people.idp?.close();
      expect(await statusOf()).toBe(200);
      expect(ends()).toEqual([]);
    });

    it('says that the person is who they were', async () => {
      await start({ refreshMs: 1 });
      await browser.signIn('operator');
      for (let n = 0; n < 3; n++) {
        expect(await statusOf()).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(ends()).toEqual([]);
    });

    it('ends the session when it no longer knows it, once', async () => {
      await start({ refreshMs: 1 });
      await browser.signIn('operator');
      await replaceProvider();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await Promise.all([1, 2, 3].map(() => statusOf()));
      expect(await statusOf()).toBe(401);
      expect(ends()).toEqual(['refused_by_provider']);
    });
  });

  describe('back-channel logout', () => {
    const logout = (token: string) =>
      fetch(`${people.options.origin}/auth/backchannel-logout`, {
        method: 'POST',
        body: new URLSearchParams({ logout_token: token }),
      });
    const token = (claims: object = {}) =>
      minted(
        {
          aud: people.options.clientId,
          jti: `j-${Math.random()}`,
          sub: 'operator',
          events: { [LOGOUT]: {} },
          ...claims,
        },
        'logout+jwt',
      );

    it('ends all sessions of a person, at once and recorded', async () => {
      await start();
      const [other, auditor] = [people.browser(), people.browser()];
      await browser.signIn('operator');
      await other.signIn('operator');
      await auditor.signIn('auditor');
      const answer = await logout(await token());
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
      expect([await statusOf(), await statusOf(other), await statusOf(auditor)]).toEqual([401, 401, 200]);
      expect(ends()).toEqual(['signed_out_at_provider', 'signed_out_at_provider']);
    });

    it('comes from the provider itself when a person signs out there', async () => {
      await start();
      await browser.signIn('operator');
      const [other, elsewhere] = [people.browser(), people.browser()];
      other.adopt(browser, people.options.issuer);
      await other.signIn('operator');
      await elsewhere.signIn('operator');
      const answer = await browser.post('/auth/logout', {}, { accept: 'application/json' });
      const { location } = (await answer.json()) as { location: string };
      const page = await browser.get(location);
      const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(await page.text()) ?? [];
      const confirmed = await browser.post(
        `${people.options.issuer}/session/end/confirm`,
        { xsrf, logout: 'yes' },
        { origin: people.options.issuer },
      );
      expect([confirmed.status, confirmed.headers.get('location')]).toEqual([
        303,
        `${people.options.origin}/`,
      ]);
      await until(() => ends().includes('signed_out_at_provider'));
      expect([await statusOf(other), await statusOf(elsewhere)]).toEqual([401, 200]);
      expect(ends()).toEqual(['signed_out', 'signed_out_at_provider']);
    });

    it('takes a token once', async () => {
      await start();
      const once = await token();
      expect((await logout(once)).status).toBe(200);
      await browser.signIn('operator');
      const again = await logout(once);
      expect([again.status, await again.json()]).toMatchObject([400, { error: 'invalid_request' }]);
      expect(await statusOf()).toBe(200);
    });

    it.each<[string, object]>([
      ['of another audience', { aud: 'other' }],
      ['of another issuer', { iss: 'https://evil.example' }],
      ['with a nonce', { nonce: 'n' }],
      ['without the event', { events: {} }],
      ['without events', { events: undefined }],
      ['that has expired', { exp: 1 }],
      ['from the future', { iat: Math.floor(Date.now() / 1_000) + 600 }],
      ['of yesterday', { iat: Math.floor(Date.now() / 1_000) - 86_400 }],
      ['without an id', { jti: undefined }],
      ['of no one', { sub: undefined }],
    ])('refuses a token %s, and records it', async (_, claims) => {
      await start();
      await browser.signIn('operator');
      const answer = await logout(await token(claims));
      expect([answer.status, await answer.json()]).toMatchObject([400, { error: 'invalid_request' }]);
      expect(await statusOf()).toBe(200);
      expect(people.events.at(-1)).toMatchObject({ type: 'session.refused' });
      expect(await people.registry.metrics()).toMatch(/kernel_sign_ins_total\{outcome="logout_\w+"\} 1/);
    });

    it.each<[string, (genuine: string) => Promise<string> | string]>([
      [
        'by another key under the same key id',
        async () => {
          const jwk = { ...newSigningKey(), kid: (people.secrets.keys[0] as JWK).kid } as JWK;
          return minted({ aud: people.options.clientId, ...GENUINE }, 'logout+jwt', jwk);
        },
      ],
      [
        'by a key that is not published',
        () => minted({ aud: people.options.clientId, ...GENUINE }, 'logout+jwt', newSigningKey()),
      ],
      ['of other claims', (genuine) => withPart(genuine, 1, { sub: 'auditor' })],
      [
        'of alg none',
        (genuine) => `${withPart(genuine, 0, { alg: 'none' }).split('.').slice(0, 2).join('.')}.`,
      ],
      ['that is missing', (genuine) => genuine.split('.').slice(0, 2).join('.')],
      ['cut off', (genuine) => genuine.slice(0, -4)],
      [
        'over the type of an ID token, with its claims',
        () => minted({ aud: people.options.clientId, sub: 'operator', nonce: 'n' }, 'JWT'),
      ],
    ])('refuses a token with a signature %s', async (_, forge) => {
      await start();
      await browser.signIn('operator');
      expect((await logout(await forge(await token()))).status).toBe(400);
      expect(await statusOf()).toBe(200);
      expect(ends()).toEqual([]);
    });

    it('ends by the session of the provider alone, where the token names one', async () => {
      await start();
      const other = people.browser();
      await browser.signIn('operator');
      await other.signIn('operator');
      const [first] = await people.sessions.list({ of: null, after: null, limit: 1, now: Date.now() });
      expect((await logout(await token({ sub: undefined, sid: first?.person?.sid }))).status).toBe(200);
      expect([await statusOf(), await statusOf(other)]).toEqual([401, 200]);
      expect((await logout(await token({ sid: 'of-no-session' }))).status).toBe(200);
      expect(await statusOf(other)).toBe(200);
    });

    it('is asked again by the provider when the database failed, with the same token', async () => {
      await start();
      await browser.signIn('operator');
      const genuine = await token();
      const owner = new Client({ connectionString: database.ownerUrl });
      await owner.connect();
      await owner.query('ALTER TABLE kernel.sessions RENAME TO away');
      expect((await logout(genuine)).status).toBe(503);
      await owner.query('ALTER TABLE kernel.away RENAME TO sessions');
      await owner.end();
      expect((await logout(genuine)).status).toBe(200);
      expect(await statusOf()).toBe(401);
    });

    it.each(['', 'not a token', 'x'.repeat(40_000)])('refuses a body that has no token', async (text) => {
      await start();
      expect((await logout(text)).status).toBeGreaterThanOrEqual(400);
      expect((await logout(text)).status).toBeLessThan(500);
    });
  });

  describe('access tokens', () => {
    const accessToken = (claims: object = {}) =>
      minted(
        {
          aud: people.options.origin,
          sub: 'operator',
          client_id: 'script',
          jti: 'j',
          groups: ['kernel-operators'],
          ...claims,
        },
        'at+jwt',
      );
    const personOf = (authorization: string) =>
      people.people.personOf({ socket: {}, method: 'GET', headers: { authorization } });
    const codeOf = (authorization: string) =>
      personOf(authorization).then(
        ({ id }) => id,
        (error: AccessError) => error.code,
      );

    it('name a person with a role', async () => {
      await start();
      expect(await personOf(`Bearer ${await accessToken()}`)).toMatchObject({
        id: `${people.options.issuer}#operator`,
        kind: 'human',
        roles: ['Operator'],
      });
    });

    it('are refused when they are forged, and where none are configured', async () => {
      await start();
      expect(await codeOf('Bearer x.y.z')).toBe('invalid_token');
      expect(await codeOf('Bearer ')).toBe('invalid_token');
      expect(await codeOf(`Bearer ${await accessToken({ aud: 'other' })}`)).toBe('invalid_token');
      await people.close();
      await start({ tokenAudience: undefined });
      expect(await codeOf(`Bearer ${await accessToken()}`)).toBe('sign_in_required');
    });
  });

  it('ends sessions by their limits, and records it', async () => {
    await start({ session: { idleMs: 60_000, absoluteMs: 3_600_000 } });
    await browser.signIn('operator');
    await people.sweep.sweep(Date.now() + 61_000);
    await until(() => ends().length > 0);
    expect(ends()).toEqual(['idle']);
    expect(await statusOf()).toBe(401);
    await browser.signIn('operator');
    await people.sweep.sweep(Date.now() + 3_700_000);
    await until(() => ends().length > 1);
    expect(ends()).toEqual(['idle', 'too_old']);
  });
});
