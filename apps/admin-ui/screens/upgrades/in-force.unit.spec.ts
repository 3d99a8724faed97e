import { type JsonObject } from '#evidence';
import { type UpgradeStatus } from '../../api/queries';
import { comparison, poolDocument } from './in-force';
import { member, poolWith, upgradeWith } from './upgrade.fixture';

const NOTHING = { pool: undefined, signers: undefined, upgrades: undefined };
const applied = (upgradeId: string, target: string, status: UpgradeStatus = 'applied') =>
  upgradeWith({ upgradeId, status, manifest: { upgradeId, type: 'code', target } });
const CODE: JsonObject = { upgradeId: 'new', type: 'code', target: 'api' };

describe('a manifest is compared', () => {
  it('with the pool in force, without what only the kernel says of it', () => {
    const pool = poolWith({ approvers: [member('ada', { revokedKeys: ['ada-1'] })], threshold: 1 });
    const manifest = { upgradeId: 'p', type: 'approver_pool', pool: poolDocument(pool) };
    const compared = comparison(manifest, { ...NOTHING, pool });
    expect(compared?.before).toEqual(manifest.pool);
    expect(JSON.stringify(compared?.before)).not.toContain('revokedKeys');
    expect(comparison(manifest, { ...NOTHING, pool }, true)).toBeNull();
  });

  it('with the pool before an emergency', () => {
    const settled = { version: 2, threshold: 1, approvers: [member('ada')] };
    const pool = poolWith({ provisional: 'p', settled });
    const manifest = { upgradeId: 'p', type: 'approver_pool', pool: null };
    expect(comparison(manifest, { ...NOTHING, pool })?.before).toEqual(poolDocument(settled));
  });

  it('with the policy, and with the key that it replaces', () => {
    const pool = poolWith();
    expect(comparison({ type: 'policy', policy: {} }, { ...NOTHING, pool })?.before).toEqual(pool.policy);
    const signers = [{ signer_kid: 'a' }, { signer_kid: 'b' }];
    expect(comparison({ type: 'signer_rotation', from: 'b' }, { ...NOTHING, signers })?.before).toBe(
      signers[1],
    );
    expect(comparison({ type: 'signer_rotation', from: 'c' }, { ...NOTHING, signers })).toBeNull();
  });

  it('with what was last applied to the same target', () => {
    const upgrades = [
      applied('new', 'api', 'emergency_applied'),
      applied('other', 'web'),
      applied('tried', 'api', 'rejected'),
      applied('last', 'api', 'completed'),
      applied('before', 'api'),
    ];
    expect(comparison(CODE, { ...NOTHING, upgrades })?.against).toContain('last');
    expect(comparison({ ...CODE, target: 'db' }, { ...NOTHING, upgrades })).toBeNull();
  });

  it('when it is decided, with what was proposed before it', () => {
    const upgrades = [applied('newer', 'api'), applied('new', 'api'), applied('older', 'api')];
    expect(comparison(CODE, { ...NOTHING, upgrades }, true)?.against).toContain('older');
    expect(comparison({ ...CODE, upgradeId: 'unseen' }, { ...NOTHING, upgrades }, true)).toBeNull();
  });
});
