import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type SignerChoice } from '#libs/devstack';
import { describeWithOpenBao, describeWithSoftHsm } from '#libs/testing';
import { Launcher } from './launcher.driver';

/** @param folder in the state folder, where the keys are, and `secrets` in it, which only its owner may read */
function keepsItsKeys(signer: SignerChoice, folder: string, secrets: readonly string[]): void {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
  });
  afterAll(() => launcher.stop(), 60_000);

  it('keeps its keys there, across a restart, and says what cannot be changed', async () => {
    await launcher.upReady('--signer', signer);
    const keys = join(launcher.state, folder);
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    for (const secret of secrets) expect((await stat(join(keys, secret))).mode & 0o777).toBe(0o600);
    await expect(readdir(join(launcher.state, 'signing-keys'))).rejects.toMatchObject({ code: 'ENOENT' });
    const manifest = join(launcher.scratch, 'manifest.json');
    await writeFile(manifest, '{"id":"demo","version":"1.0.0","kind":"agent"}');
    const key = async () => (await launcher.on('keys show', 'kernel-manifest-ed25519-v1')).stdout;
    const before = await key();
    expect(before).toContain('"active"');
    expect((await launcher.on('sign', manifest)).code).toBe(0);

    expect((await launcher.on('down')).code).toBe(0);
    expect(await launcher.on('up', '--signer', 'software')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`was made with --signer ${signer}, which cannot be changed to software`),
    });
    expect((await launcher.on('up', '--detach')).code).toBe(0);
    expect(await key()).toBe(before);
    expect((await launcher.on('sign', manifest)).code).toBe(0);
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  }, 120_000);
}

describeWithSoftHsm('./kernel up --signer pkcs11', () => keepsItsKeys('pkcs11', 'softhsm', ['pin', 'so-pin']));

describeWithOpenBao('./kernel up --signer vault-transit', () =>
  keepsItsKeys('vault-transit', 'openbao', ['unseal.json', join('data', 'vault.db')]),
);
