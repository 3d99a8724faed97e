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
    signers?: string;
    from?: number;
    shard?: number;
    origin?: string;
    expectHead?: { shard: number; seq: number; hash: string };
    verified: boolean;
    faults: Pick<ChainFault, 'code' | 'shard' | 'seq'>[];
    /** Events that are valid only because a later statement vouches for them; default none. */
    reattested?: object[];
  }
  const vectors = JSON.parse(readFileSync(join(VECTORS, 'chains.json'), 'utf8')) as {
    signers: string;
    cases: Case[];
  };

  it.each(vectors.cases)(
    '$name',
    async ({ file, from, shard, origin, expectHead, verified, faults, ...given }) => {
      const { reattested = [] } = given;
      const signers = join(dir, 'signers.json');
      const own = join(VECTORS, given.signers ?? vectors.signers);
      const trust = JSON.parse(readFileSync(own, 'utf8')) as object;
      writeFileSync(signers, JSON.stringify(origin === undefined ? trust : { ...trust, origin }));
      const args = ['--signers', signers, '--export', join(VECTORS, file), '--jobs', '2'];
      if (from !== undefined) args.push('--from', String(from));
      if (shard !== undefined) args.push('--shard', String(shard));
      if (expectHead !== undefined) {
        args.push('--expect-head', `${expectHead.shard}:${expectHead.seq}:${expectHead.hash}`);
      }
      const run = await verify(args);
      expect(run.code).toBe(verified ? 0 : 1);
      const lines = run.stdout.trimEnd().split('\n');
      const limits = lines.filter((line) => /^(?:not checked|the end is not anchored): /.test(line));
      const doubtful = lines.filter((line) => line.startsWith('re-attested: '));
      const printed = lines.filter((line) => !limits.includes(line) && !doubtful.includes(line));
      expect(doubtful).toHaveLength(reattested.length);
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
    },
  );
});

