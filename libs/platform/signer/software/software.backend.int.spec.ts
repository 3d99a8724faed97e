import { chmod, lstat, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KeyRequest } from '../signing-backend';
import { keyFilePath } from './key-file';
import { SoftwareBackend } from './software.backend';

const KID = 'files-audit-v1';

describe('key files', () => {
  let root: string;
  let dir: string;
  const open = (keys: KeyRequest[] = [{ kid: KID, purposes: ['audit'] }], production = false) =>
    SoftwareBackend.open({ dir, keys, production });
  const refusal = async (promise: Promise<unknown>): Promise<string> => {
    const error = await promise.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: 'SignerError', code: 'key_refused' });
    return (error as Error).message;
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'key-files-'));
    dir = join(root, 'state', 'keys');
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('are made with 0600 in a folder with 0700', async () => {
    await open();
    expect((await lstat(dir)).mode & 0o777).toBe(0o700);
    expect((await lstat(keyFilePath(dir, KID))).mode & 0o777).toBe(0o600);
  });

  it('are the same key for two that start at once', async () => {
    const backends = await Promise.all(Array.from({ length: 4 }, () => open()));
    expect(new Set(backends.map((backend) => backend.keys()[0]?.publicKeyPem)).size).toBe(1);
  });

  it.each([0o640, 0o604, 0o666])('with mode %o are refused, saying what to run', async (mode) => {
    await open();
    await chmod(keyFilePath(dir, KID), mode);
    expect(await refusal(open())).toContain(`chmod 0600 ${keyFilePath(dir, KID)}`);
  });

  it('in a folder that others can enter are refused', async () => {
    await open();
    await chmod(dir, 0o755);
    expect(await refusal(open())).toContain(`chmod 0700 ${dir}`);
  });

  it('that are links are refused', async () => {
    await open();
    await rename(keyFilePath(dir, KID), join(root, 'elsewhere'));
    await symlink(join(root, 'elsewhere'), keyFilePath(dir, KID));
    expect(await refusal(open())).toContain('symbolic link');
  });

  it('of another kid are refused', async () => {
    await open();
    await rename(keyFilePath(dir, KID), keyFilePath(dir, 'renamed'));
    expect(await refusal(open([{ kid: 'renamed', purposes: ['audit'] }]))).toContain(`holds key ${KID}`);
  });

  it('may not be used for what they were not made for', async () => {
    await open();
    expect(await refusal(open([{ kid: KID, purposes: ['audit', 'manifest'] }]))).toContain('manifest');
  });

  it('that are damaged are refused without a word of what is in them', async () => {
    await open();
    const path = keyFilePath(dir, KID);
    const text = await readFile(path, 'utf8');
    const secret = /PRIVATE KEY-----\\n([^\\]+)\\n/.exec(text)?.[1] ?? '';
    expect(secret).toHaveLength(64);
    for (const damaged of [
      text.slice(0, -20),
      text.replace(secret, secret.slice(4)),
      text.replace('"v": 1', '"v": 2'),
    ]) {
      await writeFile(path, damaged, { mode: 0o600 });
      const message = await refusal(open());
      expect(message).toContain('is not a key file');
      expect(message).not.toContain(secret.slice(8, 24));
    }
  });

  it('are not made or used in production', async () => {
    await expect(open(undefined, true)).rejects.toMatchObject({
      code: 'refused_in_production',
      message: expect.stringContaining('NODE_ENV=production'),
    });
    await expect(lstat(dir)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['', '../evil', '.hidden', 'a/b', 'a b', 'x'.repeat(129)])(
    'cannot have the name "%s"',
    async (kid) => {
      await expect(open([{ kid, purposes: ['audit'] }])).rejects.toMatchObject({ code: 'invalid_request' });
    },
  );
});
