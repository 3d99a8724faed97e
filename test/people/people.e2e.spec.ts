import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { importJWK, type JWK, SignJWT } from 'jose';
import { SessionClient, TestBrowser, withStack } from '#dev/testing';
import { type IdentityProviderSecrets } from '#dev/devstack';
import { ContractClient, kernelContract } from '../contract/contract.client';
import { until } from '../faults/until';
import { PersonAtDesk } from '../governance/approvers';

describe('people', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer'], people: true, restart: false });
  const origin = () => stack().web?.origin ?? '';
  const issuer = () => stack().web?.issuer ?? '';
  const signedIn = (person: string) => SessionClient.signedIn(origin(), person);
  const checked = async (person: string) => new ContractClient(await signedIn(person));

  it('act under their own name', async () => {
    const operator = await checked('operator');
    const answer = await operator.post('/kernel/audit', { type: 'door.opened', payload: {} });
    expect(answer.status).toBe(201);
    const [{ id }] = answer.json.events as [{ id: string }];
    const { json } = await operator.get(`/kernel/audit/${id}`);
    expect(json.actor).toEqual({ id: `${issuer()}#operator`, kind: 'human', roles: ['Operator'] });
  });

  it('have to sign in', async () => {
    const nobody = new TestBrowser(origin());
    const answer = await nobody.get('/kernel/keys', { accept: 'application/json' });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(await answer.json()).toMatchObject({ error: 'sign_in_required' });
  });

  it('without a role are told why', async () => {
    const { json } = await (await checked('norole')).get('/kernel/keys');
    expect(json).toMatchObject({ status: 403, error: 'forbidden' });
    expect(json.detail).toContain(
      'None of the groups or roles that the identity provider names for you has a role here',
    );
  });

  it('get no say by headers, nor does a certificate give them one here', async () => {
    const norole = await signedIn('norole');
    const headers = {
      'x-roles': 'SuperAdmin',
      'x-forwarded-user': 'superadmin',
      'x-forwarded-client-cert': 'URI=spiffe://kernel.localhost/dev-superadmin',
      forwarded: 'for=127.0.0.1',
      authorization: 'Basic c3VwZXJhZG1pbjp4',
    };
    expect((await norole.get('/kernel/keys', { headers })).status).toBe(403);
  });

  describe('requests that change something', () => {
    const FOREIGN = ['https://evil.example', 'null', '', 'http://localhost', 'http://127.0.0.1:1'];

    it.each(FOREIGN)('are refused from the origin %j (CSRF)', async (foreign) => {
      const admin = await signedIn('superadmin');
      const answer = await admin.post(
        '/kernel/audit',
        { type: 'door.opened', payload: {} },
        { headers: { origin: foreign } },
      );
      expect([answer.status, answer.json]).toMatchObject([403, { error: 'foreign_origin' }]);
    });

    it('are refused without one, whatever their form', async () => {
      const admin = await signedIn('superadmin');
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
        'application/json',
      ]) {
        const answer = await admin.browser.send('/kernel/audit', {
          method: 'POST',
          body: '{"type":"door.opened","payload":{}}',
          headers: { 'content-type': type },
        });
        expect([type, answer.status, await answer.json()]).toMatchObject([
          type,
          403,
          { error: 'foreign_origin' },
        ]);
      }
    });
  });

  describe('their sessions', () => {
    it('are listed and ended by their owners, and by a SuperAdmin', async () => {
      const [auditor, auditorElsewhere, operator] = [
        await signedIn('auditor'),
        await signedIn('auditor'),
        await signedIn('operator'),
      ];
      const list = async (of: SessionClient) =>
        (await new ContractClient(of).get('/kernel/sessions?limit=200')).json.sessions as {
          id: string;
          principal: string;
        }[];
      const own = await list(auditor);
      expect(new Set(own.map(({ principal }) => principal))).toEqual(new Set([`${issuer()}#auditor`]));
      const idOf = async (of: SessionClient) => (await of.get('/auth/session')).json.sessionId as string;
      const end = (by: SessionClient, id: string) =>
        new ContractClient(by).request('DELETE', `/kernel/sessions/${id}`);
      const [mine, theirs] = [await idOf(auditorElsewhere), await idOf(operator)];
      expect((await end(auditor, theirs)).json).toMatchObject({ status: 404, error: 'session_not_found' });
      expect((await end(auditor, mine)).json).toEqual({ id: mine, ended: true });
      expect((await auditorElsewhere.get('/kernel/keys')).status).toBe(401);
      expect((await operator.get('/kernel/keys')).status).toBe(200);
      const admin = await signedIn('superadmin');
      expect((await list(admin)).map(({ id }) => id)).toContain(theirs);
      expect((await end(admin, theirs)).status).toBe(200);
      expect((await operator.get('/kernel/keys')).status).toBe(401);
    });

    it('are in the chain, without what opens them', async () => {
      const auditor = await signedIn('auditor');
      const { sessionId } = (await auditor.get('/auth/session')).json as { sessionId: string };
      const lines = (await stack().client('SUPERADMIN').get('/kernel/audit/export')).text;
      const opened = lines
        .split('\n')
        .find((line) => line.includes('session.opened') && line.includes(sessionId));
      expect(opened).toBeDefined();
      const cookie =
        decodeURIComponent(auditor.browser.sessionCookie ?? '')
          .slice(2)
          .split('.')[0] ?? '';
      expect(cookie.length).toBeGreaterThan(40);
      expect(lines).not.toContain(cookie);
      expect(await stack().log('kernel')).not.toContain(cookie);
    });

    it('that ended are not brought back by a thief of the database who kept the row and has the cookie', async () => {
      const auditor = await signedIn('auditor');
      const { sessionId } = (await auditor.get('/auth/session')).json as { sessionId: string };
      const thief = new Client({ connectionString: stack().postgres.runtimeUrl });
      await thief.connect();
      const row = 'SELECT to_jsonb(s) AS row FROM kernel.sessions s WHERE id = $1';
      const [kept] = (await thief.query<{ row: object }>(row, [sessionId])).rows;
      const cookie = auditor.browser.sessionCookie;
      expect((await auditor.browser.post('/auth/logout')).status).toBe(303);
      const stream = `session/${sessionId}`;
      await until('the end is in the chain', async () => {
        const { rows } = await thief.query('SELECT FROM kernel.event_keys WHERE stream = $1', [stream]);
        return rows.length === 2;
      });
      await thief.query(
        'INSERT INTO kernel.sessions SELECT * FROM jsonb_populate_record(NULL::kernel.sessions, $1)',
        [kept?.row],
      );
      auditor.browser.sessionCookie = cookie;
      expect((await auditor.get('/kernel/keys')).status).toBe(401);
      expect((await auditor.get('/auth/session')).status).toBe(401);
      await thief.end();
    });

    it('cannot be told by a caller to have happened', async () => {
      const answer = await stack()
        .client('OPERATOR')
        .post('/kernel/audit', { type: 'session.opened', payload: {} });
      expect(answer.json).toMatchObject({ status: 400, error: 'reserved_name' });
    });
  });

  describe('dangerous commands', () => {
    /** As the provider would make it: the test has its key. */
    const bearer = async (sub: string, groups: string[], authTime: number | undefined): Promise<string> => {
      const file = join(stack().dir, 'identity-provider.json');
      const { keys } = JSON.parse(readFileSync(file, 'utf8')) as IdentityProviderSecrets;
      const jwk = keys[0] as JWK;
      const now = Math.floor(Date.now() / 1_000);
      const claims = {
        ...{
          iss: issuer(),
          sub,
          aud: origin(),
          iat: now,
          exp: now + 120,
          client_id: 'script',
          jti: 'j',
          groups,
        },
        ...(authTime !== undefined && { auth_time: now - authTime }),
      };
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: jwk.kid ?? '', typ: 'at+jwt' })
        .sign(await importJWK(jwk, 'ES256'));
      return `Bearer ${token}`;
    };
    const changeMode = async (authorization: string) => {
      const answer = await new TestBrowser(origin()).send('/kernel/admin/mode', {
        method: 'POST',
        body: JSON.stringify({ mode: 'normal', reason: 'a test' }),
        headers: { authorization, 'content-type': 'application/json', accept: 'application/json' },
      });
      return { status: answer.status, ...((await answer.json()) as object) };
    };

    it.each([
      ['that is long past', 301, 401],
      ['whose time is not known', undefined, 401],
      ['of just now', 10, 200],
    ])('after a sign-in %s', async (_, age, status) => {
      const answer = await changeMode(await bearer('superadmin', ['kernel-superadmins'], age));
      expect(answer.status).toBe(status);
      if (status === 401)
        expect(answer).toMatchObject({ error: 'reauthentication_required', maxAgeSeconds: 300 });
    });

    it('are refused for lack of a role before that', async () => {
      const answer = await changeMode(await bearer('operator', ['kernel-operators'], 600));
      expect(answer).toMatchObject({ status: 403, error: 'forbidden' });
    });

    it('are those of the contract', () => {
      const ids = kernelContract()
        .operations.filter(({ freshSignIn }) => freshSignIn)
        .map(({ id }) => id)
        .sort();
      expect(ids).toEqual([
        'changeMode',
        'changeWebhook',
        'compromiseKey',
        'emergencyApplyUpgrade',
        'retireKey',
        'revokeApproverKey',
        'rotateWebhookSecret',
        'setLegalHold',
        'subscribeWebhook',
      ]);
    });
  });

  it('decide as approvers in their own name, and in no other', async () => {
    const operator = await checked('operator');
    const manifest = { upgradeId: 'upg-people', type: 'code', target: 'kernel-api', rationale: 'a fix' };
    expect((await operator.post('/kernel/upgrade', { manifest })).status).toBe(201);
    const [one, two] = [
      new PersonAtDesk(stack(), 1, { session: await signedIn('approver-1') }),
      new PersonAtDesk(stack(), 2, { session: await signedIn('approver-2') }),
    ];
    expect((await one.sign('upg-people')).status).toBe(201);
    const foreign = two.body(await two.record('upg-people'));
    const posing = await one.client.post('/kernel/upgrade/upg-people/approve', foreign);
    expect(posing.json).toMatchObject({ status: 403, error: 'forbidden' });
    const third = new PersonAtDesk(stack(), 3);
    const asTwo = await two.client.post(
      '/kernel/upgrade/upg-people/approve',
      third.body(await third.record('upg-people')),
    );
    expect(asTwo.json).toMatchObject({ status: 403, error: 'forbidden' });
    const auditor = await checked('auditor');
    expect((await auditor.post('/kernel/upgrade/upg-people/approve', foreign)).json).toMatchObject({
      status: 403,
    });
  });

  describe('who are approvers', () => {
    const KEY = '/kernel/approvers/approver-2/keys/approver-2-key-1/revoke';
    const signature = {
      approverId: 'approver-2',
      keyId: 'approver-2-key-1',
      approvedAt: new Date().toISOString(),
      signature: Buffer.alloc(64, 1).toString('base64'),
    };

    it.each<[string, string, object]>([
      ['approve', '/kernel/upgrade/upg-people/approve', signature],
      ['reject', '/kernel/upgrade/upg-people/reject', signature],
      ['revoke the key', KEY, { reason: 'x' }],
      ['begin a credential', '/kernel/approvers/approver-2/webauthn/challenge', {}],
    ])('cannot %s as another approver', async (_, path, body) => {
      const one = await checked('approver-1');
      const answer = await one.post(path, body);
      expect(answer.json).toMatchObject({ status: 403, error: 'forbidden' });
      expect(answer.json.detail).toContain(`${issuer()}#approver-1`);
    });
  });

  it('go on without the provider, new sign-ins are told, and services notice nothing', async () => {
    const auditor = await signedIn('auditor');
    await stack().web?.provider.kill();
    const services = stack().client('OPERATOR');
    expect((await services.post('/kernel/sign', { manifest: { id: 'm' } })).status).toBe(200);
    expect((await auditor.get('/kernel/keys')).status).toBe(200);
    expect((await stack().management('/ready')).status).toBe(200);
    // A kernel that starts while the provider is away serves, and finds it later.
    const [kernel] = stack().kernels;
    await kernel?.process.stop();
    await kernel?.process.start();
    await until('the kernel is ready', async () => (await stack().management('/ready')).status === 200);
    const signed = await services.post('/kernel/sign', { manifest: { id: 'm' } });
    expect([signed.status, signed.json]).toMatchObject([200, { audit_id: expect.any(String) as string }]);
    const login = await new TestBrowser(origin()).get('/auth/login');
    expect([login.status, await login.text()]).toEqual([
      503,
      expect.stringContaining('The identity provider does not answer'),
    ]);
    await stack().web?.provider.start();
    expect((await auditor.get('/kernel/keys')).status).toBe(200);
    await signedIn('operator');
  });
});
