import { ConfigError } from '#platform/process';
import { ableApprovers, NOTIFICATIONS } from '#modules/governance';
import { openEndpoints, WebhookError, type WebhookEndpoint } from '#platform/webhooks';
import { type KernelConfig } from './kernel.config';

type GovernanceSettings = Pick<
  KernelConfig,
  | 'webauthnRpId'
  | 'webauthnOrigins'
  | 'approvalTtlHours'
  | 'proposalTtlHours'
  | 'ratificationHours'
  | 'approverPool'
  | 'isProduction'
>;

/** Checks what no single setting shows. @throws ConfigError */
export function assertGovernanceSettings(config: GovernanceSettings): void {
  assertWebAuthn(config);
  assertWindows(config);
  assertPool(config);
}

/** Endpoints that are told about upgrades, with their secrets. @throws ConfigError */
export function webhookEndpoints({
  webhooks,
  isProduction,
}: Pick<KernelConfig, 'webhooks' | 'isProduction'>): WebhookEndpoint[] {
  try {
    return openEndpoints(webhooks, { known: NOTIFICATIONS, development: !isProduction });
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    throw new ConfigError('invalid_configuration', [{ member: 'KERNEL_WEBHOOKS', problem: error.message }]);
  }
}

/** A first pool that can decide nothing could not even be replaced. */
function assertPool({ approverPool: pool }: GovernanceSettings): void {
  const able = pool === undefined ? [] : ableApprovers(pool, new Map());
  if (pool === undefined || able.length >= pool.threshold) return;
  throw new ConfigError('invalid_configuration', [
    {
      member: 'KERNEL_APPROVER_POOL',
      problem: `has the threshold ${pool.threshold}, and only ${able.length} of its approvers have a principal to call with`,
    },
  ]);
}

function assertWebAuthn({ webauthnRpId: rpId, webauthnOrigins, isProduction }: GovernanceSettings): void {
  const origins = webauthnOrigins ?? [];
  const refuse = (problem: string) =>
    new ConfigError('invalid_configuration', [{ member: 'KERNEL_WEBAUTHN_ORIGINS', problem }]);
  if ((rpId === undefined) !== (origins.length === 0)) {
    throw refuse('goes with KERNEL_WEBAUTHN_RP_ID; set both or none');
  }
  for (const origin of origins) {
    const { protocol, hostname, origin: bare } = new URL(origin);
    if (bare !== origin) throw refuse(`${origin} is no origin; that would be ${bare}`);
    if (hostname !== rpId && !hostname.endsWith(`.${rpId}`)) {
      throw refuse(`${origin} does not lie within the relying party ${rpId}`);
    }
    const local = hostname === 'localhost' && !isProduction;
    if (protocol !== 'https:' && !local) throw refuse(`${origin} must be https`);
  }
  if (isProduction && rpId === 'localhost') throw refuse('localhost is for development only');
}

function assertWindows(config: GovernanceSettings): void {
  if (!config.isProduction) return;
  const windows = {
    KERNEL_APPROVAL_TTL_HOURS: config.approvalTtlHours,
    KERNEL_PROPOSAL_TTL_HOURS: config.proposalTtlHours,
    KERNEL_RATIFICATION_HOURS: config.ratificationHours,
  };
  const problems = Object.entries(windows)
    .filter(([, hours]) => !Number.isInteger(hours) || hours < 1)
    .map(([member, hours]) => ({ member, problem: `must be whole hours in production, not ${hours}` }));
  if (problems.length > 0) throw new ConfigError('invalid_configuration', problems);
}
