import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { archiveKey, parseEvent, signersJson, type ChainFault } from '#evidence';
import { EvidenceChain, TestSigner, workTree } from '#dev/testing';

const VERIFIER = join(workTree(), 'tools', 'audit-verify.js');
const VECTORS = join(workTree(), 'docs', 'spec', 'vectors');

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the committed file as anyone would: copied away from the repository, so that no node_modules is in reach. */
let program: string;
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'audit-verify-e2e-'));
  program = join(dir, 'audit-verify.js');
  cpSync(VERIFIER, program);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function verify(
  args: string[],
  { node = process.execPath, input }: { node?: string; input?: string } = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [program, ...args], { cwd: dir });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, ...output }));
    // Wrong use ends it before it reads.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
}

/** The oldest Node on the search path that the tool promises to run on. */
async function oldestNode(): Promise<string> {
  const found = await new Promise<string>((resolve) => {
    execFile('which', ['-a', 'node'], (_error, stdout) => resolve(stdout));
  });
  const versions = await Promise.all(
    found
      .split('\n')
      .filter((path) => path !== '')
      .map(
        (path) =>
          new Promise<[number, string]>((resolve) => {
            execFile(path, ['--version'], (_error, stdout) =>
              resolve([Number(/^v(\d+)/.exec(stdout)?.[1]), path]),
            );
          }),
      ),
  );
  const [oldest] = versions.filter(([major]) => major >= 20).sort(([a], [b]) => a - b);
  return oldest?.[1] ?? process.execPath;
}

const brief = (faults: Pick<ChainFault, 'code' | 'shard' | 'seq'>[]): string[] =>
  faults.map(({ code, shard, seq }) => `${code} ${shard}:${seq}`);

describe('audit-verify.js: golden vectors', () => {
  interface Case {
    name: string;
    file: string;
    from?: number;
    origin?: string;
    expectHead?: { shard: number; seq: number; hash: string };
    verified: boolean;
    faults: Pick<ChainFault, 'code' | 'shard' | 'seq'>[];
    /** Events that are valid only because a later statement vouches for them; default none. */
    reattested?: object[];
  }
  const { cases } = JSON.parse(readFileSync(join(VECTORS, 'chains.json'), 'utf8')) as { cases: Case[] };

  it.each(cases)('$name', async ({ file, from, origin, expectHead, verified, faults, reattested = [] }) => {
    const signers = join(dir, 'signers.json');
    const trust = JSON.parse(readFileSync(join(VECTORS, 'chains', 'signers.json'), 'utf8')) as object;
    writeFileSync(signers, JSON.stringify(origin === undefined ? trust : { ...trust, origin }));
    const args = ['--signers', signers, '--export', join(VECTORS, file), '--jobs', '2'];
    if (from !== undefined) args.push('--from', String(from));
    if (expectHead !== undefined) {
      args.push('--expect-head', `${expectHead.shard}:${expectHead.seq}:${expectHead.hash}`);
    }
    const run = await verify(args);
    expect(run.code).toBe(verified ? 0 : 1);
    const lines = run.stdout.trimEnd().split('\n');
    const printed = lines.filter((line) => !line.startsWith('re-attested: '));
    expect(lines.length - printed.length).toBe(reattested.length);
    const report = JSON.parse((await verify([...args, '--json'])).stdout) as { reattested: object[] };
    expect(report.reattested).toEqual(reattested);
    if (verified) {
      for (const line of printed) expect(line).toMatch(/^Audit chain verified\. Head hash: [0-9a-f]{64}/);
      return;
    }
    // One line per fault: what is wrong, which event, where, and in words.
    const named = printed.map((line) => {
      const [, code, , position] =
        /^(\w+): event ([0-9a-f-]{36}|missing|unknown), position (\S+): ./.exec(line) ?? [];
      return `${code} ${position === 'unknown' ? 'null:null' : position}`;
    });
    expect(named.sort()).toEqual(brief(faults).sort());
  });
});

