import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { provisionSoftHsm } from '#platform/signer';
import { SIGNING_KEYS } from './app-environment';
import { type DevelopmentCa } from '../certificates/development-ca';
import { DevstackError } from '../devstack.error';
import { type OpenBaoServer, startOpenBao } from '../openbao/openbao-server';
import { provisionTransit, transitEnvironment } from '../openbao/provision-transit';
import { type SupervisedService } from '../process/supervised-service';

export type SignerChoice = 'software' | 'pkcs11' | 'vault-transit';
export const SIGNERS: readonly SignerChoice[] = ['software', 'pkcs11', 'vault-transit'];

export interface StackSignerOptions {
  dir: string;
  signer: SignerChoice;
  /** Port of the OpenBao server. */
  port: number;
  ca: DevelopmentCa;
  restart: boolean;
  throwaway: boolean;
  onChange?: ((service: SupervisedService, note: string) => void) | undefined;
}

/** Where the private keys of a stack are: in files, in a SoftHSM token, or in an OpenBao server. */
export interface StackSigner {
  /** The variables that say so to the signing proxy. */
  environment: Readonly<Record<string, string>>;
  server: OpenBaoServer | undefined;
}

export async function startSigner(options: StackSignerOptions): Promise<StackSigner> {
  const { dir, ca } = options;
  switch (options.signer) {
    case 'software': {
      const environment = {
        KERNEL_SIGNER: 'software',
        KERNEL_SOFTWARE_KEY_DIR: join(dir, 'signing-keys'),
      };
      return { environment, server: undefined };
    }
    case 'pkcs11': {
      const token = await provisionSoftHsm({
        dir: join(dir, 'softhsm'),
        modulePath: softHsmModule(),
        keys: [...SIGNING_KEYS],
      });
      const environment = {
        KERNEL_SIGNER: 'pkcs11',
        KERNEL_PKCS11_MODULE: token.modulePath,
        KERNEL_PKCS11_TOKEN_LABEL: token.tokenLabel,
        KERNEL_PKCS11_PIN_FILE: token.pinFile,
        ...token.environment,
      };
      return { environment, server: undefined };
    }
    case 'vault-transit': {
      const server = await startOpenBao({
        dir: join(dir, 'openbao'),
        ca,
        port: options.port,
        logFile: join(dir, 'logs', 'openbao.log'),
        restart: options.restart,
        throwaway: options.throwaway,
        ...(options.onChange === undefined ? {} : { onChange: options.onChange }),
      });
      try {
        const transit = await provisionTransit(server, {
          ca,
          kids: SIGNING_KEYS.map(({ kid }) => kid),
          makes: ['kernel-'],
        });
        return { environment: transitEnvironment(transit), server };
      } catch (error) {
        await server.stop();
        throw error;
      }
    }
  }
}

/** Where packages of SoftHSM 2 put their module: Debian and Ubuntu, Fedora, Arch, Homebrew. */
const SOFTHSM_MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/softhsm/libsofthsm2.so`,
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/lib/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
];

/** @throws DevstackError `tool_missing` where SoftHSM is not installed */
export function softHsmModule(): string {
  const found = SOFTHSM_MODULES.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new DevstackError(
    'tool_missing',
    'SoftHSM 2 is not installed, which --signer pkcs11 needs; install it (Debian: apt-get install softhsm2) or use --signer software.',
  );
}
