import { generateKeyPairSync, sign } from 'node:crypto';
import { OPENBAO_VERSION, openBaoMissing } from '#dev/devstack';
import { auditSigningInput } from '#evidence';
import { DEFAULT_MAX_IN_FLIGHT } from '#platform/signer';
import { type BenchConfig, loadBenchConfig } from './bench.config';
import { type BenchResult } from './bench-result';
import { percent, round, softHsmMissing } from './bench-stack';
import { type MeasuredBackend, prepareBackend } from './signers/measured-backends';
import { AUDIT, ORIGIN } from '../signing-proxy/proxy-process';

/** The batch size that the goal is set for. */
const COUNTED_BATCH = 64;
const BATCHES = [1, 16, COUNTED_BATCH, 256];
const ROUNDS = 3;
/** Long enough for V8 to have compiled the hot code on both sides. */
const FIRST_WARM_UP_MS = 5_000;
/** As many calls as the kernel's client has in flight, the same for every column. */
const CALLERS = DEFAULT_MAX_IN_FLIGHT;

type Signs = (inputs: readonly Uint8Array[]) => Promise<unknown>;

/** Ed25519 by node:crypto alone, by each backend, and through the signing proxy over mutual TLS, side by side. */
export async function run(): Promise<BenchResult> {
  const config = loadBenchConfig();
  const result: BenchResult = {
    name: `signers: audit signing inputs, ${CALLERS} callers`,
    rows: [],
    notes: [
      'node:crypto/s: one thread, nothing around it. backend: libs/platform/signer in this process. proxy: the signing proxy as a',
      'process of its own, over mutual TLS, with checks, logs and metrics on. Latencies are in ms, of a whole batch.',
      `overhead: how much longer a batch takes through the proxy (p50); what counts is the one at batch ${COUNTED_BATCH}.`,
      `Backend and proxy take turns: each figure is of the middle one of ${ROUNDS} rounds by p50.`,
      'aws-kms signs at a fake on this machine: the figures are what this side of it costs, without the way to the service',
      'and without its quota. "proxy" is a signing proxy behind the signing proxy.',
    ],
  };
  if (config.benchBackends.includes('vault-transit')) {
    const missing = openBaoMissing();
    result.notes.push(
      missing === null
        ? `vault-transit signs at OpenBao ${OPENBAO_VERSION} on the same cores.`
        : `vault-transit signs at a fake: ${missing}.`,
    );
  }
  const bare = await measure(bareEd25519(), COUNTED_BATCH, config.benchSeconds * 500);
  for (const signer of config.benchBackends) {
    const missing = signer === 'pkcs11' ? softHsmMissing() : null;
    if (missing !== null) {
      result.notes.push(`pkcs11 was not measured: ${missing}`);
      continue;
    }
    const measured = await prepareBackend(signer);
    try {
      for await (const row of rowsOf(signer, measured, config, bare)) result.rows.push(row);
    } catch (error) {
      // For example too slow for its own deadline: the others get their rows anyway.
      result.notes.push(`${signer} was not measured to its end: ${(error as Error).message}`);
    } finally {
      await measured.stop();
    }
  }
  return result;
}

async function* rowsOf(
  signer: string,
  { proxy, environment, ...measured }: MeasuredBackend,
  config: BenchConfig,
  bare: Measured,
): AsyncGenerator<BenchResult['rows'][number]> {
  const roundMs = (config.benchSeconds * 500) / ROUNDS;
  const backend = await measured.open();
  try {
    await proxy.start(environment);
    const client = await proxy.client({ timeoutMs: 10_000 });
    const direct: Signs = (inputs) => backend.sign(AUDIT, [...inputs]);
    const throughProxy: Signs = (inputs) =>
      client.sign(inputs.map((input) => ({ purpose: 'audit-event', kid: AUDIT, input })));
    for (const signs of [direct, throughProxy]) await measure(signs, COUNTED_BATCH, FIRST_WARM_UP_MS);
    for (const batch of BATCHES) {
      const alone: Measured[] = [];
      const through: Measured[] = [];
      // In turns, since the machine's own speed changes; never both at once, or they would affect each other.
      for (let round = 0; round < ROUNDS; round++) {
        alone.push(await measure(direct, batch, roundMs));
        through.push(await measure(throughProxy, batch, roundMs));
      }
      yield rowOf(signer, batch, bare, middle(alone), middle(through));
    }
  } finally {
    await backend.close();
  }
}

function rowOf(
  signer: string,
  batch: number,
  bare: Measured,
  alone: Measured,
  through: Measured,
): BenchResult['rows'][number] {
  return {
    signer,
    batch,
    'node:crypto/s': Math.round(bare.perSecond),
    'backend/s': Math.round(alone.perSecond),
    'backend p50': round(alone.p50, 2),
    'backend p95': round(alone.p95, 2),
    'proxy/s': Math.round(through.perSecond),
    'proxy p50': round(through.p50, 2),
    'proxy p95': round(through.p95, 2),
    overhead: percent(through.p50 - alone.p50, alone.p50),
  };
}

function middle(rounds: readonly Measured[]): Measured {
  return rounds.toSorted((a, b) => a.p50 - b.p50)[Math.floor(rounds.length / 2)] as Measured;
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

/** Has batches signed for `ms`, after a warm-up of a third of that. */
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
