import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { workTree } from '#dev/testing';

/** The versions of Node.js on which the verifier promises the same verdicts (docs/spec/verification.md). */
const VERSIONS = [20, 22, 24];
const MUTATED_EVENTS = 3_000;
const ROOT = workTree();
const VECTORS = join(ROOT, 'docs', 'spec', 'vectors');

const run = promisify(execFile);

interface Runtime {
  version: number;
  node: string;
}

interface Verdict {
  code: number;
  stdout: string;
  stderr: string;
}

let dir: string;
let runtimes: Runtime[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'runtimes-'));
  // npm keeps them in its cache. One after the other: two npx at once may disturb each other's installation.
  runtimes = [];
  for (const version of VERSIONS) {
    const args = ['--yes', `--package=node@${version}`, '--', 'node', '-p', 'process.execPath'];
    const { stdout } = await run('npx', args, { cwd: dir });
    runtimes.push({ version, node: stdout.trim() });
  }
}, 300_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What each runtime says: one text, or a list of texts, per version. */
async function onEach<T>(ask: (runtime: Runtime) => Promise<T>): Promise<Map<number, T>> {
  const answers = new Map<number, T>();
  for (const runtime of runtimes) {
    const { stdout } = await run(runtime.node, ['-p', 'process.versions.node']);
    expect(stdout.split('.')[0]).toBe(String(runtime.version));
    answers.set(runtime.version, await ask(runtime));
  }
  return answers;
}

describe('verdicts on Node.js 20, 22 and 24', () => {
  it('of libs/evidence are the same, byte for byte, on every vector and on mutated events', async () => {
    const program = join(dir, 'verdicts.cjs');
    await build({
      absWorkingDir: ROOT,
      entryPoints: ['libs/evidence/fuzz/runtime-verdicts.fixture.ts'],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      alias: { '#evidence-crypto': './libs/evidence/crypto/node-crypto.ts' },
      outfile: program,
    });
    const answers = await onEach(async ({ node }) => {
      const args = [program, VECTORS, String(MUTATED_EVENTS)];
      const { stdout } = await run(node, args, { cwd: dir, maxBuffer: 64 * 1024 * 1024 });
      return stdout;
    });
    const [first = '', ...others] = answers.values();
    const { signatures, mutatedEvents } = JSON.parse(first) as {
      signatures: { wycheproof: unknown[]; edges: unknown[] };
      mutatedEvents: unknown[];
    };
    expect(signatures.wycheproof).toHaveLength(151);
    expect(signatures.edges).toHaveLength(768);
    expect(mutatedEvents).toHaveLength(MUTATED_EVENTS);
    for (const other of others) {
      // A comparison of whole texts would print megabytes.
      if (other !== first) expect(JSON.parse(other)).toEqual(JSON.parse(first));
      expect(other === first).toBe(true);
    }
  }, 300_000);

  it('of tools/audit-verify.js are the same on every chain', async () => {
    interface Chain {
      name: string;
      file: string;
      from?: number;
      origin?: string;
      expectHead?: { shard: number; seq: number; hash: string };
    }
    const program = join(dir, 'audit-verify.js');
    cpSync(join(ROOT, 'tools', 'audit-verify.js'), program);
    const { cases } = JSON.parse(readFileSync(join(VECTORS, 'chains.json'), 'utf8')) as { cases: Chain[] };
    const trust = JSON.parse(readFileSync(join(VECTORS, 'chains', 'signers.json'), 'utf8')) as object;
    const answers = await onEach(({ node }) =>
      eachOf(cases, 4, async ({ file, from, origin, expectHead }, n) => {
        const signers = join(dir, `signers-${n}.json`);
        writeFileSync(signers, JSON.stringify(origin === undefined ? trust : { ...trust, origin }));
        const args = [
          program,
          '--signers',
          signers,
          '--export',
          join(VECTORS, file),
          '--jobs',
          '1',
          '--json',
        ];
        if (from !== undefined) args.push('--from', String(from));
        if (expectHead !== undefined) {
          args.push('--expect-head', `${expectHead.shard}:${expectHead.seq}:${expectHead.hash}`);
        }
        return verdictOf(node, args);
      }),
    );
    const [first = [], ...others] = answers.values();
    // Some of them hold, some do not, and none was used wrongly.
    expect(new Set(first.map(({ code }) => code))).toEqual(new Set([0, 1]));
    for (const other of others) expect(other).toEqual(first);
  }, 300_000);
});

function verdictOf(node: string, args: readonly string[]): Promise<Verdict> {
  return new Promise((resolve) => {
    execFile(node, args, { cwd: dir }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      // How long it took is no part of the verdict.
      const report = stdout.replace(/,"seconds":[\d.e-]+(?=\}\s*$)/, '');
      resolve({ code: typeof code === 'number' ? code : -1, stdout: report, stderr });
    });
  });
}

/** The answers in the order of the list, with at most `width` questions open. */
async function eachOf<T, U>(
  list: readonly T[],
  width: number,
  ask: (one: T, n: number) => Promise<U>,
): Promise<U[]> {
  const answers: U[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let n = next++; n < list.length; n = next++) answers[n] = await ask(list[n] as T, n);
  };
  await Promise.all(Array.from({ length: width }, work));
  return answers;
}
