import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JsonObject } from '#evidence';
import { withStack } from '#dev/testing';
import { type UpgradeWithTimeline } from '#openapi/kernel';
import { ContractClient, kernelContract } from '../contract/contract.client';
import { PersonAtDesk } from './approvers';
import { cli, connectionTo } from './cli';
import { verifyFile, verifyOffline as verifyUpgrade } from './verify-offline';

const SECOND = 1 / 3_600;
/** The windows of what is proposed through the second kernel; what is proposed through the first has the usual ones. */
const SHORT = {
  KERNEL_PROPOSAL_TTL_HOURS: String((8 * SECOND).toFixed(9)),
  KERNEL_APPROVAL_TTL_HOURS: String((4 * SECOND).toFixed(9)),
  KERNEL_RATIFICATION_HOURS: String((4 * SECOND).toFixed(9)),
};
const LONG = { approvalTtlHours: 100, proposalTtlHours: 200, ratificationHours: 10 };

describe('what time does to upgrades, and the coordinator to what is due', () => {
  const stack = withStack({
    kernels: 2,
    shards: 3,
    workers: ['outbox-relay', 'log-publisher'],
    kernelVariables: (_, n) => (n === 1 ? SHORT : {}),
  });
  const operator = (kernel = 0) => new ContractClient(stack().client('OPERATOR', { kernel }));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN'));
  const person = (n: number, kernel = 0) => new PersonAtDesk(stack(), n, { kernel });
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kernel-test-time-'));
    // Compiles the contract, which takes too long to do it within the seconds that an upgrade has.
    kernelContract();
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
    (await operator(kernel).get(`/kernel/upgrade/${id}`)).json as UpgradeWithTimeline;
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
    expect(await typesOf('stale')).toEqual(['proposed', 'approval_given', 'approval_refused']);
    expect((await detail('stale')).upgrade.quorum).toMatchObject({
      approvers: [],
      notCounted: [{ approverId: 'approver-1', reason: 'expired' }],
    });
    // A signature that no longer counts may be given again.
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
    await superadmin().post('/kernel/upgrade/auto/check', { name: 'staging', passed: true });
    const types = await until('auto', 'applied');
    expect(types.slice(-2)).toEqual(['check_reported', 'applied']);
    const { upgrade, timeline } = await detail('auto');
    expect(timeline.at(-1)?.actor.id).toBe('kernel');
    expect(upgrade['application']).toMatchObject({ authorization: { signatures: [{}] } });
    expect(await verified('auto')).toContain('verified: applied (3 of 3');
  }, 60_000);

  // Before the first change of the policy: the windows of the second kernel hold until an upgrade names others.
  describe('from the command line', () => {
    type Caller = 'OPERATOR' | 'SUPERADMIN';
    /** Proposes through the kernel with the short windows (1), or the one with the usual ones (0). */
    const kernel = (n: number, words: string, ...args: string[]) => as('OPERATOR', n, words, ...args);
    const as = (caller: Caller, n: number, words: string, ...args: string[]) =>
      cli([
        ...['upgrade', ...words.split(' '), ...args],
        ...connectionTo(stack(), stack().identities.callers[caller], n),
      ]);
    async function proposed(n: number, upgradeId: string, more: JsonObject = {}): Promise<void> {
      const file = join(folder, `${upgradeId}.manifest.json`);
      const manifest = { upgradeId, type: 'code', target: 'api', rationale: 'a fix', ...more };
      await writeFile(file, JSON.stringify(manifest));
      expect(await kernel(n, 'propose', file)).toContain(`${upgradeId} (${manifest.type}) is proposed`);
    }
    async function signed(upgradeId: string, people: number[], action = 'approve'): Promise<string> {
      let printed = '';
      for (const n of people) {
        const approver = stack().identities.approvers[n - 1]!;
        printed = await cli([
          ...['upgrade', action, upgradeId, '--approver', approver.id, '--signing-key', approver.approvalKey],
          ...['--origin', stack().origin, '--yes', ...connectionTo(stack(), approver.tls)],
        ]);
        expect(printed).toContain(`${upgradeId} (`);
      }
      return printed;
    }
    /** Output of `show`, as soon as it contains an event of that type. */
    async function shown(upgradeId: string, type: string): Promise<string> {
      for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
        const text = await kernel(0, 'show', upgradeId);
        if (text.includes(`  upgrade.${type}  `)) return text;
        if (Date.now() > end) throw new Error(`${upgradeId} is not ${type}: ${text}`);
      }
    }
    const typesShown = (text: string) => text.match(/upgrade\.\w+/g)?.map((type) => type.slice(8));
    async function proven(upgradeId: string): Promise<string> {
      const file = join(folder, `${upgradeId}.cli.json`);
      await kernel(0, 'evidence', upgradeId, '--out', file);
      const signers = join(folder, 'signers.cli.json');
      const connection = connectionTo(stack(), stack().identities.callers.OPERATOR);
      await writeFile(signers, await cli(['keys', 'signers', ...connection]));
      const { code, output } = await verifyFile(file, signers);
      expect([code, output]).toEqual([0, expect.stringContaining(`Upgrade ${upgradeId} verified`)]);
      return output;
    }

    it('expire, and are rolled back when nobody ratifies them', async () => {
      await proposed(1, 'cli-late');
      await proposed(1, 'cli-fire', { type: 'policy', policy: LONG });
      await proposed(1, 'cli-fire-outside');
      await signed('cli-late', [1]);
      for (const id of ['cli-fire', 'cli-fire-outside']) {
        const applied = await as('SUPERADMIN', 1, 'emergency-apply', id, '--reason', 'it burns', '--yes');
        expect(applied).toContain('EMERGENCY to be ratified until');
      }
      await signed('cli-fire', [1, 2], 'ratify');
      expect(typesShown(await shown('cli-fire', 'rolled_back'))).toEqual([
        ...['proposed', 'emergency_applied', 'ratification_given', 'ratification_given', 'rolled_back'],
      ]);
      const outside = await shown('cli-fire-outside', 'rollback_required');
      expect(outside).toContain('cli-fire-outside (code) is rollback_required');
      const late = await shown('cli-late', 'expired');
      expect(late).toContain('cli-late (code) is expired');
      expect(late).toContain('reason    nobody applied it until');
      expect(typesShown(late)).toEqual(['proposed', 'approval_given', 'expired']);
      expect(late).toMatch(/upgrade\.expired +kernel$/m);
      expect(await kernel(0, 'apply', 'cli-late')).toContain('(upgrade_closed)');
      expect(await proven('cli-late')).toContain('verified: expired');
      expect(await proven('cli-fire')).toContain('verified: rolled_back');
    }, 60_000);

    it('are applied by the coordinator, and undone by another one', async () => {
      await proposed(0, 'cli-auto', {
        type: 'policy',
        policy: LONG,
        autoApply: true,
        preconditions: ['lab'],
      });
      expect(await signed('cli-auto', [1, 2, 3])).toContain('missing: lab');
      expect(await as('SUPERADMIN', 0, 'check', 'cli-auto', 'lab')).toContain('cli-auto (policy)');
      expect(typesShown(await shown('cli-auto', 'applied'))?.slice(-2)).toEqual([
        'check_reported',
        'applied',
      ]);
      const rollback = await kernel(0, 'rollback', 'cli-auto', '--rationale', 'too long');
      expect(rollback).toContain('cli-auto.rollback (rollback) is proposed');
      await signed('cli-auto.rollback', [3, 4, 5]);
      expect(await kernel(0, 'apply', 'cli-auto.rollback')).toContain('is applied');
      expect(typesShown(await shown('cli-auto', 'rolled_back'))).toEqual([
        ...['proposed', 'approval_given', 'approval_given', 'approval_given', 'approved'],
        ...['check_reported', 'applied', 'rolled_back'],
      ]);
      expect(await proven('cli-auto')).toContain('verified: rolled_back');
      expect(await proven('cli-auto.rollback')).toContain('verified: applied (3 of 3');
    }, 60_000);

    it('lose the approvals of who leaves the pool while they are pending', async () => {
      const { approvers, threshold } = JSON.parse(await kernel(0, 'approvers', '--json')) as {
        threshold: number;
        approvers: (JsonObject & { revokedKeys?: unknown })[];
      };
      const people = approvers.map(({ revokedKeys: _, ...approver }) => approver);
      await proposed(0, 'cli-pending');
      await signed('cli-pending', [1, 2, 3]);
      await proposed(0, 'cli-leaves', {
        type: 'approver_pool',
        pool: { threshold, approvers: people.slice(1) },
      });
      await signed('cli-leaves', [2, 3, 4]);
      expect(await kernel(0, 'apply', 'cli-leaves')).toContain('is applied');
      const pending = await kernel(0, 'show', 'cli-pending');
      expect(pending).toContain('cli-pending (code) is proposed');
      expect(pending).toContain('approver-1 (approve) does not count: not_in_pool');
      expect(await kernel(0, 'apply', 'cli-pending')).toContain('(insufficient_quorum): 2 of 3');
      expect(await signed('cli-pending', [5])).toContain('3 of 3: approver-2, approver-3, approver-5');
      expect(await kernel(0, 'apply', 'cli-pending')).toContain('is applied');
      expect(await proven('cli-pending')).toContain('verified: applied (3 of 3');
      // Restores the pool for the tests that follow.
      await proposed(0, 'cli-returns', { type: 'approver_pool', pool: { threshold, approvers: people } });
      await signed('cli-returns', [2, 3, 4]);
      expect(await kernel(0, 'apply', 'cli-returns')).toContain('is applied');
      // The callers who may read without a role are looked up once a second.
      for (const n of [0, 1]) {
        for (const end = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
          if ((await person(1, n).client.get('/kernel/approvers')).status === 200) break;
          expect(Date.now()).toBeLessThan(end);
        }
      }
    }, 60_000);
  });

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

  // Last, since processes are killed and started.
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
      // A little later in each round: before it looks, while it decides, after it has committed.
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
