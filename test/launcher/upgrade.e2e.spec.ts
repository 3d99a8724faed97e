import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readEnvironmentFile } from '#dev/devstack';
import { manifestDigest } from '#evidence';
import { Pkcs11Backend, provisionSoftHsm } from '#platform/signer';
import { describeWithSoftHsm, workTree } from '#dev/testing';
import { Launcher } from './launcher.driver';

describe('./kernel upgrade', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
    await launcher.upReady();
  }, 120_000);
  afterAll(() => launcher.stop(), 60_000);

  const upgrade = (words: string, ...args: string[]) => launcher.on(`upgrade ${words}`, ...args);
  async function propose(manifest: Record<string, unknown>): Promise<string> {
    const file = join(launcher.scratch, `${String(manifest['upgradeId'])}.json`);
    await writeFile(file, JSON.stringify(manifest));
    const result = await upgrade('propose', file);
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('is proposed') });
    return String(manifest['upgradeId']);
  }
  const approve = (id: string, n: number, ...args: string[]) =>
    upgrade('approve', id, '--as', `approver-${n}`, '--yes', ...args);

  it('goes from a proposal over three signatures to proof, each step an event', async () => {
    const manifest = { upgradeId: 'cli-1', type: 'code', target: 'api', rationale: 'a fix', version: '1' };
    const id = await propose(manifest);
    const first = await approve(id, 1, '--notes', 'read it');
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('quorum    1 of 3: approver-1') });
    // It shows what is signed, with digests recomputed on this side.
    expect(first.stderr).toContain(`manifest  sha256 ${manifestDigest(manifest)}`);
    expect(first.stderr).toContain('nothing in force to compare with');
    expect(first.stderr).toContain('Notes: read it');
    expect(await approve(id, 1)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(approver_already_signed)'),
    });
    expect(await upgrade('apply', id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(insufficient_quorum): 1 of 3 approvals count'),
    });
    for (const n of [2, 3]) expect((await approve(id, n)).code).toBe(0);
    expect((await upgrade('apply', id)).stdout).toContain('is applied');
    const shown = (await upgrade('show', id)).stdout;
    expect(shown.match(/upgrade\.\w+/g)).toEqual([
      'upgrade.proposed',
      'upgrade.approval_given',
      'upgrade.approval_given',
      'upgrade.approval_given',
      'upgrade.approved',
      'upgrade.applied',
    ]);

    const evidence = join(launcher.scratch, 'evidence.json');
    expect((await upgrade('evidence', id, '--out', evidence)).code).toBe(0);
    const signers = join(launcher.scratch, 'signers.json');
    await writeFile(signers, (await launcher.on('keys signers')).stdout);
    const verifier = join(workTree(), 'tools', 'audit-verify.js');
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...[verifier, '--upgrade', evidence, '--signers', signers],
    ]);
    expect(stdout).toContain(`Upgrade ${id} verified: applied (3 of 3: approver-1, approver-2, approver-3).`);
    // The last line names a head; the chain as a whole has it.
    const head = /\d+:\d+:[0-9a-f]{64}/.exec(stdout)?.[0] ?? '';
    const { DATABASE_URL } = await readEnvironmentFile(join(launcher.state, 'kernel.env'));
    const chain = await promisify(execFile)(process.execPath, [
      ...[verifier, '--signers', signers, '--database-url', DATABASE_URL ?? '', '--expect-head', head],
    ]);
    expect(chain.stdout).toContain('Audit chain verified');

    await propose({ ...manifest, upgradeId: 'cli-2', version: '2' });
    const next = await approve('cli-2', 4);
    expect(next.stderr).toContain('- /version: "1"\n  + /version: "2"');
  }, 120_000);

  it('shows what a change of the pool would change, and signs nothing unasked', async () => {
    const { approvers } = JSON.parse((await upgrade('approvers', '--json')).stdout) as {
      approvers: Record<string, unknown>[];
    };
    const rest = approvers.slice(1).map(({ revokedKeys: _, ...approver }) => approver);
    const pool = { threshold: 2, approvers: rest };
    await propose({ upgradeId: 'cli-pool', type: 'approver_pool', rationale: 'approver-1 left', pool });
    const asked = await upgrade('approve', 'cli-pool', '--as', 'approver-2');
    expect(asked).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('repeat with --yes'),
    });
    expect(asked.stderr).toContain('- /approvers/approver-1/id: "approver-1"');
    expect(asked.stderr).toContain('- /threshold: 3\n  + /threshold: 2');
    expect((await upgrade('show', 'cli-pool')).stdout).toContain('quorum    0 of 3');
  }, 60_000);

  it('is rejected, withdrawn, applied in an emergency and ratified', async () => {
    await propose({ upgradeId: 'cli-no', type: 'code', target: 'api', rationale: 'x' });
    for (const n of [1, 2, 3]) {
      const args = ['--as', `approver-${n}`, '--yes', '--notes', `no ${n}`];
      expect((await upgrade('reject', 'cli-no', ...args)).code).toBe(0);
    }
    const rejected = (await upgrade('show', 'cli-no')).stdout;
    expect(rejected).toContain('cli-no (code) is rejected');
    expect(rejected).toContain('rejected  3 of 3: approver-1, approver-2, approver-3');
    expect(rejected).not.toMatch(/does not count|can still sign/);
    await propose({ upgradeId: 'cli-back', type: 'code', target: 'api', rationale: 'x' });
    expect((await upgrade('withdraw', 'cli-back', '--reason', 'no', '--yes')).stdout).toContain(
      'is withdrawn',
    );
    await propose({ upgradeId: 'cli-fire', type: 'code', target: 'api', rationale: 'x' });
    const look = await upgrade('emergency-apply', 'cli-fire', '--reason', 'it burns', '--dry-run');
    expect(look).toMatchObject({ code: 0, stdout: expect.stringContaining('with 0 of 3 approvals') });
    expect(await upgrade('emergency-apply', 'cli-fire', '--reason', 'it burns')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/No one can be asked here; repeat with --yes/),
    });
    expect((await upgrade('show', 'cli-fire')).stdout).toContain('cli-fire (code) is proposed');
    const fire = await upgrade('emergency-apply', 'cli-fire', '--reason', 'it burns', '--yes');
    expect(fire.stdout).toContain('EMERGENCY to be ratified until');
    // Compared with what was applied to the same target before, not with itself.
    const asked = await upgrade('ratify', 'cli-fire', '--as', 'approver-1', '--dry-run');
    expect(asked.stderr).toContain('- /rationale: "a fix"\n  + /rationale: "x"');
    expect(asked.stdout).toMatch(
      /^Nothing was done\. Without --dry-run:\n {2}approver-1 signs this to ratify/,
    );
    for (const n of [1, 2, 3]) {
      expect((await upgrade('ratify', 'cli-fire', '--as', `approver-${n}`, '--yes')).code).toBe(0);
    }
    const ratified = (await upgrade('show', 'cli-fire')).stdout;
    expect(ratified).toContain('ratified  3 of 3: approver-1, approver-2, approver-3');
    expect(ratified).not.toContain('can still sign');
    expect((await upgrade('list')).stdout).toMatch(/cli-fire +code +ratified/);
    expect((await upgrade('list', '--status', 'withdrawn')).stdout).toMatch(/^id .*\n-.*\ncli-back .*\n$/);
    const page = await upgrade('list', '--type', 'code', '--limit', '1');
    expect(page.stderr).toContain('go on with --cursor ');
    expect((await upgrade('list', '--type', 'signer_rotation')).stdout).toBe('There are no such upgrades.\n');
    const rollback = await upgrade('rollback', 'cli-fire', '--rationale', 'better without');
    expect(rollback.stdout).toContain('cli-fire.rollback (rollback) is proposed');
  }, 120_000);

  it('takes the files of a person who has no state folder', async () => {
    const variables = await readEnvironmentFile(join(launcher.state, 'kernel.env'));
    await propose({ upgradeId: 'cli-files', type: 'code', target: 'api', rationale: 'x' });
    const connection = [
      ...['--url', variables['KERNEL_API_URL'] ?? '', '--ca', variables['KERNEL_CA_CERT'] ?? ''],
      ...[
        '--cert',
        variables['KERNEL_APPROVER_5_CERT'] ?? '',
        '--key',
        variables['KERNEL_APPROVER_5_TLS_KEY'] ?? '',
      ],
    ];
    const person = [
      '--approver',
      'approver-5',
      '--signing-key',
      variables['KERNEL_APPROVER_5_KEY'] ?? '',
      '--yes',
    ];
    const args = ['upgrade', 'approve', 'cli-files', ...connection, ...person];
    expect(await launcher.run([...args, '--origin', 'kernel.example.com/other'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Do not sign: the record says origin'),
    });
    expect(await launcher.run(args)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 of 3: approver-5'),
    });
    const wrongKey = args.map((word) =>
      word === variables['KERNEL_APPROVER_5_KEY'] ? variables['KERNEL_CA_CERT'] : word,
    );
    expect(await readFile(variables['KERNEL_CA_CERT'] ?? '', 'utf8')).toContain('CERTIFICATE');
    expect((await launcher.run(wrongKey as string[])).stderr).toContain(
      'is not an Ed25519 private key in PEM',
    );
  }, 60_000);

  it('lists notifications, and sends none again that is not there', async () => {
    expect(await upgrade('notifications', '--only', 'dead')).toMatchObject({
      code: 0,
      stdout: 'There are no such notifications.\n',
    });
    expect((await upgrade('notifications', '--only', 'lost')).code).toBe(2);
    expect(await upgrade('redeliver', `msg_${'0'.repeat(32)}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(notification_not_found)'),
    });
  }, 60_000);

  describeWithSoftHsm('with an approval key in a token', () => {
    it('signs without the key ever leaving it', async () => {
      const dir = join(launcher.scratch, 'token');
      const token = await provisionSoftHsm({ dir, keys: [{ kid: 'desk-5', purpose: 'manifest' }] });
      const backend = await Pkcs11Backend.open({ ...token, processes: 1 });
      const publicKeyPem = backend.keys()[0]?.publicKeyPem ?? '';
      await backend.close();
      const pool = JSON.parse((await upgrade('approvers', '--json')).stdout) as {
        threshold: number;
        approvers: { id: string; keys: object[]; revokedKeys?: unknown }[];
      };
      const approvers = pool.approvers.map(({ revokedKeys: _, ...approver }) =>
        approver.id === 'approver-5'
          ? { ...approver, keys: [...approver.keys, { keyId: 'desk-5', algorithm: 'ed25519', publicKeyPem }] }
          : approver,
      );
      const change = { threshold: pool.threshold, approvers };
      await propose({ upgradeId: 'cli-token', type: 'approver_pool', rationale: 'a token', pool: change });
      const first = await approve('cli-token', 1);
      expect(first.stderr).toContain('+ /approvers/approver-5/keys/desk-5/keyId: "desk-5"');
      for (const n of [2, 3]) expect((await approve('cli-token', n)).code).toBe(0);
      expect((await upgrade('apply', 'cli-token')).stdout).toContain('is applied');

      await propose({ upgradeId: 'cli-signed', type: 'code', target: 'api', rationale: 'x' });
      const options = [
        ...['--pkcs11-key', 'desk-5', '--key-id', 'desk-5', '--pkcs11-module', token.modulePath],
        ...['--pkcs11-token', token.tokenLabel, '--pkcs11-pin-file', token.pinFile],
        ...['--pkcs11-env', `SOFTHSM2_CONF=${token.configFile}`],
      ];
      expect(await approve('cli-signed', 5, ...options)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('1 of 3: approver-5'),
        stderr: expect.stringContaining('as approver-5 with desk-5'),
      });
    }, 120_000);
  });
});
