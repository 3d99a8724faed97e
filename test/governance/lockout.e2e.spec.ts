import { type JsonObject, type SignerEntry } from '#evidence';
import { withStack } from '#dev/testing';
import { ContractClient } from '../contract/contract.client';
import { until } from '../faults/until';
import { PersonAtDesk } from './approvers';

/** Two seconds: the window of an emergency, which the coordinator of the same kernel ends. */
const RATIFICATION_HOURS = '0.0006';

/** What a SuperAdmin did alone to the kernel's own keys and left to the coordinator to undo. */
describe('the audit key of an emergency that nobody ratified', () => {
  const stack = withStack({
    kernelVariables: { KERNEL_RATIFICATION_HOURS: RATIFICATION_HOURS, KERNEL_KEY_OVERLAP_SECONDS: '1' },
  });
  const operator = () => new ContractClient(stack().client('OPERATOR'));
  const superadmin = () => new ContractClient(stack().client('SUPERADMIN'));
  const write = async () => (await operator().post('/kernel/sign', { manifest: { id: 'x' } })).status;
  const statusOf = async (id: string) =>
    (await operator().get(`/kernel/upgrade/${id}`)).json.upgrade as { status: string; reason: string | null };
  const signers = async () =>
    (await operator().get('/kernel/keys')).json.signers as (SignerEntry & { status: string })[];
  const retired = (kid: string) =>
    until(`${kid} is retired`, async () => {
      const { status, json } = await superadmin().post(`/kernel/keys/${kid}/retire`, { reason: 'replaced' });
      expect([200, 409]).toContain(status);
      return status === 200 && json.status === 'retired';
    });

  async function proposed(id: string, more: JsonObject): Promise<void> {
    const manifest = { upgradeId: id, rationale: 'a test', ...more };
    expect((await operator().post('/kernel/upgrade', { manifest })).status).toBe(201);
  }
  async function rotation(id: string): Promise<{ from: string; to: string }> {
    const { candidates, inForce } = (await superadmin().get('/kernel/keys/candidates')).json as {
      candidates: SignerEntry[];
      inForce: Record<string, string>;
    };
    const from = inForce['audit'] ?? '';
    const signer = candidates.find(({ purposes }) => purposes.includes('audit'));
    if (signer === undefined) throw new Error('the proxy has no other audit key');
    await proposed(id, { type: 'signer_rotation', from, signer: { ...signer } });
    return { from, to: signer.signer_kid };
  }
  async function approved(id: string): Promise<void> {
    for (const n of [1, 2, 3]) expect((await new PersonAtDesk(stack(), n).sign(id)).status).toBe(201);
  }

  it('stays in force, the kernel goes on writing, and a quorum rotates it away', async () => {
    const { from, to } = await rotation('fire');
    const applied = await superadmin().post('/kernel/upgrade/fire/emergency-apply', { reason: 'it burns' });
    expect(applied.json.upgrade.status).toBe('emergency_applied');
    // Nothing but the new key is left, which a rollback must not end.
    await retired(from);
    await until('its time is over', async () => (await statusOf('fire')).status !== 'emergency_applied');
    expect(await statusOf('fire')).toMatchObject({
      status: 'rollback_required',
      reason: expect.stringContaining(`${to} is the key in force for audit`) as string,
    });
    expect(await write()).toBe(200);
    const rollback = { rationale: 'nobody ratified it' };
    const refused = await operator().post('/kernel/upgrade/fire/rollback', rollback);
    expect([refused.status, refused.json.error, refused.json.kid]).toEqual([409, 'last_key', to]);

    const forward = await rotation('forward');
    expect(forward.from).toBe(to);
    await approved('forward');
    expect((await operator().post('/kernel/upgrade/forward/apply', {})).status).toBe(200);
    expect((await operator().post('/kernel/upgrade/fire/rollback', rollback)).status).toBe(201);
    await approved('fire.rollback');
    expect((await operator().post('/kernel/upgrade/fire.rollback/apply', {})).status).toBe(200);
    expect((await statusOf('fire')).status).toBe('rolled_back');
    const audit = (await signers()).filter(({ purposes }) => purposes.includes('audit'));
    expect(audit.map(({ signer_kid, status }) => [signer_kid, status])).toEqual([
      [from, 'retired'],
      [to, 'retired'],
      [forward.to, 'active'],
    ]);
    await until('it writes with the third key', async () => (await write()) === 200);
  }, 90_000);
});
