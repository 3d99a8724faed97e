import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { webhookTargets } from './webhook-targets';

describe('where webhooks may lead to', () => {
  it('is public addresses, unless the configuration allows others', () => {
    const { addresses, ca } = webhookTargets({ webhookNetworks: undefined, webhookCaFile: undefined });
    expect([addresses.refusal('10.20.0.1') === null, ca]).toEqual([false, null]);
    const inside = webhookTargets({ webhookNetworks: ['10.20.0.0/16'], webhookCaFile: undefined });
    expect(inside.addresses.refusal('10.20.0.1')).toBeNull();
  });

  it('is refused at the start when it is no network', () => {
    expect(() => webhookTargets({ webhookNetworks: ['10.20.0.0/99'], webhookCaFile: undefined })).toThrow(
      'KERNEL_WEBHOOK_NETWORKS',
    );
  });

  it('has the usual authorities beside those of the file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'webhook-targets-'));
    try {
      const webhookCaFile = join(folder, 'ca.pem');
      writeFileSync(webhookCaFile, 'the organisation’s own');
      const { ca } = webhookTargets({ webhookNetworks: undefined, webhookCaFile });
      expect(ca).toContain('the organisation’s own');
      expect(ca).toContain(rootCertificates[0]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
