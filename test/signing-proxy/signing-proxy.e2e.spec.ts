import { existsSync } from 'node:fs';
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { auditSigningInput, importPublicKey, verifyEd25519 } from '#evidence';
import { probe } from '#dev/devstack';
import { describeWithSoftHsm } from '#dev/testing';
import { AUDIT, MANIFEST, ORIGIN, ProxyProcess } from './proxy-process';

const input = (seq: number, shard = 0): Uint8Array =>
  auditSigningInput({ origin: ORIGIN, shard, seq, hash: 'ab'.repeat(32) });

/** Signs on many connections at once until it is stopped; every signature is verified. */
class Load {
  signed = 0;
  refused = 0;
  private stopped = false;
  private readonly running: Promise<unknown>;

  /** @param next the next position of each worker's shard, which goes on from one load to the next */
  constructor(proxy: ProxyProcess, publicKeyPem: string, next: number[]) {
    const key = importPublicKey(publicKeyPem);
    this.running = proxy.client().then((client) =>
      Promise.all(
        Array.from({ length: 20 }, async (_, worker) => {
          while (!this.stopped) {
            const bytes = input((next[worker] ??= 1), 1 + worker);
            try {
              const [answer] = await client.sign([{ purpose: 'audit-event', kid: AUDIT, input: bytes }]);
              expect(verifyEd25519(key, bytes, Buffer.from(answer?.signature ?? '', 'base64'))).toBe(true);
              this.signed++;
              next[worker]++;
            } catch (error) {
              expect(error).toMatchObject({ code: 'signing_unavailable' });
              this.refused++;
              await sleep(5);
            }
          }
        }),
      ),
    );
  }

  async progress(what: 'signed' | 'refused', by = 100): Promise<void> {
    const goal = this[what] + by;
    while (this[what] < goal) await Promise.race([sleep(5), this.running]);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }
}

function survives(signer: 'software' | 'pkcs11'): void {
  const next: number[] = [];
  let proxy: ProxyProcess;
  beforeAll(async () => {
    proxy = await ProxyProcess.prepare(signer);
    await proxy.start();
  });
  afterAll(() => proxy.stop());

  it('kill -9 under load: refuses while it is away, has the same keys and signs when it is back', async () => {
    const keys = await (await proxy.client()).keys();
    expect(keys.map(({ kid, backend }) => [kid, backend])).toEqual([
      [AUDIT, signer],
      [MANIFEST, signer],
    ]);
    const load = new Load(proxy, keys[0]?.publicKeyPem ?? '', next);
    await load.progress('signed');
    proxy.child?.kill('SIGKILL');
    await proxy.child?.exited;
    await load.progress('refused');
    await proxy.start();
    await load.progress('signed');
    await load.stop();
    expect(await (await proxy.client()).keys()).toEqual(keys);
  });

  it('SIGTERM under load: finishes what it is at and ends well', async () => {
    const client = await proxy.client();
    const [key] = await client.keys();
    const load = new Load(proxy, key?.publicKeyPem ?? '', next);
    await load.progress('signed');
    expect(await proxy.child?.stop(10_000)).toEqual({ code: 0, signal: null });
    await load.stop();
    await proxy.start();
  });

  it('writes no key and no PIN into its log', async () => {
    const log = await proxy.log();
    expect(log).toContain('"msg":"signed"');
    expect(log).not.toContain('PRIVATE KEY');
    if (proxy.token) expect(log).not.toContain((await readFile(proxy.token.pinFile, 'utf8')).trim());
  });
}

describe('the signing proxy process with keys in files', () => {
  survives('software');
});

describeWithSoftHsm('the signing proxy process with SoftHSM', () => {
  survives('pkcs11');

  it('leaves no token process behind, not even after kill -9', async () => {
    const proxy = await ProxyProcess.prepare('pkcs11');
    try {
      const child = await proxy.start();
      const children = (await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8'))
        .trim()
        .split(' ');
      expect(children).toHaveLength(2);
      child.kill('SIGKILL');
      await child.exited;
      while (children.some((pid) => existsSync(`/proc/${pid}`))) await sleep(10);
    } finally {
      await proxy.stop();
    }
  });
});

describe('the signing proxy process does not start', () => {
  let proxy: ProxyProcess;
  beforeAll(async () => {
    proxy = await ProxyProcess.prepare('software');
  });
  afterAll(() => proxy.stop());

  /** Returns its exit code and output, which has to be sentences and no stack. */
  const failing = async (changes: Record<string, string | undefined>): Promise<string> => {
    const before = (await proxy.log()).length;
    const child = await proxy.launch(changes);
    expect(await child.exited).toEqual({ code: 1, signal: null });
    const said = (await proxy.log()).slice(before);
    expect(said).not.toMatch(/^\s+at /m);
    return said;
  };

  it('with keys in files in production', async () => {
    const said = await failing({ NODE_ENV: 'production', KERNEL_SOFTWARE_KEY_DIR: undefined });
    expect(said).toContain('refused when NODE_ENV=production');
    expect(existsSync(join(proxy.dir, 'keys'))).toBe(false);
  });

  it('with a folder for keys in files in production', async () => {
    expect(await failing({ NODE_ENV: 'production' })).toContain('KERNEL_SOFTWARE_KEY_DIR');
  });

  it('in production without saying which signer', async () => {
    const said = await failing({
      NODE_ENV: 'production',
      KERNEL_SIGNER: undefined,
      KERNEL_SOFTWARE_KEY_DIR: undefined,
    });
    expect(said).toContain('KERNEL_SIGNER');
  });

  it('without a folder for its keys', async () => {
    expect(await failing({ KERNEL_SOFTWARE_KEY_DIR: undefined })).toContain(
      'KERNEL_SOFTWARE_KEY_DIR is missing',
    );
  });

  it('with a PKCS#11 signer and no PIN file', async () => {
    const said = await failing({
      KERNEL_SIGNER: 'pkcs11',
      KERNEL_PKCS11_MODULE: process.execPath,
      KERNEL_PKCS11_TOKEN_LABEL: 'x',
    });
    expect(said).toContain('KERNEL_PKCS11_PIN_FILE is missing');
  });

  it('with a setting nobody knows', async () => {
    expect(await failing({ KERNEL_SIGNER_ALLOW_ALL: 'true' })).toContain('KERNEL_SIGNER_ALLOW_ALL');
  });

  it('with a key file that others can read', async () => {
    await (await proxy.start()).stop(10_000);
    const path = join(proxy.dir, 'keys', `${AUDIT}.key.json`);
    await chmod(path, 0o644);
    expect(await failing({})).toContain(`chmod 0600 ${path}`);
    await chmod(path, 0o600);
  });

  it('on a port that is taken', async () => {
    await proxy.start();
    const first = proxy.child;
    try {
      expect(await failing({})).toContain('EADDRINUSE');
      // The first one continues; on a busy machine a lookup of its keys may exceed its time limit.
      while ((await probe(`${proxy.managementUrl}/ready`)).status !== 200) await sleep(20);
      expect(first?.exit).toBeUndefined();
    } finally {
      await first?.stop(10_000);
    }
  });
});