describe('audit-verify.js', () => {
  const signer = new TestSigner('k1');
  const chain = new EvidenceChain(signer);
  const two = new EvidenceChain(signer, chain.origin, 0, { shards: 2 });
  const other = two.beside(1);
  let signers: string;
  let signersOfTwo: string;

  beforeAll(() => {
    chain.found().appendMany(3_000);
    two.found().appendMany(5);
    other.append({ stream: 'thing/other' });
    signers = join(dir, 'trust.json');
    writeFileSync(signers, signersJson([signer.entry], chain.origin, { shards: 1, approverPool: null }));
    signersOfTwo = join(dir, 'trust-of-two.json');
    writeFileSync(signersOfTwo, signersJson([signer.entry], chain.origin, { shards: 2, approverPool: null }));
  });
  const headOf = ({ events }: EvidenceChain) => {
    const { shard, seq, hash } = events.at(-1) ?? { shard: 0, seq: 0, hash: '' };
    return ['--expect-head', `${shard}:${seq}:${hash}`];
  };

  it('says exactly what the contract says, on the oldest Node at hand', async () => {
    const node = await oldestNode();
    const args = ['--signers', signers, '--export', '-', ...headOf(chain)];
    const run = await verify(args, { node, input: chain.ndjson() });
    expect(run).toMatchObject({
      code: 0,
      stdout: `Audit chain verified. Head hash: ${chain.events.at(-1)?.hash}\n`,
    });
  });

  it('says where the end is not anchored', async () => {
    const limits = async (...more: string[]): Promise<string | undefined> => {
      const args = ['--signers', signersOfTwo, '--export', '-', ...more];
      const run = await verify(args, { input: two.ndjson() + other.ndjson() });
      expect(run.code).toBe(0);
      return /^the end is not anchored: .* vouches for (.*)$/m.exec(run.stdout)?.[1];
    };
    expect(await limits()).toBe('0:1 to 0:7, 1:1');
    expect(await limits('--expect-head', `0:5:${two.events[4]?.hash}`)).toBe('0:6 to 0:7, 1:1');
    expect(await limits(...headOf(two), ...headOf(other))).toBeUndefined();
    // A position without a hash says how far the chain went, not what is in it.
    expect(await limits('--expect-head', '0:7', ...headOf(other))).toBe('0:1 to 0:7');
    expect(await limits('--expect-head', two.events[6]?.hash ?? '', ...headOf(other))).toBeUndefined();
    const empty = await verify(['--signers', signersOfTwo, '--export', '-', ...headOf(two)], {
      input: two.ndjson(),
    });
    expect(empty.stdout).toContain('vouches for shard 1, of which there is nothing\n');
  });

  describe('with the members of the deployment guide alone', () => {
    const guide = (): string => {
      const path = join(dir, 'guide.json');
      writeFileSync(path, signersJson([signer.entry]));
      return path;
    };
    const input = (): string => two.ndjson() + other.ndjson();

    it('says what the trust root does not, and takes options for it', async () => {
      const args = ['--signers', guide(), '--export', '-', '--origin', two.origin];
      const bare = await verify(args, { input: input() });
      expect(bare.code).toBe(0);
      expect(bare.stdout.match(/^not checked: .*$/gm)).toEqual([
        expect.stringContaining('2 shards, as event 0:1 says'),
        expect.stringContaining('no approver pool, as event 0:1 says'),
      ]);
      const known = await verify([...args, '--shards', '2', '--first-pool', 'none'], { input: input() });
      expect(known.code).toBe(0);
      expect(known.stdout).not.toContain('not checked');
      const wrong = await verify([...args, '--shards', '3'], { input: input() });
      expect(wrong.code).toBe(1);
      expect(wrong.stdout).toMatch(/^founding: event \S+, position 0:1: .*2 shards, the trust root says 3/);
      const pool = await verify([...args, '--first-pool', 'a'.repeat(64)], { input: input() });
      expect(pool.stdout).toMatch(/^founding: /);
    });

    it('does not verify a part in which nothing says where a key signs', async () => {
      const part = two.bytes.slice(3).map((bytes) => `${Buffer.from(bytes).toString()}\n`);
      const args = ['--signers', guide(), '--export', '-', '--origin', two.origin, '--from', '4'];
      const run = await verify(args, { input: part.join('') });
      expect(run.code).toBe(1);
      expect(run.stdout).toMatch(/^founding: .*how many shards there are is not known/m);
      expect(run.stdout).toMatch(/^key_not_valid: .*0:4: where k1 signs is not known/m);
    });

    it('says what a part leaves out', async () => {
      const args = ['--signers', signersOfTwo, '--export', '-', '--from', '3', '--shard', '0'];
      const run = await verify(args, { input: input() });
      expect(run.code).toBe(0);
      expect(run.stdout).toMatch(/^not checked: the positions before 3/m);
      expect(run.stdout).toMatch(/^not checked: other shards than 0/m);
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
    const path = join(dir, 'shards.ndjson');
    writeFileSync(path, two.ndjson() + other.ndjson());
    const args = ['--signers', signersOfTwo, '--export', path, ...headOf(two), ...headOf(other)];
    const both = await verify(args);
    expect(both.stdout).toBe(
      [two, other]
        .map(({ events, shard }) => {
          const head = events.at(-1);
          return `Audit chain verified. Head hash: ${head?.hash} (shard ${shard}, position ${shard}:${head?.seq})\n`;
        })
        .join(''),
    );
    const one = await verify([...args, '--shard', '1']);
    expect(one.stdout).toBe(
      `not checked: other shards than 1 (--shard)\nAudit chain verified. Head hash: ${other.events[0]?.hash}\n`,
    );
  });

  it('checks the chain alone without keys', async () => {
    const args = ['--export', '-', '--chain-only', '--origin', chain.origin];
    const sound = await verify(args, { input: chain.ndjson() });
    expect(sound.code).toBe(0);
    expect(sound.stdout).toMatch(/^not checked: signatures and keys \(--chain-only\)\n/);
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
      'a number of shards that contradicts the signers',
      () => ['--signers', signers, '--export', '-', '--shards', '2'],
      /--shards 2 contradicts .*, which says 1/,
    ],
    [
      'a first pool that is none',
      () => ['--signers', signers, '--export', '-', '--first-pool', 'x'],
      /--first-pool x is neither/,
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
        // Two days, so two folders.
        small.found().appendMany(19);
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
      const run = await verify(['--signers', signers, '--dir', archive, ...headOf(small)]);
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
