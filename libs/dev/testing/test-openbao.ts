import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DevelopmentCa,
  guardFolder,
  openBaoMissing,
  type OpenBaoServer,
  type ProvisionedTransit,
  provisionTransit,
  releaseFolder,
  signingPolicy,
  startOpenBao,
} from '#dev/devstack';
import { describeWith } from './describe-with';

/** A suite that needs a real OpenBao server (describeWith). */
export function describeWithOpenBao(name: string, suite: () => void): void {
  describeWith({ missing: openBaoMissing() }, name, suite);
}

export interface TestOpenBaoOptions {
  /** Names of Ed25519 keys that the client may sign with. */
  kids: readonly string[];
  /** Prefixes of the names of keys that it may make; default: none. */
  makes?: readonly string[];
}

/** A real OpenBao server in a temp folder on a free port. Once killed it stays so until `server.start()`. */
export interface TestOpenBao {
  readonly dir: string;
  readonly server: OpenBaoServer;
  readonly transit: ProvisionedTransit;
  /** Issues any other certificate. */
  readonly ca: DevelopmentCa;
  /** Connection of the client that may sign, as a backend takes it: PEM. */
  readonly connection: { address: string; ca: string; cert: string; key: string };
  /** From now on its client may sign with these keys and no others. */
  allow(kids: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export async function startTestOpenBao({ kids, makes = [] }: TestOpenBaoOptions): Promise<TestOpenBao> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-openbao-'));
  guardFolder(dir);
  const removeDir = async (): Promise<void> => {
    await rm(dir, { recursive: true, force: true });
    releaseFolder(dir);
  };
  let server: OpenBaoServer | undefined;
  try {
    const ca = await DevelopmentCa.open(join(dir, 'identities'));
    const started = await startOpenBao({ dir: join(dir, 'openbao'), ca, restart: false, throwaway: true });
    server = started;
    const transit = await provisionTransit(started, { ca, kids, makes });
    return {
      dir,
      server: started,
      transit,
      ca,
      connection: {
        address: transit.address,
        ca: await readFile(transit.caFile, 'utf8'),
        cert: await readFile(transit.client.cert, 'utf8'),
        key: await readFile(transit.client.key, 'utf8'),
      },
      async allow(allowed) {
        await started.ask('POST', `sys/policies/acl/${transit.role}`, { policy: signingPolicy(allowed) });
      },
      async stop() {
        await started.stop();
        await removeDir();
      },
    };
  } catch (error) {
    await server?.stop();
    await removeDir();
    throw error;
  }
}