describe('audit-verify.js', () => {
  const signer = new TestSigner('k1');
  const chain = new EvidenceChain(signer);
  let signers: string;

  beforeAll(() => {
    chain.addSigner();
    chain.appendMany(3_000);
    signers = join(dir, 'trust.json');
    writeFileSync(signers, signersJson([signer.entry], chain.origin));
  });

  it('says exactly what the contract says, on the oldest Node at hand', async () => {
    const node = await oldestNode();
    const run = await verify(['--signers', signers, '--export', '-'], { node, input: chain.ndjson() });
    expect(run).toMatchObject({
      code: 0,
      stdout: `Audit chain verified. Head hash: ${chain.events.at(-1)?.hash}\n`,
    });
  });

  it('gives the same report with any number of threads', async () => {
    const path = join(dir, 'faulty.ndjson');
    const lines = chain.ndjson().split('\n');
    const changed = lines.map((line, i) =>
      i % 500 === 77 ? line.replace('"text":"event', '"text":"Event') : line,
    );
    changed.splice(1_200, 1);
    writeFileSync(path, changed.join('\n'));
    const runs = await Promise.all(
      ['1', '2', '5'].map((jobs) => verify(['--signers', signers, '--export', path, '--jobs', jobs])),
    );
    expect(runs[0]?.code).toBe(1);
    expect(runs[0]?.stdout.split('\n')).toHaveLength(8);
    for (const { stdout } of runs) expect(stdout).toBe(runs[0]?.stdout);
  });

  it('names each shard head when there are several, and reads one shard when told', async () => {
    const other = new EvidenceChain(signer, chain.origin, 1);
    other.append({ stream: 'thing/other' });
    const path = join(dir, 'shards.ndjson');
    writeFileSync(path, chain.ndjson() + other.ndjson());
    const both = await verify(['--signers', signers, '--export', path]);
    expect(both.stdout).toBe(
      [chain, other]
        .map(({ events, shard }) => {
          const head = events.at(-1);
          return `Audit chain verified. Head hash: ${head?.hash} (shard ${shard}, position ${shard}:${head?.seq})\n`;
        })
        .join(''),
    );
    const one = await verify(['--signers', signers, '--export', path, '--shard', '1']);
    expect(one.stdout).toBe(`Audit chain verified. Head hash: ${other.events[0]?.hash}\n`);
  });

  it('checks the chain alone without keys', async () => {
    const args = ['--export', '-', '--chain-only', '--origin', chain.origin];
    expect((await verify(args, { input: chain.ndjson() })).code).toBe(0);
    const swapped = new EvidenceChain(new TestSigner('k1'), chain.origin);
    swapped.append({ prevHash: 'f'.repeat(64) });
    const run = await verify(args, { input: swapped.ndjson() });
    expect(run.stdout).toMatch(/^link: event \S+, position 0:1: /);
  });

  it.each<[string, () => string[], RegExp]>([
    ['no arguments', () => [], /--signers is missing/],
    ['a file that is not there', () => ['--signers', signers, '--export', 'none'], /no such file/],
    ['a folder that is not there', () => ['--signers', signers, '--dir', 'none'], /no such folder/],
    ['signers that are not there', () => ['--signers', 'none', '--export', '-'], /--signers none/],
    ['signers that are none', () => ['--signers', program, '--export', '-'], /not acceptable JSON/],
    [
      'an origin that contradicts the signers',
      () => ['--signers', signers, '--export', '-', '--origin', 'x'],
      /contradicts/,
    ],
    [
      'a database that does not answer',
      () => ['--signers', signers, '--database-url', 'postgres://127.0.0.1:1/x'],
      /cannot be read/,
    ],
  ])('exits with 2 for %s', async (_name, args, message) => {
    const run = await verify(args());
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(message);
    expect(run.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it('asks for the origin when nothing names it', async () => {
    const nameless = join(dir, 'nameless.json');
    writeFileSync(nameless, signersJson([signer.entry]));
    const run = await verify(['--signers', nameless, '--export', '-'], { input: chain.ndjson() });
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/give --origin/);
  });

  it('refuses a weak key in the trust root', async () => {
    const weak = join(dir, 'weak.json');
    const pem =
      '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----\n';
    writeFileSync(weak, signersJson([{ ...signer.entry, public_key_pem: pem }], chain.origin));
    const run = await verify(['--signers', weak, '--export', '-'], { input: '' });
    expect(run).toMatchObject({ code: 2 });
    expect(run.stderr).toMatch(/small order/);
  });

  it('shows what it found as text, whatever the evidence holds', async () => {
    const nasty = new EvidenceChain(signer);
    nasty.append({ signer: new TestSigner('k1'), stream: 'a/\u202eb\u2028c' });
    nasty.append({ stream: 'a/\u202eb\u2028c', streamVersion: 9 });
    const run = await verify(['--signers', signers, '--export', '-'], { input: nasty.ndjson() });
    expect(run.stdout).toContain('stream a/\\u202eb\\u2028c has version 9');
  });

  describe('--dir', () => {
    const small = new EvidenceChain(signer);
    let archive: string;
    let paths: string[];

    beforeEach(() => {
      if (small.events.length === 0) {
        small.addSigner();
        // Two days, so two folders.
        small.appendMany(20);
        small.append({ ts: '2026-02-01T00:00:00.000Z' });
        small.append({ ts: '2026-02-01T00:00:00.001Z' });
      }
      archive = mkdtempSync(join(dir, 'archive-'));
      paths = small.events.map((event) => join(archive, archiveKey(event)));
      for (const [i, path] of paths.entries()) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, small.bytes[i] as Uint8Array);
      }
    });

    const faultsOf = async (...more: string[]): Promise<string[]> => {
      const run = await verify(['--signers', signers, '--dir', archive, '--json', ...more]);
      return brief((JSON.parse(run.stdout) as { faults: ChainFault[] }).faults);
    };

    it('verifies an archive, whatever else lies in it', async () => {
      writeFileSync(join(archive, 'audit', 'README'), 'not an event');
      mkdirSync(join(archive, 'checkpoints'));
      writeFileSync(join(archive, 'checkpoints', 'x.json'), '{}');
      const run = await verify(['--signers', signers, '--dir', archive]);
      expect(run).toMatchObject({
        code: 0,
        stdout: `Audit chain verified. Head hash: ${small.events.at(-1)?.hash}\n`,
      });
      const inside = await verify(['--signers', signers, '--dir', join(archive, 'audit')]);
      expect(inside.code).toBe(0);
    });

    it('finds a file that was changed, removed, added twice or moved', async () => {
      const [third, fourth, fifth] = paths.slice(2) as [string, string, string];
      writeFileSync(third, readFileSync(third, 'utf8').replace('event 3', 'event 4'));
      rmSync(fourth);
      writeFileSync(join(dirname(fifth), 'copy.json'), readFileSync(fifth));
      const last = paths.at(-1) as string;
      renameSync(last, join(dirname(third), `${small.events.at(-1)?.id}.json`));
      expect(await faultsOf()).toEqual(['hash 0:3', 'gap 0:4', 'format 0:5', 'duplicate 0:5', 'format 0:23']);
    });

    it('finds a line feed behind an event, and a file that is none', async () => {
      writeFileSync(paths[2] as string, `${readFileSync(paths[2] as string, 'utf8')}\n`);
      writeFileSync(join(archive, 'audit', 'extra.json'), '{');
      expect(await faultsOf()).toEqual(['format null:null', 'format 0:3']);
    });

    it('finds that the end is missing when the head is known', async () => {
      const head = small.events.at(-1);
      rmSync(paths.at(-1) as string);
      expect(await faultsOf('--expect-head', `0:${head?.seq}:${head?.hash}`)).toEqual([
        `truncation 0:${head?.seq}`,
      ]);
      expect(await faultsOf('--expect-head', head?.hash ?? '')).toEqual(['truncation null:null']);
      expect(await faultsOf()).toEqual([]);
    });

    it('finds nothing good in an empty archive', async () => {
      rmSync(join(archive, 'audit'), { recursive: true });
      expect(readdirSync(archive)).toEqual([]);
      expect(await faultsOf()).toEqual(['truncation null:null']);
    });

    it('reads what it verifies', () => {
      expect(parseEvent(readFileSync(paths[0] as string))).toEqual(small.events[0]);
    });
  });
});
