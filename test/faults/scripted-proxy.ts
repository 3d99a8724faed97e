import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KERNEL_CLIENT_COMMON_NAME } from '#dev/devstack';
import { createLogger } from '#platform/process';
import { type BackendHealth, type KeyInfo, type SigningBackend, SoftwareBackend } from '#platform/signer';
import { type TestStack } from '#dev/testing';
import { FileMarks } from '../../apps/signing-proxy/marks/file-marks';
import { startSigningProxy } from '../../apps/signing-proxy/start-signing-proxy';

/** No stack of the tests has more. */
const MOST_SHARDS = 256;

type Sign = SigningBackend['sign'];

/** The keys of a stack under the test's control: the test decides what happens to each signature. */
export class ScriptedBackend implements SigningBackend {
  readonly name = 'scripted';
  /** Called instead of signing, until it is changed again. */
  instead: ((sign: Sign, ...args: Parameters<Sign>) => Promise<Uint8Array[]>) | undefined;
  /** Reason why it reports that it cannot sign. */
  trouble: string | undefined;

  private constructor(private readonly real: SigningBackend) {}

  /** @param folder of the key files; another one than the stack's holds other keys of the same names */
  static async open(stack: TestStack, folder = 'signing-keys'): Promise<ScriptedBackend> {
    const real = await SoftwareBackend.open({
      dir: join(stack.dir, folder),
      keys: [
        { kid: 'kernel-audit-ed25519-v1', purposes: ['audit'] },
        { kid: 'kernel-manifest-ed25519-v1', purposes: ['manifest'] },
      ],
      production: false,
    });
    return new ScriptedBackend(real);
  }

  keys(): readonly KeyInfo[] {
    return this.real.keys();
  }

  sign(...args: Parameters<Sign>): Promise<Uint8Array[]> {
    const sign: Sign = (...given) => this.real.sign(...given);
    return this.instead === undefined ? sign(...args) : this.instead(sign, ...args);
  }

  health(): Promise<BackendHealth> {
    return this.trouble === undefined
      ? this.real.health()
      : Promise.resolve({ ok: false, detail: this.trouble });
  }

  close(): Promise<void> {
    return this.real.close();
  }
}

/** The real signing proxy in this process, in place of the stack's own, which must not run. */
export async function startScriptedProxy(
  stack: TestStack,
  backend: SigningBackend,
): Promise<{ close(): Promise<void> }> {
  const { proxyServer, caCert } = stack.identities;
  return startSigningProxy({
    origin: stack.origin,
    shards: MOST_SHARDS,
    clients: [{ cn: KERNEL_CLIENT_COMMON_NAME, purposes: ['audit-event', 'manifest'] }],
    backends: [backend],
    // The stack's own: what is signed meanwhile is known to its proxy afterwards.
    marks: FileMarks.open(join(stack.dir, 'signing-marks')),
    logger: createLogger({ app: 'scripted-proxy', level: 'silent' }),
    host: '127.0.0.1',
    port: Number(new URL(stack.signingProxyUrl).port),
    tls: {
      cert: readFileSync(proxyServer.cert),
      key: readFileSync(proxyServer.key),
      ca: readFileSync(caCert),
    },
    management: { host: '127.0.0.1', port: 0 },
  });
}
