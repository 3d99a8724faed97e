import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { TestCa } from '#dev/testing';
import { createLogger } from '#platform/process';
import { openWebhookTargets } from './webhook-targets';

const logger = createLogger({ app: 'test', level: 'silent' });

describe('where webhooks may lead to', () => {
  it('is public addresses, unless the configuration allows others', () => {
    const { addresses, ca } = openWebhookTargets(
      { webhookNetworks: undefined, webhookCaFile: undefined },
      logger,
    );
    expect([addresses.refusal('10.20.0.1') === null, ca()]).toEqual([false, null]);
    const inside = openWebhookTargets(
      { webhookNetworks: ['10.20.0.0/16'], webhookCaFile: undefined },
      logger,
    );
    expect(inside.addresses.refusal('10.20.0.1')).toBeNull();
  });

  it('is refused at the start when it is no network', () => {
    expect(() =>
      openWebhookTargets({ webhookNetworks: ['10.20.0.0/99'], webhookCaFile: undefined }, logger),
    ).toThrow('KERNEL_WEBHOOK_NETWORKS');
  });

  it('has the usual authorities beside those of the file, also when it is renewed', async () => {
    const [first, second] = [(await TestCa.create()).cert, (await TestCa.create()).cert];
    const folder = mkdtempSync(join(tmpdir(), 'webhook-targets-'));
    const webhookCaFile = join(folder, 'ca.pem');
    writeFileSync(webhookCaFile, first);
    const targets = openWebhookTargets({ webhookNetworks: undefined, webhookCaFile }, logger);
    try {
      expect(targets.ca()).toBe([...rootCertificates, first].join('\n'));
      expect(targets.ca()).toBe(targets.ca());
      writeFileSync(join(folder, 'next.pem'), second);
      renameSync(join(folder, 'next.pem'), webhookCaFile);
      for (const end = Date.now() + 15_000; targets.ca()?.includes(first); await delay(20)) {
        expect(Date.now()).toBeLessThan(end);
      }
      expect(targets.ca()).toBe([...rootCertificates, second].join('\n'));
    } finally {
      targets.close();
      rmSync(folder, { recursive: true });
    }
  });
});
