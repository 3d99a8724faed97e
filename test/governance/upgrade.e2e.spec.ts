import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonObject, parseEvent, verifyManifestEnvelope } from '#evidence';
import { withStack } from '#dev/testing';
import { type UpgradePage } from '#openapi/kernel';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';
import { verifyFile, verifyOffline as verifyUpgrade } from './verify-offline';

let counter = 0;
const nextId = () => `upg-${++counter}`;
const manifestOf = (upgradeId: string, more: JsonObject = {}): JsonObject => ({
  upgradeId,
  type: 'code',
  target: 'kernel-api',
  rationale: 'a fix',
  ...more,
});

const POLICY = { approvalTtlHours: 300, proposalTtlHours: 700, ratificationHours: 40 };

describe('upgrades, over mutual TLS', () => {
  const stack = withStack({ workers: ['outbox-relay', 'indexer', 'log-publisher'] });
  const operator = () => new ContractClient(stack().client('OPERATOR'));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN'));
  const person = (n: number) => new PersonAtDesk(stack(), n);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-upgrades-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function propose(more: JsonObject = {}): Promise<string> {
    const id = nextId();
    const answer = await operator().post('/kernel/upgrade', { manifest: manifestOf(id, more) });
    expect(answer.status).toBe(201);
    return id;
  }
  async function approved(more: JsonObject = {}, people = [1, 2, 3]): Promise<string> {
    const id = await propose(more);
    for (const n of people) expect((await person(n).sign(id)).status).toBe(201);
    return id;
  }
  const apply = (id: string) => operator().post(`/kernel/upgrade/${id}/apply`, {});
  const detail = async (id: string) => (await operator().get(`/kernel/upgrade/${id}`)).json;
  const typesOf = async (id: string) =>
    ((await detail(id)).timeline as { type: string }[]).map(({ type }) => type.replace('upgrade.', ''));

  const verifyOffline = (id: string, change?: (file: string) => string, ...options: string[]) =>
    verifyUpgrade(operator(), folder, id, change, ...options);

  it('has the development pool of five, three of whom have to agree', async () => {
    const { json } = await operator().get('/kernel/approvers');
    expect(json).toMatchObject({ version: 1, threshold: 3, provisional: null, pending: [] });
    expect(json.approvers).toHaveLength(5);
    expect((await person(1).client.get('/kernel/approvers')).status).toBe(200);
  });

  it('are proposed, approved by three of five, applied, and proven offline', async () => {
    const id = nextId();
    const manifest = manifestOf(id, { version: '2.0.0' });
    const proposed = await operator().post('/kernel/upgrade', { manifest });
    expect(proposed.status).toBe(201);
    expect(proposed.json.upgrade).toMatchObject({ id, upgradeId: id, manifest, status: 'proposed' });
    expect((await operator().post('/kernel/upgrade', { manifest })).json.error).toBe('upgrade_exists');

    for (const n of [1, 2]) {
      const answer = await person(n).sign(id);
      expect(answer.status).toBe(201);
      expect(answer.json.approval).toMatchObject({ approverId: `approver-${n}`, notes: null });
    }
    const early = await apply(id);
    expect(early.status).toBe(400);
    expect(early.json).toMatchObject({ error: 'insufficient_quorum', approvals: 2, required: 3, missing: 1 });

    expect((await person(3).sign(id, 'approve', 'looks good')).json.upgrade.status).toBe('approved');
    const applied = await apply(id);
    expect(applied.status).toBe(200);
    expect(applied.json).toMatchObject({
      upgrade: { status: 'applied' },
      quorum: { approvers: ['approver-1', 'approver-2', 'approver-3'], required: 3 },
    });
    const again = await apply(id);
    expect([again.status, again.json.upgrade.status, again.json.position]).toEqual([
      200,
      'applied',
      undefined,
    ]);
    const late = await person(4).client.post(
      `/kernel/upgrade/${id}/approve`,
      person(4).body(await person(4).record(id)),
    );
    expect([late.status, late.json.error]).toEqual([409, 'upgrade_already_applied']);
    expect(await typesOf(id)).toEqual([
      'proposed',
      'approval_given',
      'approval_given',
      'approval_given',
      'approved',
      'applied',
    ]);

    // A deployer needs the public keys and nothing else.
    const envelope = applied.json.upgrade.application.authorization;
    const keys = (await operator().get('/kernel/keys')).json.signers;
    expect(verifyManifestEnvelope({ manifest, envelope, keys, origin: stack().origin })).toEqual({
      valid: true,
      reasons: [],
    });
    const statement = JSON.parse(Buffer.from(envelope.payload, 'base64').toString());
    expect(statement.predicate).toMatchObject({
      manifestId: id,
      kind: 'deployment-authorization',
      version: '2.0.0',
    });

    const { code, output } = await verifyOffline(id);
    expect([code, output]).toEqual([0, expect.stringContaining(`Upgrade ${id} verified: applied (3 of 3:`)]);
    expect(output).toContain(`All its events are in the log ${stack().origin}/log/0 at size `);
    expect((await operator().post(`/kernel/upgrade/${id}/complete`, {})).json.upgrade.status).toBe(
      'completed',
    );
  });

  it('are listed from the index, which has what the caller has seen, by what holds of them now', async () => {
    const withdrawn = await propose();
    await operator().post(`/kernel/upgrade/${withdrawn}/withdraw`, { reason: 'no' });
    const policy = nextId();
    const manifest = manifestOf(policy, { type: 'policy', policy: POLICY });
    const { position } = (await operator().post('/kernel/upgrade', { manifest })).json;
    const headers = { 'kernel-min-position': position as string };
    const listed = async (query: string) => {
      const { status, json } = await operator().get(`/kernel/upgrade?${query}`, { headers });
      expect(status).toBe(200);
      return json as UpgradePage;
    };
    const newest = await listed('limit=1');
    expect(newest.upgrades).toMatchObject([{ id: policy, status: 'proposed' }]);
    const second = await listed(`limit=1&cursor=${newest.nextCursor}`);
    expect(second.upgrades).toMatchObject([{ id: withdrawn, status: 'withdrawn' }]);
    expect((await listed('type=policy')).upgrades.map(({ id }) => id)).toContain(policy);
    expect((await listed('status=withdrawn&type=code')).upgrades.map(({ id }) => id)).toEqual([withdrawn]);
    for (const path of ['', `/${withdrawn}`, `/${withdrawn}/evidence`]) {
      const ahead = { headers: { 'kernel-min-position': '7:1' } };
      const answer = await operator().get(`/kernel/upgrade${path}`, ahead);
      expect([path, answer.status, answer.json.error]).toEqual([path, 400, 'invalid_position']);
    }
    expect((await operator().get('/kernel/upgrade?status=lost')).status).toBe(400);
    await operator().post(`/kernel/upgrade/${policy}/withdraw`, { reason: 'no' });
  });

  describe('evidence', () => {
    interface Bundle {
      origin: string;
      manifest: JsonObject;
      events: string[];
      pool: string[];
      signers: string[];
      approvals: { key: JsonObject }[];
      proofs: string[];
    }
    it.each<[string, (bundle: Bundle) => void, string]>([
      ['a manifest that was changed', (b) => (b.manifest['target'] = 'another'), 'digest'],
      [
        'an event that is missing',
        (b) => {
          b.events.splice(1, 1);
          b.proofs.splice(2, 1);
        },
        'stream',
      ],
      [
        'an event of the keys that is missing',
        (b) => {
          b.signers.pop();
          b.proofs.pop();
        },
        'signers: signer events are left out',
      ],
      [
        'no event of the keys',
        (b) => b.proofs.splice(-b.signers.splice(0).length),
        'signers: signer events are left out',
      ],
      ['no proofs', (b) => b.proofs.splice(0), 'inclusion: the file has no proofs'],
      ['an approval shown twice for another', (b) => (b.approvals[1] = b.approvals[0]!), 'approvals'],
      ['a proof that is missing', (b) => b.proofs.splice(1, 1), 'invalid_upgrade_evidence'],
      ['the proof of another event', (b) => (b.proofs[0] = b.proofs[1] ?? ''), 'inclusion'],
      [
        'an event that was changed',
        (b) => (b.events[1] = (b.events[1] ?? '').replace('"notes":null', '"notes":"x"')),
        'hash',
      ],
      ['an approval that is shown as another', (b) => (b.approvals[0]!.key['keyId'] = 'x'), 'approvals'],
      ['another origin', (b) => (b.origin = 'kernel.example.com/other'), 'origin'],
    ])('does not verify with %s', async (_, change, fault) => {
      const id = await approved({}, [1, 2, 3]);
      await apply(id);
      const { code, output } = await verifyOffline(id, (file) => {
        const bundle = JSON.parse(file) as Bundle;
        change(bundle);
        return JSON.stringify(bundle);
      });
      expect(code).toBe(1);
      expect(output).toContain(fault.includes(':') ? fault : `${fault}:`);
    });

    it('is anchored in the log and in the first pool', async () => {
      const id = await approved({}, [1, 2, 3]);
      await apply(id);
      const unproven = await verifyOffline(
        id,
        (file) => JSON.stringify({ ...(JSON.parse(file) as Bundle), proofs: [] }),
        '--without-proofs',
      );
      expect([unproven.code, unproven.output]).toEqual([
        0,
        expect.stringContaining(`Upgrade ${id} verified, not anchored: applied (3 of 3:`),
      ]);
      const signers = JSON.parse(await readFile(join(folder, 'signers.json'), 'utf8')) as JsonObject;
      const { approverPool, ...guide } = signers as { approverPool: { sha256: string } } & JsonObject;
      const trust = join(folder, 'signers.guide.json');
      await writeFile(trust, JSON.stringify(guide));
      const evidence = join(folder, `${id}.json`);
      await writeFile(evidence, (await operator().get(`/kernel/upgrade/${id}/evidence`)).text);
      const unanchored = await verifyFile(evidence, trust);
      expect([unanchored.code, unanchored.output]).toEqual([
        1,
        expect.stringContaining('anchor: the pool is not anchored'),
      ]);
      expect((await verifyFile(evidence, trust, '--first-pool', approverPool.sha256)).code).toBe(0);
    });
  });

  describe('a signature', () => {
    it('that is false is refused and recorded', async () => {
      const id = await propose();
      const other = await propose();
      const one = person(1);
      const record = await one.record(id);
      const forgeries = [
        one.body(record, { upgradeId: other }),
        one.body(record, { origin: 'kernel.example.com/other' }),
        one.body(record, { action: 'ratify' }),
        one.body(record, { expiresAt: '2099-01-01T00:00:00.000Z' }),
        { ...one.body(record), notes: 'words that were not signed' },
        { ...one.body(record), signature: 'AAAA' },
        person(2).body(record),
      ];
      for (const body of forgeries) {
        const answer = await one.client.post(`/kernel/upgrade/${id}/approve`, body);
        expect([answer.status, answer.json.error]).toEqual([400, 'invalid_signature']);
      }
      const mistaken = await one.client.post(
        `/kernel/upgrade/${id}/approve`,
        one.body(record, { action: 'reject' }),
      );
      expect([mistaken.status, mistaken.json.detail, mistaken.json.reasons[0]]).toEqual([
        400,
        expect.stringMatching(/^The signature is to reject this upgrade, and counts for nothing else/),
        'action: signed to reject, not to approve',
      ]);
      expect(await typesOf(id)).toEqual(['proposed', ...[...forgeries, 1].map(() => 'approval_refused')]);
      expect((await one.sign(id)).status).toBe(201);
    });

    it('is given in person', async () => {
      const id = await propose();
      const record = await person(1).record(id);
      const inAnothersName = await person(2).client.post(
        `/kernel/upgrade/${id}/approve`,
        person(1).body(record),
      );
      expect([inAnothersName.status, inAnothersName.json.error]).toEqual([403, 'forbidden']);
      for (const caller of ['OPERATOR', 'SUPERADMIN', 'AUDITOR', 'DIVISION_LEAD', 'NOROLE'] as const) {
        const client = new ContractClient(stack().client(caller));
        expect((await client.post(`/kernel/upgrade/${id}/approve`, person(1).body(record))).status).toBe(403);
      }
      expect(await typesOf(id)).toEqual(['proposed']);
    });

    it('is given once', async () => {
      const id = await approved({}, [1]);
      const again = await person(1).sign(id, 'reject');
      expect([again.status, again.json.error]).toEqual([409, 'approver_already_signed']);
    });

    it('is answered the same when the request is repeated', async () => {
      const id = await propose();
      const body = person(1).body(await person(1).record(id));
      const headers = { 'idempotency-key': `sign-${id}` };
      const [first, second] = [1, 2].map(() =>
        person(1).client.post(`/kernel/upgrade/${id}/approve`, body, { headers }),
      );
      expect((await first!).text).toBe((await second!).text);
      expect((await typesOf(id)).length).toBe(2);
    });
  });

  it('ends by rejection, and says why', async () => {
    const id = await propose();
    for (const n of [1, 2, 3]) await person(n).sign(id, 'reject', `reason ${n}`);
    expect((await detail(id)).upgrade).toMatchObject({ status: 'rejected' });
    expect((await detail(id)).upgrade.reason).toContain('reason 2');
    expect((await apply(id)).json).toMatchObject({ error: 'upgrade_closed', upgradeStatus: 'rejected' });
    expect((await verifyOffline(id)).code).toBe(0);
  });

  it('ends by withdrawal of who proposed it', async () => {
    const id = await propose();
    const foreign = await superadmin().post(`/kernel/upgrade/${id}/withdraw`, { reason: 'no' });
    expect([foreign.status, foreign.json.error]).toEqual([403, 'not_the_proposer']);
    const own = await operator().post(`/kernel/upgrade/${id}/withdraw`, { reason: 'changed my mind' });
    expect(own.json.upgrade).toMatchObject({ status: 'withdrawn', reason: 'changed my mind' });
  });

  it('wait for their checks', async () => {
    const id = await approved({ preconditions: ['staging'] });
    expect((await apply(id)).json).toMatchObject({ error: 'checks_missing', checks: ['staging'] });
    const report = { name: 'staging', passed: true };
    const own = await operator().post(`/kernel/upgrade/${id}/check`, report);
    expect([own.status, own.json.error]).toEqual([403, 'self_check']);
    expect((await superadmin().post(`/kernel/upgrade/${id}/check`, report)).status).toBe(200);
    expect((await apply(id)).status).toBe(200);
  });

  it('are proposed and applied by who calls, whatever name they give', async () => {
    const id = nextId();
    const manifest = manifestOf(id);
    for (const submittedBy of ['approver-1', 'approver-2']) {
      const refused = await operator().post('/kernel/upgrade', { manifest, submittedBy });
      expect([refused.status, refused.json.error]).toEqual([403, 'forbidden']);
    }
    const proposed = await operator().post('/kernel/upgrade', { manifest, submittedBy: 'the night shift' });
    const { proposedBy } = proposed.json.upgrade;
    expect(proposed.json.upgrade).toMatchObject({ submittedBy: 'the night shift' });
    for (const n of [1, 2, 3]) expect((await person(n).sign(id)).status).toBe(201);
    const path = `/kernel/upgrade/${id}/apply`;
    const claimed = await operator().post(path, { appliedBy: 'approver-1' });
    expect([claimed.status, claimed.json.error]).toEqual([403, 'forbidden']);
    const applied = await operator().post(path, { appliedBy: 'ada' });
    expect(applied.json.upgrade.application).toMatchObject({ by: proposedBy, claimedBy: 'ada' });
    expect((await verifyOffline(id)).code).toBe(0);
  });

  it('are compared with the artifact that comes along', async () => {
    const artifact = Buffer.from('a patch').toString('base64');
    const patchSha256 = createHash('sha256').update('a patch').digest('hex');
    const wrong = await operator().post('/kernel/upgrade', {
      manifest: manifestOf(nextId(), { patchSha256: '0'.repeat(64) }),
      artifact,
    });
    expect([wrong.status, wrong.json.error]).toEqual([400, 'patch_mismatch']);
    const right = await operator().post('/kernel/upgrade', {
      manifest: manifestOf(nextId(), { patchSha256 }),
      artifact,
    });
    expect(right.json.upgrade.patchSha256).toBe(patchSha256);
  });

  it('are applied at once in an emergency, by a SuperAdmin, and ratified afterwards', async () => {
    const id = await propose();
    expect((await operator().post(`/kernel/upgrade/${id}/emergency-apply`, { reason: 'x' })).status).toBe(
      403,
    );
    const applied = await superadmin().post(`/kernel/upgrade/${id}/emergency-apply`, { reason: 'it burns' });
    expect(applied.json.upgrade).toMatchObject({ status: 'emergency_applied', reason: 'it burns' });
    const again = await apply(id);
    expect([again.status, again.json.error, again.json.upgradeStatus]).toEqual([
      409,
      'upgrade_already_applied',
      'emergency_applied',
    ]);
    for (const n of [3, 4, 5]) expect((await person(n).sign(id, 'ratify')).status).toBe(201);
    expect((await detail(id)).upgrade.status).toBe('ratified');
    expect((await apply(id)).status).toBe(200);
    const { code, output } = await verifyOffline(id);
    expect([code, output]).toEqual([0, expect.stringContaining('ratified (3 of 3')]);
  });

  it('are undone by an upgrade that names them', async () => {
    const policy = { approvalTtlHours: 100, proposalTtlHours: 200, ratificationHours: 10 };
    const id = await approved({ type: 'policy', policy });
    expect((await apply(id)).json.upgrade.application.effect).toEqual({ kind: 'policy', version: 1 });
    const rollback = await operator().post(`/kernel/upgrade/${id}/rollback`, {
      rationale: 'it was better before',
    });
    expect(rollback.status).toBe(201);
    const rollbackId = rollback.json.upgrade.id as string;
    for (const n of [1, 2, 3]) await person(n).sign(rollbackId);
    expect((await apply(rollbackId)).status).toBe(200);
    expect((await detail(id)).upgrade.status).toBe('rolled_back');
  });

  it('cannot be passed off by an ordinary signature', async () => {
    const manifest = { id: 'x', kind: 'deployment-authorization' };
    const answer = await operator().post('/kernel/sign', { manifest });
    expect([answer.status, answer.json.error]).toEqual([400, 'reserved_kind']);
  });

  // Last, since it changes the pool.
  it('change the pool, and who left or lost a key stops counting at once, also for what is pending', async () => {
    const pending = await approved({}, [1, 2, 3]);
    expect((await detail(pending)).upgrade.status).toBe('approved');
    const { approvers } = (await operator().get('/kernel/approvers')).json as { approvers: JsonObject[] };
    const four = approvers.slice(1).map(({ revokedKeys: _, ...approver }) => approver);
    const id = await approved({ type: 'approver_pool', pool: { threshold: 3, approvers: four } }, [2, 3, 4]);
    expect((await operator().get('/kernel/approvers')).json.pending).toMatchObject([{ id }]);
    const applied = await apply(id);
    expect(applied.status).toBe(200);
    expect((await operator().get('/kernel/approvers')).json).toMatchObject({ version: 2, pending: [] });

    expect((await detail(pending)).upgrade).toMatchObject({
      status: 'proposed',
      quorum: { missing: 1, notCounted: [{ approverId: 'approver-1', reason: 'not_in_pool' }] },
    });
    expect((await apply(pending)).json).toMatchObject({ error: 'insufficient_quorum', approvals: 2 });
    const path = '/kernel/approvers/approver-2/keys/approver-2-key-1/revoke';
    expect((await person(3).client.post(path, { reason: 'x' })).status).toBe(403);
    expect((await person(2).client.post(path, { reason: 'lost' })).status).toBe(200);
    expect((await apply(pending)).json).toMatchObject({ error: 'insufficient_quorum', approvals: 1 });
    for (const n of [4, 5]) await person(n).sign(pending);
    expect((await apply(pending)).status).toBe(200);
    // Nobody alone leaves fewer approvers than the threshold, the owner of the key included.
    const last = '/kernel/approvers/approver-5/keys/approver-5-key-1/revoke';
    for (const client of [superadmin(), person(5).client]) {
      const refused = await client.post(last, { reason: 'stolen' });
      expect([refused.status, refused.json]).toEqual([
        409,
        expect.objectContaining({ error: 'below_threshold', threshold: 3, remaining: 2 }),
      ]);
    }
    const { code } = await verifyOffline(pending);
    expect(code).toBe(0);
    const cut = await verifyOffline(pending, (file) => {
      const bundle = JSON.parse(file) as { events: string[]; pool: string[]; proofs: string[] };
      expect(parseEvent(bundle.pool.at(-1) ?? '').type).toBe('approver_pool.key_revoked');
      bundle.pool.pop();
      bundle.proofs.splice(1 + bundle.events.length + bundle.pool.length, 1);
      return JSON.stringify(bundle);
    });
    expect([cut.code, cut.output]).toEqual([1, expect.stringContaining('pool:')]);
  });
});
