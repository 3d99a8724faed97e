import { createPublicKey, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pkcs11Backend, provisionSoftHsm } from '#platform/signer';
import { describeWithSoftHsm } from '#dev/testing';
import { openApproverKey } from './approver-key';

describeWithSoftHsm('an approval key in a token', () => {
  it('signs without leaving it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'approver-token-'));
    try {
      const token = await provisionSoftHsm({ dir, keys: [{ kid: 'ada-1', purpose: 'manifest' }] });
      const backend = await Pkcs11Backend.open({ ...token, processes: 1 });
      const [info] = backend.keys();
      await backend.close();
      const key = await openApproverKey({
        pkcs11Key: 'ada-1',
        pkcs11Module: token.modulePath,
        pkcs11Token: token.tokenLabel,
        pkcs11PinFile: token.pinFile,
        pkcs11Env: [`SOFTHSM2_CONF=${token.configFile}`],
      });
      const input = Buffer.from('illuvrse-kernel/approval/v1\n{}');
      const signature = Buffer.from(await key.sign(input), 'base64');
      await key.close();
      expect(verify(null, input, createPublicKey(info?.publicKeyPem ?? ''), signature)).toBe(true);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
