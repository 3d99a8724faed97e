import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compileCache } from '../build/running-build';
import { DevstackError } from '../devstack.error';
import { BoundedLog } from '../process/bounded-log';
import { type RunningChild, startChild } from '../process/child-process';
import { SupervisedService } from '../process/supervised-service';
import { DEVELOPMENT_ROLES } from './development-people';
import { DEVELOPMENT_CLIENT_ID } from './development-provider-client';
import { openIdentityProviderSecrets } from './identity-provider-secrets';

const START_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5_000;

export interface StackIdentityProvider {
  readonly issuer: string;
  readonly service: SupervisedService;
  /** Variables of the kernel: the listener for people, and who signs them in. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts the development identity provider as a process of its own. */
export async function startIdentityProvider(options: {
  dir: string;
  programs: string;
  port: number;
  /** Port of the kernel's listener for people. */
  web: number;
  restart: boolean;
  onChange?: (service: SupervisedService, note: string) => void;
}): Promise<StackIdentityProvider> {
  const { dir, programs, port, web, restart, onChange } = options;
  const issuer = `http://127.0.0.1:${port}`;
  // Passkeys know localhost and no address; another name than the provider's, so that their cookies are apart.
  const webOrigin = `http://localhost:${web}`;
  const secretsFile = join(dir, 'identity-provider.json');
  const { clientSecret } = await openIdentityProviderSecrets(secretsFile);
  const log = new BoundedLog(join(dir, 'logs', 'identity-provider.log'));
  const entry = join(programs, 'libs', 'dev', 'devstack', 'identity-provider', 'main.js');
  const service = new SupervisedService({
    name: 'identity-provider',
    stopGraceMs: STOP_GRACE_MS,
    restart,
    ...(onChange === undefined ? {} : { onChange }),
    start: async (signal) => {
      const child = await startChild({
        command: process.execPath,
        args: [entry, String(port), webOrigin, secretsFile],
        env: { NODE_ENV: 'development', ...compileCache() },
        cwd: programs,
        log,
      });
      return whenAnswering(child, issuer, log, signal);
    },
  });
  await service.start();
  return {
    issuer,
    service,
    environment: {
      KERNEL_WEB_HOST: '127.0.0.1',
      KERNEL_WEB_PORT: String(web),
      KERNEL_WEB_ORIGIN: webOrigin,
      KERNEL_OIDC_ISSUER: issuer,
      KERNEL_OIDC_CLIENT_ID: DEVELOPMENT_CLIENT_ID,
      KERNEL_OIDC_CLIENT_SECRET: clientSecret,
      KERNEL_OIDC_SCOPES: 'openid,profile,groups',
      KERNEL_OIDC_ROLES: JSON.stringify(DEVELOPMENT_ROLES),
      KERNEL_OIDC_TOKEN_AUDIENCE: webOrigin,
    },
  };
}

async function whenAnswering(
  child: RunningChild,
  issuer: string,
  log: BoundedLog,
  signal: AbortSignal,
): Promise<RunningChild> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  try {
    while (!(await answers(issuer))) {
      if (child.exit !== undefined || Date.now() > deadline) {
        throw new DevstackError(
          'process_failed',
          `The identity provider did not start: ${log.tail(3).join(' ')} (log: ${log.file}).`,
          { log: log.file },
        );
      }
      signal.throwIfAborted();
      await delay(40);
    }
    return child;
  } catch (error) {
    await child.stop(STOP_GRACE_MS);
    throw error;
  }
}

async function answers(issuer: string): Promise<boolean> {
  try {
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(2_000),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
