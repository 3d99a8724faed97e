import { generateKeyPairSync, sign } from 'node:crypto';
import { join } from 'node:path';
import { auditSigningInput } from '#libs/evidence';
import { Pkcs11Backend, type SigningBackend, SoftwareBackend } from '#libs/signer';
import { loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { percent, round, softHsmMissing } from './bench-stack';
import { AUDIT, MANIFEST, ORIGIN, ProxyProcess } from '../signing-proxy/proxy-process';

const BATCHES = [1, 16, 64, 256];
/** As many as the kernel's client has under way (DEFAULT_MAX_IN_FLIGHT), for every column alike. */
const CALLERS = 2;

type Signs = (inputs: readonly Uint8Array[]) => Promise<unknown>;

/** Ed25519 by node:crypto alone, by each backend, and through the signing proxy over mutual TLS, side by side. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const result: BenchResult = {
    name: `signer: audit signing inputs, ${CALLERS} callers`,
    rows: [],
    notes: [
      'node:crypto/s: one thread, nothing around it. backend: libs/signer in this process. proxy: the signing proxy as a',
      'process of its own, over mutual TLS, with checks, logs and metrics on. Latencies are in ms, of a whole batch.',
    ],
  };
  const bare = await measure(bareEd25519(), 64, config.benchSeconds * 500);
  for (const signer of config.benchSigners) {
    const missing = signer === 'pkcs11' ? softHsmMissing() : null;
    if (missing !== null) {
      result.notes.push(`pkcs11 was not measured: ${missing}`);
      continue;
    }
    const proxy = await ProxyProcess.prepare(signer);
    try {
      const ms = config.benchSeconds * 500;
      // One after the other: two that share the cores would measure each other.
      const backend = await openBackend(signer, proxy);
      const backends = new Map<number, Measured>();
      try {
        for (const batch of BATCHES)
          backends.set(batch, await measure((inputs) => backend.sign(AUDIT, [...inputs]), batch, ms));
      } finally {
        await backend.close();
      }
      await proxy.start();
      const client = await proxy.client({ timeoutMs: 10_000 });
      const throughProxy: Signs = (inputs) =>
        client.sign(inputs.map((input) => ({ purpose: 'audit-event', kid: AUDIT, input })));
      for (const batch of BATCHES) {
        const through = await measure(throughProxy, batch, ms);
        const direct = backends.get(batch) ?? through;
        result.rows.push({
          signer,
          batch,
          'node:crypto/s': Math.round(bare.perSecond),
          'backend/s': Math.round(direct.perSecond),
          'backend p50': round(direct.p50, 2),
          'backend p95': round(direct.p95, 2),
          'proxy/s': Math.round(through.perSecond),
          'proxy p50': round(through.p50, 2),
          'proxy p95': round(through.p95, 2),
          'proxy of backend': percent(through.perSecond, direct.perSecond),
        });
      }
    } finally {
      await proxy.stop();
    }
  }
  return result;
}

function openBackend(signer: 'software' | 'pkcs11', proxy: ProxyProcess): Promise<SigningBackend> {
  if (proxy.token && signer === 'pkcs11') return Pkcs11Backend.open(proxy.token);
  return SoftwareBackend.open({
    dir: join(proxy.dir, 'keys'),
    keys: [
      { kid: AUDIT, purposes: ['audit'] },
      { kid: MANIFEST, purposes: ['manifest'] },
    ],
    production: false,
  });
}

function bareEd25519(): Signs {
  const { privateKey } = generateKeyPairSync('ed25519');
  return async (inputs) => inputs.map((input) => sign(null, input, privateKey));
}

interface Measured {
  perSecond: number;
  p50: number;
  p95: number;
}

/** Has batches signed for `ms`, after a third of that unmeasured. */
async function measure(signs: Signs, batch: number, ms: number): Promise<Measured> {
  const inputs = Array.from({ length: batch }, (_, n) =>
    auditSigningInput({ origin: ORIGIN, shard: 0, seq: n + 1, hash: 'ab'.repeat(32) }),
  );
  const latencies: number[] = [];
  const callFor = async (duration: number): Promise<void> => {
    const until = performance.now() + duration;
    while (performance.now() < until) {
      const started = performance.now();
      await signs(inputs);
      latencies.push(performance.now() - started);
    }
  };
  const all = (duration: number) => Promise.all(Array.from({ length: CALLERS }, () => callFor(duration)));
  await all(ms / 3);
  latencies.length = 0;
  const started = performance.now();
  await all(ms);
  const seconds = (performance.now() - started) / 1_000;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) => latencies[Math.floor(latencies.length * q)] ?? 0;
  return { perSecond: (latencies.length * batch) / seconds, p50: quantile(0.5), p95: quantile(0.95) };
}
