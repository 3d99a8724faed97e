import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonObject } from '#libs/evidence';
import { withStack } from '#libs/testing';
import { ContractClient } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';
import { verifyOffline as verifyUpgrade } from './verify-offline';

const SECOND = 1 / 3_600;
/** The windows of what is proposed through the second kernel; what is proposed through the first has the usual ones. */
const SHORT = {
  KERNEL_PROPOSAL_TTL_HOURS: String((8 * SECOND).toFixed(9)),
  KERNEL_APPROVAL_TTL_HOURS: String((4 * SECOND).toFixed(9)),
  KERNEL_RATIFICATION_HOURS: String((4 * SECOND).toFixed(9)),
};
const LONG = { approvalTtlHours: 100, proposalTtlHours: 200, ratificationHours: 10 };

describe('what time does to upgrades, and the coordinator to what is due', () => {
  const stack = withStack({ kernels: 2, shards: 3, kernelVariables: (_, n) => (n === 1 ? SHORT : {}) });
  const operator = (kernel = 0) => new ContractClient(stack().client('OPERATOR', { kernel }));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN'));
  const person = (n: number, kernel = 0) => new PersonAtDesk(stack(), n, { kernel });
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-time-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function propose(
    upgradeId: string,
    windows: 'usual' | 'short',
    more: JsonObject = {},
  ): Promise<void> {
    const manifest = { upgradeId, type: 'code', target: 'api', rationale: 'a fix', ...more };
    const kernel = windows === 'short' ? 1 : 0;
    expect((await operator(kernel).post('/kernel/upgrade', { manifest })).status).toBe(201);
  }
  const detail = async (id: string, kernel = 0) =>
    (await operator(kernel).get(`/kernel/upgrade/${id}`)).json as {
      upgrade: JsonObject & { quorum: { approvers: string[]; notCounted: JsonObject[] } };
      timeline: { type: string; actor: { id: string } }[];
    };
  const typesOf = async (id: string, kernel = 0) =>
    (await detail(id, kernel)).timeline.map(({ type }) => type.replace('upgrade.', ''));
  async function until(id: string, type: string, kernel = 0): Promise<string[]> {
    for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const types = await typesOf(id, kernel);
      if (types.includes(type)) return types;
      if (Date.now() > end) throw new Error(`${id} is not ${type}: ${types.join(', ')}`);
    }
  }
  const verified = async (id: string, kernel = 0) => {
    const { code, output } = await verifyUpgrade(operator(kernel), folder, id);
    expect([code, output]).toEqual([0, expect.stringContaining(`Upgrade ${id} verified`)]);
    return output;
  };
  async function alarms(kind: string): Promise<number> {
    const pages = await Promise.all([0, 1].map((kernel) => stack().management('/metrics', kernel)));
    return pages
      .map(
        ({ text }) =>
          new RegExp(`^kernel_upgrade_alarms_total\\{kind="${kind}"\\} (\\d+)`, 'm').exec(text)?.[1],
      )
      .reduce((sum, found) => sum + Number(found ?? 0), 0);
  }

  it('expire when nobody has applied them in time', async () => {
    await propose('late', 'short');
    expect((await person(1).sign('late')).status).toBe(201);
    expect(await until('late', 'expired')).toEqual(['proposed', 'approval_given', 'expired']);
    expect((await detail('late')).timeline.at(-1)?.actor.id).toBe('kernel');
    const refused = await operator().post('/kernel/upgrade/late/apply', {});
    expect(refused.json).toMatchObject({ error: 'upgrade_closed', upgradeStatus: 'expired' });
    expect(await verified('late')).toContain('verified: expired');
  }, 60_000);

  it('lose their quorum with approvals that grow too old, and take none that was signed too long ago', async () => {
    await propose('stale', 'short');
    const early = person(4);
    const record = await early.record('stale');
    const body = early.body(record);
    expect((await person(1).sign('stale')).status).toBe(201);
    const { expiresAt } = (await person(1).record('stale')) as { expiresAt: string };
    const untilThen = Date.parse(expiresAt) - Date.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, untilThen) + 50));
    const replayed = await early.client.post('/kernel/upgrade/stale/approve', body);
    expect([replayed.status, replayed.json.error]).toEqual([400, 'invalid_approved_at']);
    expect((await detail('stale')).upgrade.quorum).toMatchObject({
      approvers: [],
      notCounted: [{ approverId: 'approver-1', reason: 'expired' }],
    });
    // A signature that does not count any more may be given anew.
    const again = await person(1).sign('stale');
    expect([201, 409]).toContain(again.status);
    if (again.status === 409) expect(again.json.error).toBe('upgrade_closed');
  }, 60_000);

  it('are rolled back after an emergency that nobody ratified, and raise an alarm', async () => {
    const poolNow = async () =>
      (await operator().get('/kernel/approvers')).json as {
        version: number;
        threshold: number;
        approvers: (JsonObject & { id: string; revokedKeys?: unknown })[];
      };
    const before = await poolNow();
    const [rolledBack, required] = [await alarms('rolled_back'), await alarms('rollback_required')];
    const four = before.approvers.slice(1).map(({ revokedKeys: _, ...approver }) => approver);
    await propose('fire-inside', 'short', { type: 'approver_pool', pool: { threshold: 3, approvers: four } });
    await propose('fire-outside', 'short');
    for (const id of ['fire-inside', 'fire-outside']) {
      const applied = await superadmin().post(`/kernel/upgrade/${id}/emergency-apply`, {
        reason: 'it burns',
      });
      expect(applied.json.upgrade.status).toBe('emergency_applied');
    }
    expect(await poolNow()).toMatchObject({ provisional: 'fire-inside', approvers: { length: 4 } });
    expect(await until('fire-inside', 'rolled_back')).toEqual([
      'proposed',
      'emergency_applied',
      'rolled_back',
    ]);
    await until('fire-outside', 'rollback_required');
    const after = await poolNow();
    expect(after).toMatchObject({ version: before.version + 2, provisional: null });
    expect(after.approvers).toEqual(before.approvers);
    expect((await detail('fire-outside')).upgrade).toMatchObject({ status: 'rollback_required' });
    expect(await alarms('rolled_back')).toBe(rolledBack + 1);
    expect(await alarms('rollback_required')).toBe(required + 1);
    expect(await verified('fire-inside')).toContain('verified: rolled_back');
    expect(await verified('fire-outside')).toContain('verified: rollback_required');
    const ratified = await person(1).client.post(
      '/kernel/upgrade/fire-outside/ratify',
      person(1).body(await person(1).record('fire-outside', 'ratify')),
    );
    expect(ratified.json).toMatchObject({ error: 'not_emergency' });
  }, 60_000);

  it('are applied by the coordinator, once they may be, when they say so', async () => {
    await propose('auto', 'usual', { autoApply: true, preconditions: ['staging'] });
    for (const n of [1, 2, 3]) expect((await person(n).sign('auto')).status).toBe(201);
    await operator().post('/kernel/upgrade/auto/check', { name: 'staging', passed: true });
    const types = await until('auto', 'applied');
    expect(types.slice(-2)).toEqual(['check_reported', 'applied']);
    const { upgrade, timeline } = await detail('auto');
    expect(timeline.at(-1)?.actor.id).toBe('kernel');
    expect(upgrade['application']).toMatchObject({ authorization: { signatures: [{}] } });
    expect(await verified('auto')).toContain('verified: applied (3 of 3');
  }, 60_000);

  it('are undone by another one, and both prove it', async () => {
    await propose('wrong', 'usual', { type: 'policy', policy: LONG });
    for (const n of [1, 2, 3]) await person(n).sign('wrong');
    expect((await operator().post('/kernel/upgrade/wrong/apply', {})).status).toBe(200);
    const { json } = await operator().post('/kernel/upgrade/wrong/rollback', { rationale: 'too long' });
    const undo = json.upgrade.id as string;
    for (const n of [3, 4, 5]) await person(n).sign(undo);
    expect((await operator().post(`/kernel/upgrade/${undo}/apply`, {})).status).toBe(200);
    expect(await verified('wrong')).toContain('verified: rolled_back');
    expect(await verified(undo)).toContain('verified: applied');
    expect(await typesOf('wrong')).toEqual(expect.arrayContaining(['applied', 'rolled_back']));
  }, 60_000);

  // Last: processes come and go.
  it('are applied once, though the coordinator is killed again and again', async () => {
    const leader = async (): Promise<number> => {
      for (const end = Date.now() + 20_000; Date.now() < end;) {
        for (const kernel of [0, 1]) {
          const { text } = await stack().management('/metrics', kernel);
          if (/^kernel_upgrade_coordinator_leading 1$/m.test(text)) return kernel;
        }
      }
      throw new Error('nobody leads');
    };
    const { version } = (await operator().get('/kernel/approvers')).json as { version: number };
    for (let round = 0; round < 4; round++) {
      const id = `killed-${round}`;
      const leading = await leader();
      const other = 1 - leading;
      const pool = (await operator(other).get('/kernel/approvers')).json as {
        threshold: number;
        approvers: (JsonObject & { revokedKeys?: unknown })[];
      };
      const approvers = pool.approvers.map(({ revokedKeys: _, ...approver }) => ({
        ...approver,
        contact: `round ${round}`,
      }));
      const manifest = {
        upgradeId: id,
        type: 'approver_pool',
        rationale: 'a round',
        pool: { threshold: 3, approvers },
        autoApply: true,
      };
      expect((await operator(other).post('/kernel/upgrade', { manifest })).status).toBe(201);
      for (const n of [1, 2, 3]) expect((await person(n, other).sign(id)).status).toBe(201);
      // A little later each time: before it looks, while it decides, after it has committed.
      await new Promise((resolve) => setTimeout(resolve, round * 350));
      await stack().kernels[leading]?.process.kill();
      const types = await until(id, 'applied', other);
      expect(types.filter((type) => type === 'applied')).toHaveLength(1);
      expect((await operator(other).get('/kernel/approvers')).json.version).toBe(version + round + 1);
      await stack().kernels[leading]?.process.start();
      await stack().whenReady();
    }
    await verified('killed-3');
  }, 120_000);
});
