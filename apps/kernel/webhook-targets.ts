import { rootCertificates } from 'node:tls';
import { AddressError, AddressPolicy } from '#platform/http-client';
import { ConfigError, type Logger, TlsFiles } from '#platform/process';
import { type KernelConfig } from './kernel.config';

/** Where webhooks may lead to, and whose certificates count there. */
export interface WebhookTargets {
  readonly addresses: AddressPolicy;
  /** Authorities (PEM) in force now; null: the usual ones alone. The same text until the file changes. */
  readonly ca: () => string | null;
  close(): void;
}

/** Follows the file of authorities while it is renewed. @throws ConfigError */
export function openWebhookTargets(
  { webhookNetworks = [], webhookCaFile }: Pick<KernelConfig, 'webhookNetworks' | 'webhookCaFile'>,
  logger: Logger,
): WebhookTargets {
  const addresses = policyOf(webhookNetworks);
  if (webhookCaFile === undefined) return { addresses, ca: () => null, close: () => undefined };
  const files = new TlsFiles({ use: 'webhook_receivers', paths: { ca: webhookCaFile }, logger });
  const besideUsual = ({ ca }: { ca: Buffer }): string =>
    [...rootCertificates, ca.toString('utf8')].join('\n');
  let ca = besideUsual(files.current);
  files.onRenewal((renewed) => (ca = besideUsual(renewed)));
  return { addresses, ca: () => ca, close: () => files.close() };
}

function policyOf(networks: readonly string[]): AddressPolicy {
  try {
    return new AddressPolicy(networks);
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new ConfigError('invalid_configuration', [
      { member: 'KERNEL_WEBHOOK_NETWORKS', problem: error.message },
    ]);
  }
}
