import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { AddressError, AddressPolicy } from '#platform/http-client';
import { ConfigError } from '#platform/process';
import { type KernelConfig } from './kernel.config';

/** Where webhooks may lead to, and whose certificates count there. @throws ConfigError */
export function webhookTargets({
  webhookNetworks = [],
  webhookCaFile,
}: Pick<KernelConfig, 'webhookNetworks' | 'webhookCaFile'>): { addresses: AddressPolicy; ca: string | null } {
  const ca =
    webhookCaFile === undefined
      ? null
      : [...rootCertificates, readFileSync(webhookCaFile, 'utf8')].join('\n');
  try {
    return { addresses: new AddressPolicy(webhookNetworks), ca };
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new ConfigError('invalid_configuration', [
      { member: 'KERNEL_WEBHOOK_NETWORKS', problem: error.message },
    ]);
  }
}
