import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type JsonObject } from '#evidence';
import {
  BrowserPage,
  type Ceremony,
  describeWithChromium,
  SoftwareAuthenticator,
  withStack,
} from '#dev/testing';
import { type UpgradeWithTimeline } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';
import { verifyOffline } from './verify-offline';

/** On localhost, where a browser needs no certificate: the page that approvers sign on. */
const RP = 'localhost';
let PAGE: string;
let pages: Server;

beforeAll(async () => {
  pages = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<title>Approve</title>'),
  );
  await new Promise<void>((resolve) => pages.listen(0, 'localhost', resolve));
  PAGE = `http://localhost:${(pages.address() as AddressInfo).port}`;
});
afterAll(async () => {
  pages.closeAllConnections();
  await new Promise((resolve) => pages.close(resolve));
});

describe('approvers with WebAuthn credentials', () => {
  // What is proposed through the second kernel takes approvals for five seconds only.
  const stack = withStack({
    kernels: 2,
    shards: 2,
    workers: ['outbox-relay', 'log-publisher'],
    kernelVariables: (_, n) => ({
      KERNEL_WEBAUTHN_RP_ID: RP,
      KERNEL_WEBAUTHN_ORIGINS: PAGE,
      ...(n === 1 && { KERNEL_APPROVAL_TTL_HOURS: (5 / 3_600).toFixed(9) }),
    }),
  });
  const operator = () => new ContractClient(stack().client('OPERATOR'));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN'));
  const person = (n: number) => new PersonAtDesk(stack(), n);
  const passkeys = { 1: new SoftwareAuthenticator('ES256'), 2: new SoftwareAuthenticator('EdDSA') };
  const keys: Record<number, JsonObject & { keyId: string }> = {};
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-webauthn-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const path = (n: number | string, verb: string) =>
    `/kernel/approvers/${typeof n === 'number' ? `approver-${n}` : n}/webauthn/${verb}`;
  async function begin(n: number, of: number | string = n) {
    const answer = await person(n).client.post(path(of, 'challenge'), {});
    expect(answer.status).toBe(201);
    return answer.json.options as Parameters<SoftwareAuthenticator['create']>[0];
  }
  async function register(n: 1 | 2, more: JsonObject = {}) {
    const response = passkeys[n].create(await begin(n), { origin: PAGE });
    return person(n).client.post(path(n, 'credential'), { response, ...more });
  }
  async function propose(upgradeId: string, more: JsonObject = {}): Promise<void> {
    const manifest = { upgradeId, type: 'code', target: 'api', rationale: 'a fix', ...more };
    expect((await operator().post('/kernel/upgrade', { manifest })).status).toBe(201);
  }
  async function request(n: 1 | 2, id: string, action = 'approve') {
    const query = `approverId=approver-${n}&action=${action}&keyId=${keys[n]?.keyId}`;
    return (await person(n).client.get(`/kernel/upgrade/${id}/approval-request?${query}`)).json;
  }
  /** The body of a signature: the request is shown, the passkey touched. */
  async function touch(n: 1 | 2, id: string, action = 'approve', ceremony: Partial<Ceremony> = {}) {
    const { record, credentialRequest } = await request(n, id, action);
    const signature = passkeys[n].get(credentialRequest, { origin: PAGE, ...ceremony });
    const { approverId, keyId, approvedAt } = record;
    return { approverId, keyId, approvedAt, signature };
  }
  const send = (n: number, id: string, action: string, body: object) =>
    person(n).client.post(`/kernel/upgrade/${id}/${action}`, body);

  describe('registration', () => {
    it('yields the key for a pool, and is recorded raw', async () => {
      const answer = await register(1);
      expect(answer.status).toBe(201);
      expect(answer.json).toMatchObject({
        approverId: 'approver-1',
        key: { algorithm: 'webauthn', rpId: RP, origins: [PAGE] },
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      });
      keys[1] = answer.json.key;
      const [shard, seq] = (answer.json.position as string).split(':');
      const exported = await operator().get(
        `/kernel/audit/export?shard=${shard}&fromSeq=${seq}&toSeq=${seq}`,
      );
      expect(JSON.parse(exported.text)).toMatchObject({
        type: 'approver.credential_registered',
        stream: 'approver/approver-1',
        payload: {
          key: keys[1],
          challenge: expect.any(String),
          clientDataJSON: expect.any(String),
          attestationObject: expect.any(String),
        },
      });
      // It counts nowhere yet.
      const { json } = await operator().get('/kernel/approvers');
      expect(JSON.stringify(json)).not.toContain(keys[1]?.keyId);
    });

    it('is for the approver in person, or a SuperAdmin for who is to become one', async () => {
      expect((await person(2).client.post(path(1, 'challenge'), {})).status).toBe(403);
      expect((await operator().post(path(1, 'challenge'), {})).status).toBe(403);
      const { json } = await superadmin().post(path('newcomer', 'challenge'), {});
      const response = new SoftwareAuthenticator('ES256').create(json.options, { origin: PAGE });
      // A challenge belongs to its caller: another approver gets a different one.
      expect((await person(1).client.post(path('newcomer', 'credential'), { response })).status).toBe(403);
      const answer = await superadmin().post(path('newcomer', 'credential'), {
        response,
        keyId: 'newcomer-1',
      });
      expect([answer.status, answer.json.key.keyId]).toEqual([201, 'newcomer-1']);
    });

    it('takes a challenge once, and the newest alone', async () => {
      const [older, newer] = [await begin(2), await begin(2)];
      const made = (options: typeof older) =>
        new SoftwareAuthenticator('ES256').create(options, { origin: PAGE });
      const refused = await person(2).client.post(path(2, 'credential'), { response: made(older) });
      expect([refused.status, refused.json.error]).toEqual([400, 'invalid_registration']);
      // The attempt has used up the challenge.
      const late = await person(2).client.post(path(2, 'credential'), { response: made(newer) });
      expect([late.status, late.json.reasons[0]]).toEqual([400, expect.stringContaining('no challenge')]);
      const options = await begin(2);
      const [first, again] = [made(options), made(options)];
      expect((await person(2).client.post(path(2, 'credential'), { response: first })).status).toBe(201);
      expect((await person(2).client.post(path(2, 'credential'), { response: again })).status).toBe(400);
    });

    it('takes no challenge that is over, none of another person, and no other page', async () => {
      const made = (options: Awaited<ReturnType<typeof begin>>, origin = PAGE) =>
        new SoftwareAuthenticator('ES256').create(options, { origin, lawless: true });
      const expired = made(await begin(2));
      const database = new Client({ connectionString: stack().postgres.superuserUrl });
      await database.connect();
      await database.query(`UPDATE kernel.webauthn_challenges SET expires_at = now() - interval '1 second'`);
      await database.end();
      const foreign = made(await begin(1));
      for (const response of [expired, foreign]) {
        const answer = await person(2).client.post(path(2, 'credential'), { response });
        expect([answer.status, answer.json.error]).toEqual([400, 'invalid_registration']);
      }
      const elsewhere = made(await begin(2), 'https://evil.example.com');
      const answer = await person(2).client.post(path(2, 'credential'), { response: elsewhere });
      expect([answer.status, answer.json.reasons[0]]).toEqual([400, expect.stringContaining('origin')]);
    });

    it('is answered the same when it is repeated', async () => {
      const response = passkeys[2].create(await begin(2), { origin: PAGE });
      const post = () =>
        person(2).client.post(path(2, 'credential'), { response }, { idempotencyKey: 'passkey-2' });
      const [first, second] = [await post(), await post()];
      expect([first.status, second.text]).toEqual([201, first.text]);
      keys[2] = first.json.key;
    });
  });

  describe('approval', () => {
    it('needs the credential in the pool, which takes an upgrade', async () => {
      await propose('too-early');
      const early = await person(1).client.get(
        `/kernel/upgrade/too-early/approval-request?approverId=approver-1&keyId=${keys[1]?.keyId}`,
      );
      expect([early.status, early.json.error]).toEqual([400, 'key_not_valid']);
      const { threshold, approvers } = (await operator().get('/kernel/approvers')).json as {
        threshold: number;
        approvers: (JsonObject & { keys: JsonObject[]; revokedKeys?: unknown })[];
      };
      const people = approvers.map(({ revokedKeys: _, ...approver }, i) => ({
        ...approver,
        keys: [...approver.keys, ...(keys[i + 1] === undefined ? [] : [keys[i + 1] as JsonObject])],
      }));
      await propose('passkeys', { type: 'approver_pool', pool: { threshold, approvers: people } });
      for (const n of [1, 2, 3]) expect((await person(n).sign('passkeys')).status).toBe(201);
      expect((await operator().post('/kernel/upgrade/passkeys/apply', {})).status).toBe(200);
      const known = passkeys[1];
      const again = await begin(1);
      expect(again.excludeCredentials).toHaveLength(1);
      expect(() => known.create(again, { origin: PAGE })).toThrow('InvalidStateError');
    });

    it('counts beside Ed25519 keys, and is proven offline', async () => {
      await propose('touched');
      for (const n of [1, 2] as const) {
        const answer = await send(n, 'touched', 'approve', await touch(n, 'touched'));
        expect(answer.status).toBe(201);
        expect(answer.json.approval).toMatchObject({ approverId: `approver-${n}`, keyId: keys[n]?.keyId });
      }
      expect((await person(3).sign('touched')).json.upgrade.status).toBe('approved');
      expect((await operator().post('/kernel/upgrade/touched/apply', {})).status).toBe(200);
      const honest = await verifyOffline(operator(), folder, 'touched');
      expect([honest.code, honest.output]).toEqual([0, expect.stringContaining('applied (3 of 3')]);
      const shown = (await operator().get('/kernel/upgrade/touched/evidence')).json.approvals as {
        key: JsonObject;
        keyRegisteredAt: string;
      }[];
      expect(shown[0]?.key).toEqual(keys[1]);
      const { json } = await operator().get('/kernel/upgrade/passkeys');
      const at = (json as UpgradeWithTimeline).timeline.find(({ type }) => type === 'upgrade.applied');
      const [shard, seq] = (at?.position ?? '').split(':').map(Number);
      // The pool's own event, right behind the one that applied it.
      expect(shown[0]?.keyRegisteredAt).toBe(`${shard}:${(seq ?? 0) + 1}`);
    });

    it('is refused after its time, by whichever key, and the chain says so', async () => {
      const manifest = { upgradeId: 'brief', type: 'code', target: 'api', rationale: 'a fix' };
      const hasty = new ContractClient(stack().client('OPERATOR', { kernel: 1 }));
      expect((await hasty.post('/kernel/upgrade', { manifest })).status).toBe(201);
      const [first, second] = [await touch(1, 'brief'), await touch(2, 'brief')];
      // The last of them: when it has expired, so have the others.
      const record = await person(3).record('brief');
      const bodies = [
        [1, first],
        [2, second],
        [3, person(3).body(record)],
      ] as const;
      const untilThen = Date.parse(record.expiresAt) - Date.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilThen) + 50));
      for (const [n, body] of bodies) {
        const { status, json } = await send(n, 'brief', 'approve', body);
        expect([status, json.error]).toEqual([400, 'invalid_approved_at']);
        expect(json.detail).toMatch(/is so old that the approval expired at 20/);
      }
      const { upgrade, timeline } = (await operator().get('/kernel/upgrade/brief'))
        .json as UpgradeWithTimeline;
      expect(upgrade.quorum.approvers).toEqual([]);
      expect(timeline.slice(1).map(({ type, payload }) => [type, payload['approverId']])).toEqual(
        [1, 2, 3].map((n) => ['upgrade.approval_refused', `approver-${n}`]),
      );
      expect(timeline[1]?.payload).toMatchObject({
        error: 'invalid_approved_at',
        reasons: [expect.stringContaining('expired at')],
      });
      // The same credential, touched again, counts.
      expect((await send(1, 'brief', 'approve', await touch(1, 'brief'))).status).toBe(201);
    });

    it('is refused when the assertion was made for something else', async () => {
      await propose('this');
      await propose('that');
      const good = await touch(1, 'this');
      const another = await touch(1, 'that');
      const other = await request(1, 'this');
      const foreignKernel = new SoftwareAuthenticator('ES256');
      const strange = foreignKernel.create(
        { challenge: 'AAAA', rp: { id: RP }, pubKeyCredParams: [{ alg: -7 }] },
        { origin: PAGE },
      );
      const forgeries: [string, string, object][] = [
        ['another upgrade', 'approve', { ...another, approvedAt: good.approvedAt }],
        ['another action', 'approve', { ...(await touch(1, 'this', 'reject')), approvedAt: good.approvedAt }],
        [
          'another time',
          'approve',
          { ...good, approvedAt: new Date(Date.parse(good.approvedAt) + 1).toISOString() },
        ],
        ['words that were not signed', 'approve', { ...good, notes: 'looks good' }],
        ['another page', 'approve', await touch(1, 'this', 'approve', { origin: `https://other.${RP}` })],
        [
          'a page of others',
          'approve',
          await touch(1, 'this', 'approve', { origin: 'https://evil.example.com', lawless: true }),
        ],
        ['a frame of others', 'approve', await touch(1, 'this', 'approve', { crossOrigin: true })],
        ['nobody verified', 'approve', await touch(1, 'this', 'approve', { verified: false, lawless: true })],
        ['nobody there', 'approve', await touch(1, 'this', 'approve', { present: false })],
        ['another ceremony', 'approve', await touch(1, 'this', 'approve', { type: 'webauthn.create' })],
        [
          'another credential',
          'approve',
          {
            ...good,
            signature: foreignKernel.get(
              { ...other.credentialRequest, allowCredentials: [{ id: strange.id }] },
              { origin: PAGE },
            ),
          },
        ],
      ];
      for (const [what, action, body] of forgeries) {
        const answer = await send(1, 'this', action, body);
        expect([what, answer.status, answer.json.error]).toEqual([what, 400, 'invalid_signature']);
      }
      const toReject = { ...(await touch(1, 'this', 'reject')), notes: undefined };
      const mistaken = await send(1, 'this', 'approve', toReject);
      expect([mistaken.status, mistaken.json.detail]).toEqual([
        400,
        expect.stringMatching(/^The signature is to reject this upgrade/),
      ]);
      // The approver's own assertion, sent by another.
      expect((await send(2, 'this', 'approve', good)).status).toBe(403);
      expect((await send(1, 'this', 'approve', good)).status).toBe(201);
      expect((await send(1, 'this', 'approve', good)).json.error).toBe('approver_already_signed');
      const { timeline } = (await operator().get('/kernel/upgrade/this')).json as UpgradeWithTimeline;
      expect(timeline.filter(({ type }) => type === 'upgrade.approval_refused')).toHaveLength(
        forgeries.length + 1,
      );
    });
  });

  describeWithChromium('in a real browser', () => {
    let page: BrowserPage;
    beforeAll(async () => {
      page = await BrowserPage.open(PAGE);
    }, 60_000);
    afterAll(() => page.close());

    it('registers, enters the pool, approves, and is proven offline', async () => {
      const options = await begin(4);
      const response = await page.run<object>(
        `navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(${JSON.stringify(options)}) })
           .then((credential) => credential.toJSON())`,
      );
      const registered = await person(4).client.post(path(4, 'credential'), { response });
      expect(registered.status).toBe(201);
      const { key } = registered.json as { key: JsonObject & { keyId: string } };

      const { threshold, approvers } = (await operator().get('/kernel/approvers')).json as {
        threshold: number;
        approvers: (JsonObject & { id: string; keys: JsonObject[]; revokedKeys?: unknown })[];
      };
      const people = approvers.map(({ revokedKeys: _, ...approver }) =>
        approver.id === 'approver-4' ? { ...approver, keys: [...approver.keys, key] } : approver,
      );
      await propose('browser-pool', { type: 'approver_pool', pool: { threshold, approvers: people } });
      for (const n of [1, 2, 3]) expect((await person(n).sign('browser-pool')).status).toBe(201);
      expect((await operator().post('/kernel/upgrade/browser-pool/apply', {})).status).toBe(200);

      await propose('browsed');
      const asked = await person(4).client.get(
        `/kernel/upgrade/browsed/approval-request?approverId=approver-4&keyId=${key.keyId}`,
      );
      const { record, credentialRequest } = asked.json;
      const made = await page.run<{ id: string; response: Record<string, string> }>(
        `navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(${JSON.stringify(credentialRequest)}) })
           .then((assertion) => assertion.toJSON())`,
      );
      const { clientDataJSON, authenticatorData, signature } = made.response;
      const answer = await send(4, 'browsed', 'approve', {
        approverId: 'approver-4',
        keyId: key.keyId,
        approvedAt: record.approvedAt,
        signature: { credentialId: made.id, clientDataJSON, authenticatorData, signature },
      });
      expect([answer.status, answer.json.approval?.approverId]).toEqual([201, 'approver-4']);
      for (const n of [1, 2]) await person(n).sign('browsed');
      expect((await operator().post('/kernel/upgrade/browsed/apply', {})).status).toBe(200);
      const { code, output } = await verifyOffline(operator(), folder, 'browsed');
      expect([code, output]).toEqual([0, expect.stringContaining('applied (3 of 3')]);
    }, 60_000);
  });
});
