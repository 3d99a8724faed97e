import { cp, readdir, readFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Launcher } from './launcher.driver';

describe('./kernel up on a state folder that is not whole', () => {
  let launcher: Launcher;
  beforeAll(async () => {
    launcher = await Launcher.create();
    await launcher.upReady();
    expect((await launcher.on('down')).code).toBe(0);
  }, 120_000);
  afterAll(() => launcher.stop(), 60_000);

  const at = (path: string) => join(launcher.state, path);
  const remove =
    (...paths: string[]) =>
    async () => {
      const moves = paths.map((path, n) => [at(path), join(launcher.scratch, `aside-${n}`)] as const);
      for (const [place, aside] of moves) await rename(place, aside);
      return async () => {
        for (const [place, aside] of moves) {
          // Anything that a wrong start may have created in its place must not spoil the next case.
          await rm(place, { recursive: true, force: true });
          await rename(aside, place);
        }
      };
    };
  const cut = (path: string) => async () => {
    const whole = join(launcher.scratch, 'whole');
    await cp(at(path), whole);
    await truncate(at(path), 20);
    return async () => {
      await writeFile(at(path), await readFile(whole));
      await rm(whole);
    };
  };

  it.each([
    ['its record is gone', remove('state.json'), /is not empty and holds no kernel state/],
    ['its record is cut off', cut('state.json'), /state\.json is damaged/],
    // With its archive present it would start in safe-mode, to be filled again (state-folder.int.spec.ts).
    [
      'the database and its archive are gone',
      remove('postgres', 'archive'),
      /PG_VERSION is missing, and with it the database of the chain/,
    ],
    ['the database has lost its control file', remove('postgres/data/global/pg_control'), /pg_control/],
    [
      'the passwords are gone',
      remove('postgres/passwords.json'),
      /passwords\.json is missing, so nobody can log in/,
    ],
    ['the passwords are cut off', cut('postgres/passwords.json'), /passwords\.json cannot be read/],
    [
      'the signing keys are gone',
      remove('signing-keys'),
      /signing-keys is missing, and with it the signing keys/,
    ],
    [
      'a signing key is cut off',
      cut('signing-keys/kernel-audit-ed25519-v1.key.json'),
      /kernel-audit-ed25519-v1\.key\.json is not a key file/,
    ],
    ["the CA's key is cut off", cut('identities/ca.key'), /ca\.pem and .*ca\.key do not belong together/],
    [
      "an approver's key is cut off",
      cut('identities/approver-2-approval.key'),
      /approver-2-approval\.key is not an Ed25519 private key/,
    ],
    ['the key of the rows is cut off', cut('row.key'), /row\.key is no key of the database's rows/],
    ['the key of the rows is gone', remove('row.key'), /row\.key is missing, and with it what authenticates/],
    ['the list of revocations is cut off', cut('identities/ca.crl'), /ca\.crl is no list of revoked cert/],
    [
      'what was signed is forgotten',
      remove('signing-marks'),
      /high-water-marks is missing, and with it what the signing proxy remembers/,
    ],
    [
      'what was signed is cut off',
      cut('signing-marks/high-water-marks'),
      /high-water-marks is cut short or no file of marks: it has 20 bytes.*bring it back as it was/,
    ],
  ])('says in one sentence that %s, and leaves nothing running', async (_, damage, sentence) => {
    const mend = await damage();
    try {
      const up = await launcher.up();
      expect(up).toMatchObject({ code: 1, stdout: '' });
      const said = up.stderr.split('\n').filter((line) => line !== '');
      expect(said.at(-1)).toMatch(sentence);
      // Only lines of progress come before it.
      expect(
        said.slice(0, -1).filter((line) => !/^kernel: (preparing|starting|migrating|waiting)/.test(line)),
      ).toEqual([]);
      expect(await readdir(launcher.state)).not.toContain('run.json');
    } finally {
      await mend();
    }
  });

  it('does not start beside what may run, when the record of it cannot be read', async () => {
    await writeFile(at('run.json'), '');
    for (const verb of ['up --detach', 'status', 'down']) {
      expect(await launcher.on(verb)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^kernel: .*run\.json is damaged, so it is not known what runs/),
      });
    }
    // Left from before the machine was started: nothing of it can run.
    await utimes(at('run.json'), 1, 1);
    expect((await launcher.on('down')).stdout).toContain('Nothing to stop');
  });

  it('says that kernel.env is damaged, and what writes it again', async () => {
    await writeFile(at('kernel.env'), '');
    expect(await launcher.on('keys')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/kernel\.env is damaged: it names no kernel\. \.\/kernel down and/),
    });
  });

  it('starts on it when it is mended, and makes certificates and kernel.env again', async () => {
    await rm(at('kernel.env'));
    await rm(at('identities/dev-operator.pem'));
    await launcher.upReady();
    expect((await launcher.on('audit verify')).stdout).toContain('Audit chain verified');
  });
});
