import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { archiveKey, signersJson, type TrustRoot } from '#evidence';
import { fakesOfManifest, fakesOfReceipt, LoggedKernel, workTree } from '#dev/testing';

interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

/** The committed file, by itself, on one event, one signature, and chains with a published checkpoint. */
describe('audit-verify.js and the log', () => {
  const kernel = new LoggedKernel();
  const { log, otherLog, chain, other, k2 } = kernel;
  const trust = kernel.trust();
  let dir: string;
  let program: string;
  let signers: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'audit-verify-single-'));
    program = join(dir, 'audit-verify.js');
    cpSync(join(workTree(), 'tools', 'audit-verify.js'), program);
    signers = file('signers.json', signersFile(trust));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function file(name: string, content: string | Uint8Array): string {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  }

  function signersFile({ signers: entries, origin, shards, log: witnesses }: TrustRoot): string {
    return signersJson(entries, origin, {
      approverPool: null,
      ...(shards === undefined ? {} : { shards }),
      ...(witnesses === undefined ? {} : { log: witnesses }),
    });
  }

  function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [program, ...args], { cwd: dir, env });
      const output = { stdout: '', stderr: '' };
      child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
      child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, ...output }));
    });
  }

  const lastLine = ({ stdout }: Run): string => stdout.trimEnd().split('\n').at(-1) ?? '';

  describe('one event', () => {
    const asked = (receipt: string, event: Uint8Array): string[] => [
      ...['--signers', signers],
      ...['--receipt', file('receipt', receipt), '--event', file('event.json', event)],
    ];

    it('is verified, and what was checked and what was not is said', async () => {
      const result = await run(asked(log.receipt(20), kernel.at(20)));
      expect(result).toMatchObject({ code: 0, stderr: '' });
      const { id, hash } = chain.events[19] ?? { id: '', hash: '' };
      expect(lastLine(result)).toBe(
        `Event verified: ${id}, thing.happened, position 0:20, hash ${hash}; in the log ${log.name} at size 22, cosigned by w1.example.org, w2.example.org.`,
      );
      expect(result.stdout).toContain('checked: k2 signs at 0:20 by its span in signers.json\n');
      expect(result.stdout).toMatch(/^not checked: the events around it/m);
    });

    it('is verified as JSON, which is also the report', async () => {
      const report = join(dir, 'event-report.json');
      const { code, stdout } = await run([
        ...asked(log.receipt(20), kernel.at(20)),
        ...['--json', '--report', report],
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        verified: true,
        origin: chain.origin,
        event: { shard: 0, seq: 20 },
        log: { size: 22, kid: 'c2' },
        faults: [],
      });
      expect(readFileSync(report, 'utf8')).toBe(stdout);
      expect(statSync(report).mode & 0o077).toBe(0);
    });

    it('is judged by the policy that is given', async () => {
      const [, , third] = kernel.witnesses;
      const policy = file('policy', `witness third ${third?.vkey}\nquorum third\n`);
      const args = [...asked(log.receipt(20), kernel.at(20)), '--policy', policy];
      expect(await run(args)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^quorum: /) as string,
      });
      const cosigned = log.receipt(20, { witnesses: third === undefined ? [] : [third] });
      const good = await run([...asked(cosigned, kernel.at(20)), '--policy', policy]);
      expect(good.code).toBe(0);
      expect(lastLine(good)).toMatch(/ cosigned by third\.$/);
    });

    it('does not claim cosignatures that nobody asked for', async () => {
      const { log: _, ...bare } = trust;
      const alone = file('signers-without-log.json', signersFile(bare));
      const result = await run([
        ...['--signers', alone, '--receipt', file('receipt', log.receipt(20))],
        ...['--event', file('event.json', kernel.at(20))],
      ]);
      expect(result.code).toBe(0);
      expect(lastLine(result)).toMatch(/, without cosignatures\.$/);
      expect(result.stdout).toMatch(/^not checked: cosignatures of witnesses: /m);
    });

    it.each(fakesOfReceipt(kernel).map((fake) => [fake.name, fake] as const))(
      'exits with 1 for one %s',
      async (_name, { cause, event, receipt, trust: root, policy }) => {
        const { code, stdout } = await run([
          ...[
            '--signers',
            file('fake-signers.json', signersFile(root)),
            '--receipt',
            file('receipt', receipt),
          ],
          ...['--event', file('event.json', event)],
          ...(policy === undefined ? [] : ['--policy', file('policy', policy)]),
        ]);
        expect(code).toBe(1);
        expect(stdout).toMatch(new RegExp(`^${cause}: `, 'm'));
        expect(stdout).not.toMatch(/verified/);
      },
    );

    it.each([
      ['the event is missing', ['--receipt', 'receipt'], /--receipt goes with --event, which is missing/],
      ['the receipt is missing', ['--event', 'event.json'], /--event goes with --receipt, which is missing/],
      ['a file is not there', ['--receipt', 'none', '--event', 'none'], /--receipt none: .*ENOENT/],
      ['the report is no JSON', ['--receipt', 'r', '--event', 'e', '--report', 'r.html'], /ends with .json/],
    ])('exits with 2 when %s', async (_what, args, message) => {
      const { code, stderr, stdout } = await run(['--signers', signers, ...args]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(message);
    });
  });

  describe('one manifest signature', () => {
    const asked = (manifest: string, envelope: string): string[] => [
      ...['--manifest', file('manifest.json', manifest), '--envelope', file('envelope.json', envelope)],
    ];
    const recorded = (event: Uint8Array, receipt: string): string[] => [
      ...['--receipt', file('receipt', receipt), '--event', file('event.json', event)],
    ];
    const manifest = JSON.stringify(kernel.manifest);

    it('is verified alone, and is not said to be recorded', async () => {
      const result = await run(['--signers', signers, ...asked(manifest, JSON.stringify(kernel.later))]);
      expect(result.code).toBe(0);
      expect(lastLine(result)).toMatch(
        /^Manifest signature verified: agent-7, version 1\.2\.0, SHA-256 [0-9a-f]{64}; not shown to be recorded\.$/,
      );
    });

    it('is verified with its record when its key has ended', async () => {
      const args = ['--signers', signers, ...asked(manifest, JSON.stringify(kernel.envelope))];
      expect(await run(args)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^receipt_needed: m1 is retired/) as string,
      });
      const result = await run([...args, ...recorded(kernel.at(9), log.receipt(9))]);
      expect(result.code).toBe(0);
      expect(lastLine(result)).toMatch(
        /; recorded at 0:9 by event [0-9a-f-]{36}; in the log .* at size 22, /,
      );
    });

    it.each(fakesOfManifest(kernel).map((fake) => [fake.name, fake] as const))(
      'exits with 1 for %s',
      async (_name, { cause, manifest: document, envelope, record, trust: root }) => {
        const { code, stdout } = await run([
          ...['--signers', file('fake-signers.json', signersFile(root)), ...asked(document, envelope)],
          ...(record === null ? [] : recorded(record.event, record.receipt)),
        ]);
        expect(code).toBe(1);
        expect(stdout).toMatch(new RegExp(`^${cause}: `, 'm'));
        expect(stdout).not.toMatch(/verified/);
      },
    );
  });

  describe('a chain with a published checkpoint', () => {
    const evidence = (name = 'export.ndjson', text = chain.ndjson() + other.ndjson()): string[] => [
      ...['--signers', signers, '--export', file(name, text), '--jobs', '2'],
    ];
    const checkpoint = (name: string, note: string): string[] => ['--checkpoint', file(name, note)];
    /** Checkpoints that include what k1 signed in doubt, from before it was declared compromised. */
    const inTime = (): string[] => [
      ...checkpoint('before-0', log.checkpoint({ size: 17 })),
      ...checkpoint('before-1', otherLog.checkpoint({ size: 4 })),
      ...checkpoint('emergency', log.checkpoint({ size: 18 })),
    ];

    it('is in doubt without one', async () => {
      const { code, stdout } = await run(evidence());
      expect(code).toBe(1);
      expect(stdout).toMatch(/^key_not_valid: .*k1 is in doubt/m);
    });

    it('holds what was in the log in time, and its end is anchored as far as checkpoints go', async () => {
      const { code, stdout } = await run([...evidence(), ...inTime()]);
      expect(stdout).toMatch(
        /^in the log in time: \d events? by the compromised key k1, positions 0:16 to 0:17; the checkpoint of size 17 by c2/m,
      );
      expect(stdout).toMatch(
        /^in the log: kernel.example.com\/logged\/log\/1 at size 4, signed by c2, cosigned/m,
      );
      expect(stdout).toMatch(/^the end is not anchored: .* vouches for 0:19 to 0:22, 1:5 to 1:7$/m);
      expect(code).toBe(0);
    });

    it('is anchored to its end', async () => {
      const { code, stdout } = await run([
        ...evidence(),
        ...inTime(),
        ...checkpoint('now-0', log.checkpoint()),
        ...checkpoint('now-1', otherLog.checkpoint()),
      ]);
      expect(code).toBe(0);
      expect(stdout).not.toContain('not anchored');
    });

    it('is anchored in an archive too', async () => {
      for (const shard of [chain, other]) {
        shard.events.forEach((event, n) => {
          const path = join(dir, 'archive', archiveKey(event));
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, shard.bytes[n] ?? '');
        });
      }
      const { code, stdout } = await run([
        ...['--signers', signers, '--dir', join(dir, 'archive'), '--jobs', '1', ...inTime()],
        ...checkpoint('now-0', log.checkpoint()),
      ]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/^the end is not anchored: .* vouches for 1:5 to 1:7$/m);
    });

    it.each([
      [
        'another root',
        () => log.checkpoint({ size: 22 }),
        () => `${chain.fork()[0]?.cut(21).ndjson()}${lastOther()}`,
        /^checkpoint: .*position 0:22: the tree of the first 22 events has the root/m,
      ],
      [
        'a larger size',
        () => log.checkpoint({ size: 22 }),
        () => chain.fork()[0]?.cut(21).ndjson() ?? '',
        /^truncation: .*position 0:22: .* has the size 22, the evidence has 21 events of the shard/m,
      ],
      [
        'the signature of an audit key',
        () => log.checkpoint({ signers: [k2] }),
        null,
        /^checkpoint: .*key_not_valid/m,
      ],
      ['too few cosignatures', () => log.checkpoint({ witnesses: [] }), null, /^checkpoint: .*quorum/m],
      [
        'the signature of a key that had ended',
        () => log.checkpoint({ signers: [kernel.c1] }),
        null,
        /^checkpoint: .*c1 ended at 0:12/m,
      ],
    ])('is at fault where the checkpoint has %s', async (_what, note, events, message) => {
      const text = (events === null ? chain.ndjson() : events()) + other.ndjson();
      const { code, stdout } = await run([
        ...evidence('faulty.ndjson', text),
        ...inTime(),
        ...checkpoint('c', note()),
      ]);
      expect(stdout).toMatch(message);
      expect(stdout).not.toContain('verified');
      expect(code).toBe(1);
    });

    /** Another last event, by a key that is valid there: without a checkpoint nothing is wrong with it. */
    function lastOther(): string {
      const fork = chain.fork()[0]?.cut(21);
      fork?.append({ signer: k2, payload: { n: 'other' } });
      return `${Buffer.from(fork?.bytes.at(-1) ?? []).toString()}\n`;
    }

    it('is one that the checkpoint alone tells from another', async () => {
      const text = `${chain.fork()[0]?.cut(21).ndjson()}${lastOther()}${other.ndjson()}`;
      const { code, stdout } = await run([...evidence('forked.ndjson', text), ...inTime()]);
      expect(code).toBe(0);
      expect(stdout).toContain('the end is not anchored');
    });

    it('exits with 2 for a file that is no checkpoint', async () => {
      const { code, stderr } = await run([...evidence(), ...checkpoint('none', 'nothing\n')]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/--checkpoint .*none: This is no checkpoint/);
    });

    it.each(['html', 'csv', 'json'])('is reported as %s', async (kind) => {
      const path = join(dir, `report.${kind}`);
      const { code } = await run([...evidence(), ...inTime(), '--report', path]);
      expect(code).toBe(0);
      const report = readFileSync(path, 'utf8');
      for (const said of [
        chain.events.at(-1)?.hash,
        other.events.at(-1)?.hash,
        'k1',
        'compromised',
        'an export',
      ]) {
        expect(report).toContain(said);
      }
    });
  });
});
