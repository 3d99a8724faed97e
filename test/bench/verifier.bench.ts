import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { signersJson } from '#evidence';
import { EvidenceChain, TestSigner, workTree } from '#dev/testing';
import { type BenchResult } from './bench-result';

const EVENTS = 200_000;
/** Events that are signed together: each by itself, and as many as a kernel with fifty callers commits at once. */
const GROUPS = [1, 50];
/** Measurements of each, in turns, so that the machine's other load affects all alike. The median counts. */
const ROUNDS = 3;

/** tools/audit-verify.js next to what node:crypto alone verifies on all cores of this machine in the same minute. */
export async function run(): Promise<BenchResult> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-bench-verifier-'));
  const bare = await BareVerification.start();
  try {
    const result: BenchResult = {
      name: `verifier: an export of ${EVENTS.toLocaleString('en-US')} events, ${availableParallelism()} cores`,
      rows: [],
      notes: [
        'node:crypto/s: Ed25519 verifications alone, one worker thread per core, taking turns with the verifier.',
        `Start of the process included. Medians of ${ROUNDS}.`,
      ],
    };
    for (const group of GROUPS) {
      const signers = join(dir, `signers-${group}.json`);
      const file = join(dir, `export-${group}.ndjson`);
      await writeChain(file, signers, group);
      const args = ['--signers', signers, '--export', file];
      const rates = { bare: [] as number[], full: [] as number[], chain: [] as number[] };
      for (let round = 0; round < ROUNDS; round++) {
        rates.bare.push(await bare.perSecond(EVENTS));
        rates.full.push(await verifierRate(args));
        rates.chain.push(await verifierRate([...args, '--chain-only']));
      }
      const limit = median(rates.bare);
      const row = (check: string, rate: number, floor: string): Record<string, string | number> => ({
        'signed together': group,
        check,
        'events/s': Math.round(rate),
        'node:crypto/s': Math.round(limit),
        'of node:crypto': `${Math.round((rate / limit) * 100)} %`,
        floor,
      });
      result.rows.push(
        row('signatures and chain', median(rates.full), group === 1 ? '80 % of node:crypto' : '50,000/s'),
        row('--chain-only', median(rates.chain), '100,000/s'),
      );
      result.notes.push(`All, signed together ${group}: ${JSON.stringify(rounded(rates))}`);
    }
    return result;
  } finally {
    await bare.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function writeChain(file: string, signers: string, group: number): Promise<void> {
  const signer = new TestSigner('kernel-audit-ed25519-v1');
  const chain = new EvidenceChain(signer);
  await writeFile(signers, signersJson([signer.entry], chain.origin, { shards: 1, approverPool: null }));
  const out = createWriteStream(file);
  chain.found();
  for (let written = 0; written < EVENTS;) {
    while (chain.bytes.length < 1_000) {
      const first = written + chain.bytes.length;
      const ids = Array.from({ length: group }, (_, n) => first + n);
      chain.appendTogether(
        ids.map((id) => ({
          type: 'manifest.signed',
          stream: `manifest/agent-${id}`,
          payload: manifestPayload(id),
        })),
      );
    }
    if (!out.write(chain.ndjson())) await once(out, 'drain');
    written += chain.bytes.length;
    chain.forget();
  }
  out.end();
  await once(out, 'close');
}

/** About the size of a signed manifest's payload. */
function manifestPayload(id: number): Record<string, string> {
  return {
    manifestId: `agent-${id}`,
    version: '1.4.0',
    kind: 'agent',
    sha256: id.toString(16).padStart(64, '0'),
    envelope: 'QUFB'.repeat(100),
  };
}

/** Events a second, including the start and end of the process. */
async function verifierRate(args: string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, [join(workTree(), 'tools', 'audit-verify.js'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  await once(child, 'close');
  const seconds = (performance.now() - started) / 1_000;
  const { verified, events } = JSON.parse(output) as { verified: boolean; events: number };
  if (!verified) throw new Error(`the verifier refused a right chain: ${output.slice(0, 500)}`);
  return events / seconds;
}

class BareVerification {
  private constructor(private readonly workers: Worker[]) {}

  static async start(): Promise<BareVerification> {
    const file = join(__dirname, 'machine', 'bare-verification.worker.js');
    const bare = new BareVerification(Array.from({ length: availableParallelism() }, () => new Worker(file)));
    await bare.perSecond(5_000);
    return bare;
  }

  async perSecond(count: number): Promise<number> {
    const share = Math.ceil(count / this.workers.length);
    const started = performance.now();
    await Promise.all(
      this.workers.map((worker) => {
        const done = once(worker, 'message');
        worker.postMessage(share);
        return done;
      }),
    );
    return (share * this.workers.length * 1_000) / (performance.now() - started);
  }

  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function rounded(rates: Record<string, number[]>): Record<string, number[]> {
  return Object.fromEntries(Object.entries(rates).map(([name, values]) => [name, values.map(Math.round)]));
}
