import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { portsFrom, type SignerChoice } from '#dev/devstack';
import { describeWithOpenBao, describeWithSoftHsm } from '#dev/testing';
import { Launcher, until } from './launcher.driver';

/** @param folder in the state folder, where the keys are, and `secrets` in it, which only its owner may read */
function keepsItsKeys(
  signer: SignerChoice,
  folder: string,
  secrets: readonly string[],
): { launcher: () => Launcher; manifest: () => string } {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
  });
  afterAll(() => launcher.stop(), 120_000);
  const manifest = (): string => join(launcher.scratch, 'manifest.json');

  it('keeps its keys there, across a restart, and says what cannot be changed', async () => {
    await launcher.upReady('--signer', signer);
    const keys = join(launcher.state, folder);
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    for (const secret of secrets) expect((await stat(join(keys, secret))).mode & 0o777).toBe(0o600);
    await expect(readdir(join(launcher.state, 'signing-keys'))).rejects.toMatchObject({ code: 'ENOENT' });
    await writeFile(manifest(), '{"id":"demo","version":"1.0.0","kind":"agent"}');
    const key = async () => (await launcher.on('keys show', 'kernel-manifest-ed25519-v1')).stdout;
    const before = await key();
    expect(before).toContain('"active"');
    expect((await launcher.on('sign', manifest())).code).toBe(0);

    expect((await launcher.on('down')).code).toBe(0);
    expect(await launcher.on('up', '--signer', 'software')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        `was made with --signer ${signer}, which cannot be changed to software`,
      ),
    });
    expect((await launcher.on('up', '--detach')).code).toBe(0);
    expect(await key()).toBe(before);
    expect((await launcher.on('sign', manifest())).code).toBe(0);
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  }, 300_000);
  return { launcher: () => launcher, manifest };
}

describeWithSoftHsm('./kernel up --signer pkcs11', () => {
  keepsItsKeys('pkcs11', 'softhsm', ['pin', 'so-pin']);
});

describeWithOpenBao('./kernel up --signer vault-transit', () => {
  const { launcher, manifest } = keepsItsKeys('vault-transit', 'openbao', [
    'unseal.json',
    join('data', 'vault.db'),
  ]);

  it('answers 503 while OpenBao is sealed and records nothing, until it is unsealed', async () => {
    const { state, portBase } = launcher();
    const verified = async () => (await launcher().on('audit verify')).stdout;
    const before = await verified();
    expect(before).toContain('Audit chain verified');
    const openBao = async (path: string, body: object): Promise<void> => {
      const agent = new Agent({ connect: { ca: await readFile(join(state, 'identities', 'ca.pem')) } });
      const answer = await request(`https://127.0.0.1:${portsFrom(portBase).openBao}/v1/sys/${path}`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'x-vault-token': secrets.rootToken },
        body: JSON.stringify(body),
      });
      expect([answer.statusCode, await answer.body.text()]).toEqual([
        expect.any(Number),
        expect.not.stringContaining('errors'),
      ]);
      await agent.close();
    };
    const secrets = JSON.parse(await readFile(join(state, 'openbao', 'unseal.json'), 'utf8')) as {
      unsealKey: string;
      rootToken: string;
    };
    await openBao('seal', {});
    expect(await launcher().on('sign', manifest())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('503 (signing_unavailable'),
    });
    const status = await launcher().on('status');
    expect(status.stdout).toMatch(
      /Not ready: kernel: signing_proxy: vault-transit: .*Vault answered 503: Vault is sealed/,
    );
    // The chain is unchanged, and can be read and verified all the while.
    expect(await verified()).toBe(before);

    await openBao('unseal', { key: secrets.unsealKey });
    await until(async () => (await launcher().on('status')).code === 0);
    expect((await launcher().on('sign', manifest())).code).toBe(0);
  }, 300_000);
});
