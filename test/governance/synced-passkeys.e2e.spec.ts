import { type JsonObject } from '#evidence';
import {
  addVirtualPasskey,
  type Ceremony,
  describeWithChromium,
  type OpenPage,
  PeopleAtBrowsers,
  SoftwareAuthenticator,
  withStack,
} from '#dev/testing';
import { type Approvers, type UpgradeWithTimeline } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';

/** The first kernel refuses synced passkeys; the second one takes them, as the first did once. In the order of a story. */
describe('a kernel that refuses synced passkeys', () => {
  const stack = withStack({
    kernels: 2,
    workers: ['outbox-relay', 'indexer'],
    people: true,
    restart: false,
    kernelVariables: (_, n) => ({ KERNEL_WEBAUTHN_SYNCED: n === 0 ? 'refuse' : 'allow' }),
  });
  const page = () => stack().web?.origin ?? '';
  const [STRICT, LENIENT] = [0, 1];
  const operator = (kernel: number) => new ContractClient(stack().client('OPERATOR', { kernel }));
  const person = (n: number, kernel: number) => new PersonAtDesk(stack(), n, { kernel }).client;
  const SYNCED = { backupEligible: true, backedUp: true };
  const passkeys: Record<number, SoftwareAuthenticator> = {};
  const keys: Record<number, JsonObject & { keyId: string }> = {};

  async function register(n: number, kernel: number, flags: Partial<Ceremony> = {}) {
    const client = person(n, kernel);
    const path = `/kernel/approvers/approver-${n}/webauthn`;
    const begun = await client.post(`${path}/challenge`, {});
    expect(begun.status).toBe(201);
    const passkey = new SoftwareAuthenticator('ES256');
    const response = passkey.create(begun.json.options, { origin: page(), ...flags });
    const answer = await client.post(`${path}/credential`, { response });
    if (answer.status === 201) [passkeys[n], keys[n]] = [passkey, answer.json.key];
    return { ...answer, selection: begun.json.options.authenticatorSelection as JsonObject };
  }
  /** The pool in force, with more keys for some of its people. */
  async function poolWith(more: Record<number, JsonObject>): Promise<JsonObject> {
    const { threshold, approvers } = (await operator(STRICT).get('/kernel/approvers')).json as Approvers;
    const people = approvers.map(({ revokedKeys: _, ...approver }, at) => {
      const key = more[at + 1];
      return key === undefined ? approver : { ...approver, keys: [...approver.keys, key] };
    });
    return { threshold, approvers: people as unknown as JsonObject[] };
  }
  const propose = (upgradeId: string, kernel: number, more: JsonObject = {}) =>
    operator(kernel).post('/kernel/upgrade', {
      manifest: { upgradeId, type: 'code', target: 'api', rationale: 'a fix', ...more },
    });
  async function touch(n: number, id: string, kernel: number, flags: Partial<Ceremony> = {}) {
    const query = `approverId=approver-${n}&action=approve&keyId=${keys[n]?.keyId}`;
    const { record, credentialRequest } = (
      await person(n, kernel).get(`/kernel/upgrade/${id}/approval-request?${query}`)
    ).json;
    const signature = passkeys[n]?.get(credentialRequest, { origin: page(), ...flags });
    const { approverId, keyId, approvedAt } = record;
    return person(n, kernel).post(`/kernel/upgrade/${id}/approve`, {
      approverId,
      keyId,
      approvedAt,
      signature,
    });
  }

  it('says so, and asks for passkeys that devices keep to themselves', async () => {
    for (const [kernel, says, residentKey] of [
      [STRICT, 'refuse', 'discouraged'],
      [LENIENT, 'allow', 'preferred'],
    ] as const) {
      const { json } = await operator(kernel).get('/kernel/approvers');
      expect(json.syncedPasskeys).toBe(says);
      expect((await register(5, kernel)).selection).toMatchObject({ residentKey });
    }
  });

  it('registers none, and takes one that stays in its device', async () => {
    for (const flags of [SYNCED, { backupEligible: true }]) {
      const { status, json } = await register(1, STRICT, flags);
      expect([status, json.error]).toEqual([409, 'synced_passkey']);
      expect(json.detail).toMatch(/may be copied to other devices.*security key/);
    }
    expect((await register(2, STRICT)).status).toBe(201);
    expect((await register(1, LENIENT, SYNCED)).status).toBe(201);
  });

  it('lets none into a pool, nor one of which nothing is known', async () => {
    const unknown = { ...keys[2], keyId: 'from-elsewhere', credentialId: 'AAAA' } as JsonObject;
    const foreign = new SoftwareAuthenticator('ES256').create(
      { challenge: 'AAAA', rp: { id: 'localhost' }, pubKeyCredParams: [{ alg: -7 }] },
      { origin: page() },
    );
    const attestation = Buffer.from(foreign.response.attestationObject, 'base64url');
    // The COSE key is what authenticator data ends with.
    unknown['publicKey'] = attestation.subarray(attestation.length - 77).toString('base64');
    for (const [id, key] of [
      ['pool-synced', keys[1] as JsonObject],
      ['pool-unknown', unknown],
    ] as const) {
      const { status, json } = await propose(id, STRICT, {
        type: 'approver_pool',
        pool: await poolWith({ 1: key }),
      });
      expect([id, status, json.error]).toEqual([id, 409, 'synced_passkey']);
      expect(json.pointer).toMatch(/^\/manifest\/pool\/approvers\/0\/keys\/\d$/);
    }
    const pool = await poolWith({ 2: keys[2] as JsonObject });
    expect((await propose('pool-bound', STRICT, { type: 'approver_pool', pool })).status).toBe(201);
  });

  it('takes no signature of one that is in the pool already, and records the attempt', async () => {
    const pool = await poolWith({ 1: keys[1] as JsonObject, 2: keys[2] as JsonObject });
    expect((await propose('pool-both', LENIENT, { type: 'approver_pool', pool })).status).toBe(201);
    for (const n of [1, 2, 3])
      expect((await new PersonAtDesk(stack(), n).sign('pool-both')).status).toBe(201);
    expect((await operator(STRICT).post('/kernel/upgrade/pool-both/apply', {})).status).toBe(200);
    expect((await propose('fix', STRICT)).status).toBe(201);
    // Also when the flag is hidden: its registration is known.
    for (const flags of [SYNCED, {}]) {
      const { status, json } = await touch(1, 'fix', STRICT, flags);
      expect([status, json.error, json.keyId]).toEqual([409, 'synced_passkey', keys[1]?.keyId]);
    }
    expect((await touch(2, 'fix', STRICT)).status).toBe(201);
    const { upgrade, timeline } = (await operator(STRICT).get('/kernel/upgrade/fix'))
      .json as UpgradeWithTimeline;
    expect(upgrade.quorum.approvers).toEqual(['approver-2']);
    const refused = timeline.filter(({ type }) => type === 'upgrade.approval_refused');
    expect(refused.map(({ payload }) => payload['error'])).toEqual(['synced_passkey', 'synced_passkey']);
    // What counted before counts on: the setting decides what comes in, never what is recorded.
    expect((await propose('counted', LENIENT)).status).toBe(201);
    expect((await touch(1, 'counted', LENIENT, SYNCED)).status).toBe(201);
    const { json } = await operator(STRICT).get('/kernel/upgrade/counted');
    expect((json as UpgradeWithTimeline).upgrade.quorum.approvers).toEqual(['approver-1']);
  });

  it('lets a pool that has one be changed', async () => {
    const pool = await poolWith({});
    const more = { type: 'approver_pool', pool: { ...pool, threshold: 4 } };
    expect((await propose('pool-next', STRICT, more)).status).toBe(201);
  });

  describeWithChromium('in the admin UI', () => {
    let people: PeopleAtBrowsers;
    let open: OpenPage;
    beforeAll(async () => {
      people = await PeopleAtBrowsers.start(page());
      open = await people.signIn('approver-3', '/approvers');
    }, 120_000);
    afterAll(() => people.close());

    it('is said before, and shown when it is refused; another device is taken', async () => {
      await open.page.getByText('Synced passkeys are refused here').waitFor();
      const synced = await addVirtualPasskey(open, { isSynced: true });
      await open.page.getByRole('button', { name: 'Register a passkey' }).click();
      await open.page.getByText(/This passkey may be copied to other devices by its provider/).waitFor();
      expect(await open.page.getByText(/^Registered for/).count()).toBe(0);
      // The page's console has the 409 that was asked for.
      expect(await open.violations()).toEqual([]);
      await synced.remove();
      await addVirtualPasskey(open);
      await open.page.getByRole('button', { name: 'Register a passkey' }).click();
      await open.page.getByText(/^Registered for approver-3/).waitFor();
      await open.page.getByText('It stays in one device (no BE, no BS).').first().waitFor();
    }, 60_000);
  });
});
