import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workTree } from '#dev/testing';
import { finished, Launcher, until } from '../launcher/launcher.driver';

/** The command line of the step in the runbook. */
async function stepOfRunbook(values: Record<string, string>): Promise<string[]> {
  const text = await readFile(join(workTree(), 'runbooks', 'key-compromise.md'), 'utf8');
  const [, line] = /^\.\/kernel (keys compromise .*)$/m.exec(text) ?? [];
  if (line === undefined) throw new Error('the runbook has no step');
  const words = line.match(/"[^"]*"|\S+/g) ?? [];
  return words.map((word) => values[word.replaceAll('"', '')] ?? word);
}

describe('./kernel keys', () => {
  let launcher: Launcher;
  let signers: string;
  beforeAll(async () => {
    launcher = await Launcher.create();
    signers = join(launcher.scratch, 'signers.json');
    await launcher.upReady();
  }, 240_000);
  afterAll(() => launcher.stop(), 60_000);

  const events = async (): Promise<{ seq: number; type: string; signerKid: string }[]> => {
    const { stdout } = await launcher.on('audit export');
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as { seq: number; type: string; signerKid: string });
  };

  it('rotate has a key made, proposes it, waits for three approvers, and ends with the chain verified by the new signers.json', async () => {
    expect((await launcher.on('keys candidates')).stdout).toMatch(
      /kernel-audit-ed25519-v2 +audit +kernel-audit-ed25519-v1/,
    );
    const rotating = launcher.start([
      'keys',
      'rotate',
      '--state',
      launcher.state,
      '--purpose',
      'audit',
      '--create',
      '--yes',
      '--out',
      signers,
    ]);
    const result = finished(rotating);
    const id = 'rotate-kernel-audit-ed25519-v4';
    await until(async () => (await launcher.on('upgrade show', id)).code === 0);
    for (const n of [1, 2, 3]) {
      const approved = await launcher.on('upgrade approve', id, '--as', `approver-${n}`, '--yes');
      expect(approved.code).toBe(0);
    }
    expect(await result).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Audit chain verified'),
      stderr: expect.stringContaining(
        'kernel-audit-ed25519-v4 signs in the place of kernel-audit-ed25519-v1',
      ),
    });
    expect((await launcher.on('keys create', '--purpose', 'audit', '--kid', 'spare')).stdout).toMatch(
      /^The signing proxy holds the new key spare for audit \(recorded at 0:\d+\)\.$/m,
    );
    expect((await launcher.on('keys candidates')).stdout).toMatch(/^spare +audit +kernel-audit-ed25519-v4/m);
    expect(JSON.parse(await readFile(signers, 'utf8')).signers).toContainEqual(
      expect.objectContaining({ signer_kid: 'kernel-audit-ed25519-v4', status: 'active' }),
    );
    expect(await launcher.on('keys retire', 'kernel-audit-ed25519-v1', '--yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(overlap)'),
    });
  }, 300_000);

  it('compromise is the one step of the runbook, and ends with the chain verified', async () => {
    const manifest = join(launcher.scratch, 'manifest.json');
    await writeFile(manifest, JSON.stringify({ id: 'hello', version: '1.0.0', kind: 'agent' }));
    expect((await launcher.on('sign', manifest)).code).toBe(0);
    const list = join(launcher.scratch, 'events-in-doubt.ndjson');
    const [since] = (await events()).filter(({ signerKid }) => signerKid === 'kernel-audit-ed25519-v4');
    const step = await stepOfRunbook({
      KID: 'kernel-audit-ed25519-v4',
      SINCE: `0:${since?.seq}`,
      'WHAT IS KNOWN': 'a drill',
      'tools/signers.json': signers,
      'events-in-doubt.ndjson': list,
    });
    const done = await launcher.run([...step, '--yes', '--state', launcher.state]);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining('Audit chain verified') });
    expect(done.stdout).toContain('kernel-audit-ed25519-v4 is cut off');
    expect(done.stdout).toMatch(/^re-attested: \d+ events? by the compromised key kernel-audit-ed25519-v4/m);
    expect(done.stdout).toContain('The kernel is normal.');
    const doubtful = (await readFile(list, 'utf8')).trimEnd().split('\n');
    expect(doubtful.length).toBeGreaterThan(0);
    for (const line of doubtful) expect(line).toContain('"signerKid":"kernel-audit-ed25519-v4"');
    expect((await events()).at(-1)?.signerKid).toBe('kernel-audit-ed25519-v2');
    expect((await launcher.on('keys list')).stdout).toMatch(/kernel-audit-ed25519-v4 .*compromised/);
    // Relay, indexer and archiver have followed: their copies verify on their own.
    const archive = join(launcher.state, 'archive');
    await until(async () => {
      const verified = await launcher.on('audit verify', '--dir', archive, '--signers', signers);
      return verified.code === 0 && verified.stdout.includes('re-attested: ');
    });
  }, 300_000);

  it('marks are shown, and a window is for what was lost', async () => {
    expect((await launcher.on('keys marks')).stdout).toMatch(/^0 +0:\d+/m);
    const head = (await events()).length;
    const refused = await launcher.on(
      'keys restore-window',
      '--yes',
      '--shard',
      '0',
      '--seq',
      String(head),
      '--reason',
      'x',
    );
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(nothing_to_open)') });
    const asOperator = await launcher.on(
      'keys restore-window',
      '--yes',
      ...['--shard', '0', '--seq', '1', '--reason', 'x', '--as', 'operator'],
    );
    expect(asOperator).toMatchObject({ code: 1, stderr: expect.stringContaining('(client_not_permitted)') });
  }, 60_000);
});
