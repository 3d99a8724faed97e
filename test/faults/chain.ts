import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type AuditEvent, ChainVerifier, parseSigners, type SignerEntry } from '#evidence';
import { type TestStack, workTree } from '#dev/testing';

/** All events of a kernel, as its own export returns them. */
export interface Chain {
  /** In the order of `seq`, shard by shard. */
  events: AuditEvent[];
  /** The same as lines of canonical JSON. */
  lines: string[];
  signers: SignerEntry[];
  byId: ReadonlyMap<string, AuditEvent>;
}

export async function readChain(stack: TestStack, kernel = 0): Promise<Chain> {
  const auditor = stack.client('AUDITOR', { kernel, connections: 1 });
  const lines: string[] = [];
  for (let shard = 0; shard < stack.shards; shard += 1) {
    const { status, text } = await auditor.get(`/kernel/audit/export?shard=${shard}`);
    if (status !== 200) throw new Error(`export of shard ${shard}: ${status} ${text}`);
    // Not spread into one call: a night's load is more events than a call takes arguments.
    for (const line of text.split('\n')) if (line !== '') lines.push(line);
  }
  const events = lines.map((line) => JSON.parse(line) as AuditEvent);
  const signers = parseSigners((await auditor.get('/kernel/keys/signers.json')).text);
  return { events, lines, signers, byId: new Map(events.map((event) => [event.id, event])) };
}

/** Faults of the chain: gaps, forks, hashes, links, signatures, streams; empty when there are none. */
export function faultsOf({ origin }: { origin: string }, { lines, signers }: Chain): string[] {
  const verifier = new ChainVerifier({ origin, signers });
  const faults = [...lines.flatMap((line) => verifier.accept(line)), ...verifier.finish()];
  return faults.map(({ code, shard, seq, message }) => `${code} at ${shard}:${seq}: ${message}`);
}

/** Returns the chain once the library and the stand-alone tool have found it sound and ending at the current heads. */
export async function expectSoundChain(stack: TestStack, kernel = 0): Promise<Chain> {
  const chain = await readChain(stack, kernel);
  expect(faultsOf(stack, chain)).toEqual([]);
  expect(chain.byId.size).toBe(chain.events.length);
  const heads = await stack.client('AUDITOR', { kernel, connections: 1 }).get('/kernel/audit/head');
  expect(await auditVerify(stack, chain, heads.text)).toMatch(
    /^Audit chain verified\. Head hash: [0-9a-f]{64}/m,
  );
  return chain;
}

/** Output of tools/audit-verify.js, run as an auditor would run it. */
async function auditVerify({ origin }: { origin: string }, chain: Chain, heads: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'kernel-test-verify-'));
  try {
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(dir, name), text);
      return join(dir, name);
    };
    const run = promisify(execFile)(process.execPath, [
      join(workTree(), 'tools', 'audit-verify.js'),
      '--signers',
      await file('signers.json', JSON.stringify({ signers: chain.signers })),
      '--export',
      await file('export.ndjson', chain.lines.map((line) => `${line}\n`).join('')),
      '--expect-head',
      await file('heads.json', heads),
      '--origin',
      origin,
    ]);
    // A fault is not a failure of the tool: what it printed is the result either way.
    return await run.then(
      ({ stdout }) => stdout,
      (error: Error & { stdout?: string }) => `${error.stdout}${error.message}`,
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
