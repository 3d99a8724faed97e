import { existsSync } from 'node:fs';
import { chmod, lstat, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { importPublicKey, verifyEd25519 } from '#evidence';
import { describeWithSoftHsm, generateTokenKey, runWithToken, withTokenSession } from '#dev/testing';
import { Pkcs11Backend, type Pkcs11BackendOptions } from './pkcs11.backend';
import { type ProvisionedToken, provisionSoftHsm } from './provision-softhsm';

const KID = 'token-audit-v1';

/** Waits for a condition; the test's own time limit is the only clock. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(10);
}

describeWithSoftHsm('pkcs11 backend', () => {
  let dir: string;
  let token: ProvisionedToken;
  const opened: Pkcs11Backend[] = [];

  const open = async (options: Partial<Pkcs11BackendOptions> = {}): Promise<Pkcs11Backend> => {
    const backend = await Pkcs11Backend.open({ ...token, ...options });
    opened.push(backend);
    return backend;
  };
  const messages = (count: number) => Array.from({ length: count }, (_, n) => Buffer.from(`message ${n}`));

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'pkcs11-'));
    token = await provisionSoftHsm({ dir: join(dir, 'token'), keys: [{ kid: KID, purpose: 'audit' }] });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((backend) => backend.close()));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  describe('provisionSoftHsm', () => {
    it('keeps everything to its owner', async () => {
      expect((await lstat(join(dir, 'token'))).mode & 0o777).toBe(0o700);
      for (const file of ['pin', 'so-pin', 'softhsm2.conf']) {
        expect((await lstat(join(dir, 'token', file))).mode & 0o777).toBe(0o600);
      }
    });

    it('can be run again and adds only what is missing', async () => {
      const before = (await open()).keys()[0];
      const more = await provisionSoftHsm({
        dir: join(dir, 'token'),
        keys: [
          { kid: KID, purpose: 'audit' },
          { kid: 'token-manifest-v1', purpose: 'manifest' },
        ],
      });
      const keys = (await open(more)).keys();
      expect(keys[0]).toEqual(before);
      expect(keys[1]).toMatchObject({ kid: 'token-manifest-v1', purposes: ['manifest'] });
    });

    it('keeps the PIN it was made with', async () => {
      const pin = (await readFile(token.pinFile, 'utf8')).trim();
      await provisionSoftHsm({ dir: join(dir, 'token'), pin, keys: [] });
      await expect(
        provisionSoftHsm({ dir: join(dir, 'token'), pin: '424242', keys: [] }),
      ).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringContaining('another PIN'),
      });
    });

    it('says what to install when the module is missing', async () => {
      await expect(
        provisionSoftHsm({ dir: join(dir, 'none'), modulePath: join(dir, 'no.so'), keys: [] }),
      ).rejects.toMatchObject({
        code: 'misconfigured',
        message: expect.stringContaining('apt-get install softhsm2'),
      });
    });
  });

  it('gives a key only for what it was made for', async () => {
    await expect(open({ keys: [{ kid: KID, purposes: ['manifest'] }] })).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('was made for audit'),
    });
  });

  it.each([
    ['a key that could be copied', { extractable: true, sensitive: true }, 'CKA_EXTRACTABLE'],
    ['a key that can be read', { extractable: false, sensitive: false }, 'CKA_SENSITIVE'],
  ])('refuses %s', async (_what, attributes, named) => {
    const kid = `bad-${named}`;
    await generateTokenKey(token, kid, attributes);
    await expect(open({ keys: [{ kid, purposes: ['audit'] }] })).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining(named),
    });
  });

  it('refuses a key that was brought into the token', async () => {
    const kid = 'brought-in';
    await withTokenSession(
      token,
      `p.C_CreateObject(session, [{ type: 0, value: 2 }, { type: 0x100, value: 0x40 }, { type: 1, value: true },
         { type: 3, value: ${JSON.stringify(kid)} }, { type: 0x180, value: ED25519 },
         { type: 0x181, value: Buffer.concat([Buffer.from('0420', 'hex'), raw]) }]);
       p.C_CreateObject(session, [{ type: 0, value: 3 }, { type: 0x100, value: 0x40 }, { type: 1, value: true },
         { type: 3, value: ${JSON.stringify(kid)} }, { type: 0x108, value: true }, { type: 0x103, value: true },
         { type: 0x162, value: false }, { type: 0x180, value: ED25519 }, { type: 0x11, value: seed }]);`,
    );
    await expect(open({ keys: [{ kid, purposes: ['audit'] }] })).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringMatching(/CKA_(ALWAYS_SENSITIVE|NEVER_EXTRACTABLE|LOCAL)/),
    });
  });

  it('says what the token is, and that it signed the known vector rightly', async () => {
    const backend = await open();
    expect((await backend.health()).detail).toMatch(/SoftHSM .*known vector passed$/);
    expect(backend.keys()[0]?.protection).toBe('softhsm');
  });

  it('refuses SoftHSM in production, unless it is allowed', async () => {
    await expect(open({ production: true })).rejects.toMatchObject({
      code: 'refused_in_production',
      message: expect.stringContaining('KERNEL_ALLOW_SOFTHSM=true'),
    });
    const backend = await open({ production: true, allowSoftHsm: true });
    expect(backend.keys()[0]?.protection).toBe('softhsm');
  });

  it.each([
    ['an unknown key', { keys: [{ kid: 'nobody', purposes: ['audit' as const] }] }, 'unknown_key', 'nobody'],
    ['an unknown token', { tokenLabel: 'elsewhere' }, 'misconfigured', '"elsewhere"'],
    ['a module that is none', { modulePath: __filename }, 'misconfigured', 'cannot be loaded'],
    [
      'a module without configuration',
      // Below a file there is nothing.
      { environment: { SOFTHSM2_CONF: `${__filename}/softhsm2.conf` } },
      'misconfigured',
      'SOFTHSM2_CONF',
    ],
  ])('says in one sentence that there is %s', async (_what, options, code, named) => {
    await expect(open(options)).rejects.toMatchObject({ code, message: expect.stringContaining(named) });
  });

  it('tries a wrong PIN once and says so', async () => {
    const pinFile = join(dir, 'wrong-pin');
    await writeFile(pinFile, '9999\n', { mode: 0o600 });
    await expect(open({ pinFile })).rejects.toMatchObject({
      code: 'misconfigured',
      message: expect.stringContaining('CKR_PIN_INCORRECT'),
    });
    await chmod(pinFile, 0o644);
    await expect(open({ pinFile })).rejects.toMatchObject({ message: expect.stringContaining('chmod 0600') });
  });

  it('does not try again with a PIN that has become wrong, and goes on with the sessions it has', async () => {
    const pinFile = join(dir, 'changing-pin');
    await writeFile(pinFile, await readFile(token.pinFile), { mode: 0o600 });
    const said: string[] = [];
    const backend = await open({ pinFile, onTrouble: (sentence) => said.push(sentence) });
    await writeFile(pinFile, '9999\n');
    const [first, second] = backend.processIds();
    process.kill(first ?? 0, 'SIGKILL');
    await until(() => said.some((sentence) => sentence.includes('CKR_PIN_INCORRECT')));
    expect(await backend.sign(KID, messages(20))).toHaveLength(20);
    expect(backend.processIds()).toEqual([second]);
    process.kill(second ?? 0, 'SIGKILL');
    await until(() => backend.processIds().length === 0);
    await expect(backend.sign(KID, messages(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('correct the PIN file'),
    });
    expect(said.filter((sentence) => sentence.includes('CKR_PIN_INCORRECT'))).toHaveLength(1);
  });

  it('shows the PIN in no argument and no environment', async () => {
    const pin = (await readFile(token.pinFile, 'utf8')).trim();
    const backend = await open();
    expect(backend.processIds()).toHaveLength(2);
    for (const pid of backend.processIds()) {
      for (const file of ['cmdline', 'environ']) {
        expect(await readFile(`/proc/${pid}/${file}`, 'latin1')).not.toContain(pin);
      }
    }
  });

  it('leaves a session in which an operation is stuck', async () => {
    // On the real module: an operation is begun without the session's knowledge, as a failed one would leave it.
    const script = `
      import pkcs11js from 'pkcs11js';
      import { readPin, TokenSession } from ${JSON.stringify(pathToFileURL(join(__dirname, 'pkcs11-token.process.ts')).href)};
      const p = new pkcs11js.PKCS11();
      p.load(${JSON.stringify(token.modulePath)});
      p.C_Initialize({ flags: 2 });
      const sessions = [];
      const watched = new Proxy(p, {
        get: (target, name) => (...args) => {
          const result = target[name](...args);
          if (name === 'C_OpenSession') sessions.push(result);
          return result;
        },
      });
      const session = new TokenSession(watched, ${JSON.stringify(token.tokenLabel)}, () => readPin(${JSON.stringify(token.pinFile)}));
      session.sign(${JSON.stringify(KID)}, [Buffer.from('one')]);
      p.C_FindObjectsInit(sessions[0], [{ type: 0, value: 3 }, { type: 3, value: ${JSON.stringify(KID)} }]);
      const [key] = p.C_FindObjects(sessions[0], 1);
      p.C_FindObjectsFinal(sessions[0]);
      const stuck = () => p.C_SignInit(sessions[0], { mechanism: 0x1057 }, key);
      stuck();
      let reason = '';
      try { stuck(); } catch (error) { reason = error.message; }
      const signatures = session.sign(${JSON.stringify(KID)}, [Buffer.from('two')]);
      process.stdout.write(JSON.stringify({ reason, sessions: sessions.length, bytes: signatures.length }));
      process.exit(0);
    `;
    const { stdout } = await runWithToken(token, ['--no-warnings', '--input-type=module', '-e', script]);
    expect(JSON.parse(stdout)).toEqual({ reason: 'CKR_OPERATION_ACTIVE', sessions: 2, bytes: 64 });
  });

  it('loses no signature when a token process is killed under load, and replaces it', async () => {
    const backend = await open();
    const before = backend.processIds();
    const key = importPublicKey(backend.keys()[0]?.publicKeyPem ?? '');
    let stop = false;
    let done = 0;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) {
          const batch = messages(20);
          const signatures = await backend.sign(KID, batch);
          batch.forEach((message, n) =>
            expect(verifyEd25519(key, message, signatures[n] ?? message)).toBe(true),
          );
          done++;
        }
      }),
    );
    await until(() => done > 10);
    process.kill(before[0] ?? 0, 'SIGKILL');
    await until(() => backend.processIds().length === 2 && !backend.processIds().includes(before[0] ?? 0));
    const later = done + 10;
    await until(() => done > later);
    stop = true;
    await load;
  });

  it('gives up a process that hangs, and is back when it was replaced', async () => {
    const backend = await open({ processes: 1, operationTimeoutMs: 200 });
    const [pid] = backend.processIds();
    process.kill(pid ?? 0, 'SIGSTOP');
    await expect(backend.sign(KID, messages(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringContaining('200 ms'),
    });
    expect((await backend.health()).ok).toBe(false);
    await until(async () => (await backend.health()).ok);
    expect(backend.processIds()).not.toContain(pid);
    expect(await backend.sign(KID, messages(1))).toHaveLength(1);
  });

  it('leaves no process behind', async () => {
    const backend = await open();
    const pids = backend.processIds();
    await backend.close();
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
  });
});
