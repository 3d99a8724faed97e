import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signersJson } from '#evidence';
import { fakesOfAuditKeyThief, workTree, type RobbedKernel } from '#dev/testing';

/** The committed file, by itself, on what a thief of one audit key presents after the compromise was handled. */
describe('audit-verify.js and a thief of one audit key', () => {
  let dir: string;
  let program: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'audit-key-thief-'));
    program = join(dir, 'audit-verify.js');
    cpSync(join(workTree(), 'tools', 'audit-verify.js'), program);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** @returns the exit code, and what was printed */
  function verify(
    kernel: RobbedKernel,
    lines: readonly Uint8Array[],
    heads: boolean,
  ): Promise<{ code: number; stdout: string }> {
    const [known] = kernel.trusts();
    const signers = join(dir, `signers-of-${kernel.shards}.json`);
    const { origin, shards } = kernel.chain;
    const signed = known?.trust.signers ?? [];
    writeFileSync(signers, signersJson(signed, origin, { shards, approverPool: null }));
    const args = ['--signers', signers, '--export', '-', '--jobs', '1'];
    if (heads) {
      for (const { shard, seq, hash } of kernel.heads()) {
        args.push('--expect-head', `${String(shard)}:${String(seq)}:${String(hash)}`);
      }
    }
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [program, ...args], { cwd: dir });
      let stdout = '';
      child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, stdout }));
      child.stdin.end(lines.map((line) => `${Buffer.from(line).toString()}\n`).join(''));
    });
  }

  const robberies = fakesOfAuditKeyThief();

  it.each(robberies.slice(0, 2).map(({ kernel }) => [kernel.shards, kernel] as const))(
    'verifies the evidence of the kernel with %d shards',
    async (_shards, kernel) => {
      expect(await verify(kernel, kernel.lines().flat(), true)).toMatchObject({ code: 0 });
    },
  );

  it.each(robberies.flatMap(({ kernel, fakes }) => fakes.map((fake) => [fake.name, fake, kernel] as const)))(
    'exits with 1 for %s',
    async (_name, { lines }, kernel) => {
      for (const heads of [false, true]) {
        const { code, stdout } = await verify(kernel, lines, heads);
        expect(stdout).not.toContain('verified');
        expect(code).toBe(1);
      }
    },
  );
});
