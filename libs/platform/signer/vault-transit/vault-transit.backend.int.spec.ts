import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { importPublicKey, verifyEd25519 } from '#evidence';
import { FakeTransit } from '#dev/testing';
import { type VaultAuth } from './vault-session';
import { VaultTransitBackend, type VaultTransitBackendOptions } from './vault-transit.backend';

const KID = 'transit-audit-v1';
const messages = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) => Buffer.from(`message ${n}`));

describe('vault-transit backend', () => {
  let vault: FakeTransit;
  let dir: string;
  let said: string[];
  const opened: VaultTransitBackend[] = [];
  const open = async (options: Partial<VaultTransitBackendOptions> = {}): Promise<VaultTransitBackend> => {
    const backend = await VaultTransitBackend.open({
      address: vault.address,
      ca: vault.caCert,
      ...vault.client,
      auth: { method: 'cert' },
      keys: [{ kid: KID, purposes: ['audit'] }],
      retries: { firstPauseMs: 1, longestPauseMs: 2 },
      // No busy machine takes longer.
      requestTimeoutMs: 20_000,
      onTrouble: (sentence) => said.push(sentence),
      ...options,
    });
    opened.push(backend);
    return backend;
  };
  const verifies = async (backend: VaultTransitBackend, count = 3): Promise<boolean> => {
    const key = importPublicKey(backend.keys()[0]?.publicKeyPem ?? '');
    const signatures = await backend.sign(KID, messages(count));
    return messages(count).every((message, n) => verifyEd25519(key, message, signatures[n] ?? message));
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'transit-'));
    vault = await (await FakeTransit.create()).start();
    vault.addKey(KID);
    said = [];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((backend) => backend.close()));
    await vault.stop();
    await rm(dir, { recursive: true });
  });

  describe('logs in', () => {
    const written = async (name: string, value: string, mode = 0o600): Promise<string> => {
      const file = join(dir, name);
      await writeFile(file, `${value}\n`, { mode });
      return file;
    };

    it('with its client certificate, and gives the token back at the end', async () => {
      const backend = await open({ auth: { method: 'cert', role: vault.role } });
      expect(await verifies(backend)).toBe(true);
      expect(vault.tokens.size).toBe(1);
      await backend.close();
      expect(vault.tokens.size).toBe(0);
    });

    it('with the service account of its pod', async () => {
      const jwtFile = await written('jwt', vault.jwt, 0o644);
      expect(await verifies(await open({ auth: { method: 'kubernetes', role: vault.role, jwtFile } }))).toBe(
        true,
      );
    });

    it('with a token from a file, which it does not give back', async () => {
      const file = await written('token', vault.addToken({ ttl: 0, renewable: false }));
      const backend = await open({ auth: { method: 'token-file', file } });
      expect(await verifies(backend)).toBe(true);
      await backend.close();
      expect(vault.tokens.size).toBe(1);
    });

    it.each<[string, () => Promise<VaultAuth>, RegExp]>([
      [
        'a file that everybody can read',
        async () => {
          const file = await written('token', vault.addToken({ ttl: 0, renewable: false }));
          await chmod(file, 0o644);
          return { method: 'token-file', file };
        },
        /chmod o-rwx/,
      ],
      [
        'a file that is not there',
        async () => ({ method: 'token-file', file: join(dir, 'none') }),
        /cannot be read/,
      ],
      [
        'a file that holds something else',
        async () => ({ method: 'token-file', file: await written('token', 'two words') }),
        /holds no Vault token/,
      ],
      [
        'a token that ended',
        async () => ({ method: 'token-file', file: await written('token', 'hvs.ended') }),
        /403: permission denied/,
      ],
      ['an unknown role', async () => ({ method: 'cert', role: 'nobody' }), /invalid certificate/],
      [
        "another pod's account",
        async () => ({ method: 'kubernetes', role: vault.role, jwtFile: await written('jwt', 'a.b.c') }),
        /permission denied/,
      ],
    ])('not with %s', async (_what, auth, sentence) => {
      await expect(open({ auth: await auth() })).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringMatching(sentence),
      });
    });

    it('not without a certificate that Vault knows', async () => {
      await expect(open({ cert: undefined, key: undefined })).rejects.toMatchObject({
        code: 'misconfigured',
      });
    });
  });

  describe('has a token for as long as it runs', () => {
    it('renews it before it ends', async () => {
      // Long enough for a busy machine not to lose it while it opens.
      vault.login = { ttl: 9, renewable: true, maxTtl: 3_600 };
      const ends: (number | null)[] = [];
      const from = Date.now();
      const backend = await open({ onTokenEnd: (at) => ends.push(at) });
      expect(ends).toHaveLength(1);
      expect((ends[0] ?? 0) - from).toBeGreaterThanOrEqual(9_000);
      while ((vault.calls['token/renew-self'] ?? 0) < 1) await sleep(20);
      expect(await verifies(backend)).toBe(true);
      expect(vault.calls['cert/login']).toBe(1);
      while (ends.length < 2) await sleep(20);
      expect(ends[1]).toBeGreaterThan(ends[0] ?? Infinity);
      await backend.close();
      expect(ends.at(-1)).toBeNull();
    });

    it('logs in again when it cannot be renewed, before it ends', async () => {
      vault.login = { ttl: 2, renewable: false, maxTtl: 2 };
      const backend = await open();
      while ((vault.calls['cert/login'] ?? 0) < 2) {
        expect(await verifies(backend, 1)).toBe(true);
        await sleep(20);
      }
    });

    it('takes the token that somebody has put into the file since', async () => {
      const file = join(dir, 'token');
      // Long enough for a busy machine to write the other one before the first is checked again.
      await writeFile(file, vault.addToken({ ttl: 6, renewable: false }), { mode: 0o600 });
      const backend = await open({ auth: { method: 'token-file', file } });
      await writeFile(file, vault.addToken({ ttl: 0, renewable: false }));
      while ((vault.calls['token/lookup-self'] ?? 0) < 2) await sleep(20);
      vault.tokens.forEach((token, name) => token.ttl !== 0 && vault.tokens.delete(name));
      expect(await verifies(backend)).toBe(true);
    });

    it('logs in again when it was taken back, without a failed signature', async () => {
      const backend = await open();
      await sleep(1_000);
      vault.tokens.clear();
      expect(await Promise.all(Array.from({ length: 10 }, () => verifies(backend)))).not.toContain(false);
      // All refused requests share one login.
      expect(vault.calls['cert/login']).toBe(2);
    });

    it('does not log in again and again when it is not allowed to sign', async () => {
      const backend = await open();
      vault.always = { status: 403, errors: ['permission denied'] };
      for (let n = 0; n < 5; n++) {
        await expect(backend.sign(KID, messages(1))).rejects.toMatchObject({ code: 'signing_unavailable' });
      }
      expect(vault.calls['cert/login']).toBeLessThanOrEqual(2);
    });

    it('says when it is not renewed, without the token, and goes on with it', async () => {
      vault.login = { ttl: 2, renewable: true, maxTtl: 3_600 };
      const backend = await open();
      vault.sealed = true;
      while (said.length === 0) await sleep(20);
      vault.sealed = false;
      expect(said[0]).toMatch(/was not renewed: Vault answered 503: Vault is sealed/);
      expect(await verifies(backend)).toBe(true);
    });
  });

  describe('a kid is one version of a key', () => {
    it('and stays that when the key is rotated in Vault', async () => {
      const backend = await open();
      const before = backend.keys();
      vault.rotate(KID);
      expect(await verifies(backend)).toBe(true);
      expect(backend.keys()).toEqual(before);
    });

    it('which has to be said once there are several', async () => {
      vault.rotate(KID);
      await expect(open()).rejects.toMatchObject({
        code: 'key_refused',
        message: expect.stringContaining('has 2 versions'),
      });
      const both = await open({
        keys: [
          { kid: 'audit-v1', purposes: ['audit'], keyId: KID, keyVersion: 1 },
          { kid: 'audit-v2', purposes: ['audit'], keyId: KID, keyVersion: 2 },
        ],
      });
      const [first, second] = both.keys();
      expect([first?.keyVersion, second?.keyVersion]).toEqual(['1', '2']);
      expect(first?.publicKeyPem).not.toBe(second?.publicKeyPem);
      const [signature = new Uint8Array()] = await both.sign('audit-v1', messages(1));
      const [message = Buffer.alloc(0)] = messages(1);
      expect(verifyEd25519(importPublicKey(first?.publicKeyPem ?? ''), message, signature)).toBe(true);
    });

    it('and no other version is taken for it', async () => {
      const backend = await open();
      vault.rotate(KID);
      vault.always = 'newest-version';
      await expect(backend.sign(KID, messages(1))).rejects.toMatchObject({
        code: 'token_error',
        message: expect.stringContaining('something else than a signature by version 1'),
      });
    });
  });

  it.each<[string, Parameters<FakeTransit['addKey']>[1], RegExp]>([
    ['of another type', { type: 'ecdsa-p256' }, /is of the type ecdsa-p256/],
    ['that is derived', { derived: true }, /is derived/],
    ['that can be exported', { exportable: true }, /is exportable/],
    ['that can be backed up in plain text', { allow_plaintext_backup: true }, /plaintext backups/],
    ['that was imported', { imported_key: true }, /was imported/],
    ['whose version may not sign', { min_encryption_version: 2 }, /min_encryption_version/],
  ])('does not open with a key %s', async (_what, changes, sentence) => {
    vault.addKey('bad', changes);
    await expect(open({ keys: [{ kid: 'bad', purposes: ['audit'] }] })).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringMatching(sentence),
    });
  });

  it('does not open with a key that is not there, or one that signs wrongly', async () => {
    await expect(open({ keys: [{ kid: 'nobody', purposes: ['audit'] }] })).rejects.toMatchObject({
      code: 'unknown_key',
      message: expect.stringContaining('Vault has no key transit/keys/nobody'),
    });
    vault.faults = ['wrong-signature'];
    await expect(open()).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('self-test'),
    });
  });

  it('asks again for the items that failed, and for no other', async () => {
    const backend = await open();
    vault.faults = [
      { items: [0, 3], error: 'internal error' },
      { items: [1], error: 'internal error' },
    ];
    expect(await verifies(backend, 6)).toBe(true);
  });

  it('sends no more in a request than OpenBao takes, and asks again for the part that failed', async () => {
    const backend = await open();
    const before = vault.calls['sign'] ?? 0;
    vault.faults = [undefined, { status: 503 }];
    expect(await verifies(backend, 512)).toBe(true);
    expect((vault.calls['sign'] ?? 0) - before).toBe(3);
  });

  it('fails whole when an item stays unsigned, and says why', async () => {
    const backend = await open();
    vault.always = { items: [0], error: 'cannot reach the managed key' };
    await expect(backend.sign(KID, messages(6))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('cannot reach the managed key'),
    });
  });

  it.each([
    ['is throttled', { status: 429, retryAfter: 1 }],
    ['meets a standby', { status: 473 }],
    ['loses its connection', 'hangup'],
    ['gets something else than Vault', 'garbage'],
  ] as const)('makes a request again that %s', async (_what, fault) => {
    const backend = await open();
    vault.faults = [fault, fault];
    expect(await verifies(backend)).toBe(true);
  });

  it("gives OpenBao's reasons in one line", async () => {
    const backend = await open();
    vault.always = { status: 403, errors: ['1 error occurred:\n\t* permission denied\n\n'] };
    await expect(backend.sign(KID, messages(1))).rejects.toThrow(/: Vault answered 403: permission denied$/);
  });

  it('does not make a request again that is wrong', async () => {
    const backend = await open();
    const before = vault.calls['sign'] ?? 0;
    vault.always = { status: 400, errors: ['no handler for route'] };
    await expect(backend.sign(KID, messages(1))).rejects.toThrow('Vault answered 400: no handler for route');
    expect(vault.calls['sign']).toBe(before + 1);
  });

  it('has an address and a mount, or says what they look like', async () => {
    await expect(open({ address: 'https://localhost/v1' })).rejects.toMatchObject({ code: 'misconfigured' });
    await expect(open({ mount: '../sys' })).rejects.toMatchObject({ code: 'misconfigured' });
  });
});
