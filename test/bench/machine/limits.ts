import { fork } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type CertificateFiles, type PostgresServer, softHsmModule } from '#dev/devstack';
import { Pkcs11Backend, provisionSoftHsm } from '#platform/signer';
import { loadOn, type LoadReport } from '../load/load';

/** This machine's limit for each operation that a signature needs, with nothing around it. */
export interface MachineLimits {
  /** Ed25519 signatures a second by node:crypto, one thread. */
  ed25519OneThread: number;
  /** The same in the thread pool, all cores. */
  ed25519: number;
  /** Single-row INSERTs a second on one connection, each committed and flushed. */
  commits: number;
}

/** Length of an audit event's signing input. */
const MESSAGE_BYTES = 150;
/** Bytes of a stored event and its columns. */
const ROW_BYTES = 1_200;

/** Measures each limit for `ms`, one after another. */
export async function measureLimits(postgres: PostgresServer, ms: number): Promise<MachineLimits> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const message = randomBytes(MESSAGE_BYTES);
  return {
    ed25519OneThread: await perSecond(ms, async () => {
      for (let n = 0; n < 100; n += 1) sign(null, message, privateKey);
      return 100;
    }),
    ed25519: await perSecond(ms, async () => {
      const batch = 64 * availableParallelism();
      await Promise.all(Array.from({ length: batch }, () => signInPool(message, privateKey)));
      return batch;
    }),
    commits: await bareCommits(postgres, ms),
  };
}

/** Signatures a second from SoftHSM through the kernel's own backend, in batches of 64. */
export async function bareSoftHsm(ms: number): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-bench-softhsm-'));
  try {
    const token = await provisionSoftHsm({
      dir,
      modulePath: softHsmModule(),
      keys: [{ kid: 'bench', purpose: 'audit' }],
    });
    const backend = await Pkcs11Backend.open(token);
    try {
      const batch = Array.from({ length: 64 }, () => randomBytes(MESSAGE_BYTES));
      return await perSecond(ms, async () => (await backend.sign('bench', batch)).length);
    } finally {
      await backend.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function bareCommits(postgres: PostgresServer, ms: number): Promise<number> {
  const client = new Client({ connectionString: postgres.urlFor('superuser', 'postgres') });
  await client.connect();
  try {
    await client.query('CREATE TABLE IF NOT EXISTS bench_commits (id bigserial PRIMARY KEY, body bytea)');
    const values = [randomBytes(ROW_BYTES)];
    return await perSecond(ms, async () => {
      await client.query({
        name: 'bench',
        text: 'INSERT INTO bench_commits (body) VALUES ($1)',
        values,
      });
      return 1;
    });
  } finally {
    await client.query('DROP TABLE bench_commits');
    await client.end();
  }
}

/** Calls `work` until `ms` have passed, after a warm-up of a tenth of that, and sums what it returns. */
async function perSecond(ms: number, work: () => Promise<number>): Promise<number> {
  for (const until = performance.now() + ms / 10; performance.now() < until;) await work();
  const from = performance.now();
  let count = 0;
  while (performance.now() - from < ms) count += await work();
  return (count / (performance.now() - from)) * 1_000;
}

function signInPool(message: Uint8Array, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(null, message, key, (error, signature) => (error ? reject(error) : resolve(signature)));
  });
}

/** A mutual TLS server that does nothing, in its own process. */
export class EmptyHandler {
  private constructor(
    private readonly child: ReturnType<typeof fork>,
    private readonly port: number,
    private readonly tls: { caCert: string; caller: CertificateFiles },
  ) {}

  static async start(options: {
    caCert: string;
    server: CertificateFiles;
    caller: CertificateFiles;
  }): Promise<EmptyHandler> {
    const child = fork(join(__dirname, 'empty-handler.process.js'));
    const port = await new Promise<number>((resolve, reject) => {
      child.once('message', (message) => resolve(message as number));
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the empty handler ended (${code})`)));
      child.send({ ca: options.caCert, ...options.server });
    });
    return new EmptyHandler(child, port, options);
  }

  /** Sends the same requests that the kernel gets, from the same generator with as many connections. */
  measure(concurrency: number, ms: number): Promise<LoadReport> {
    return loadOn(
      { url: `https://127.0.0.1:${this.port}`, ...this.tls },
      { concurrency, warmUpMs: ms / 3, measureMs: ms, workload: { kind: 'sign' } },
    );
  }

  stop(): void {
    this.child.removeAllListeners('exit');
    this.child.disconnect();
  }
}
