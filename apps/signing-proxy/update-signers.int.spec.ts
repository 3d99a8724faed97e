import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSignersFile, type SignerEntry } from '#evidence';
import { AUDIT, CHECKPOINT, MANIFEST, ORIGIN, type ProxyFixture, startProxyFixture } from './proxy.fixture';
import { operatorEnvironment, type ProcedureRun, runProcedure } from './shell-procedure.fixture';

describe('scripts/update-signers-from-kms.sh', () => {
  let fixture: ProxyFixture;
  let dir: string;
  let out: string;
  let environment: Record<string, string>;

  const run = (args: string[] = ['--out', out], extra: Record<string, string> = {}): Promise<ProcedureRun> =>
    runProcedure('scripts/update-signers-from-kms.sh', args, { ...environment, ...extra });
  const read = async () => parseSignersFile(await readFile(out, 'utf8'));
  const write = (value: unknown) => writeFile(out, JSON.stringify(value));
  const old: SignerEntry = {
    signer_kid: 'retired-audit-v0',
    algorithm: 'ed25519',
    public_key_pem: generateKeyPairSync('ed25519')
      .publicKey.export({ format: 'pem', type: 'spki' })
      .toString(),
    deployedAt: '2025-01-01T00:00:00.000Z',
    description: 'the one before',
    purposes: ['audit'],
    status: 'retired',
    retiredAt: '2026-01-01T00:00:00.000Z',
    compromisedAt: null,
  };

  beforeAll(async () => {
    fixture = await startProxyFixture();
    dir = await mkdtemp(join(tmpdir(), 'update-signers-'));
    environment = await operatorEnvironment(fixture, dir);
  });
  beforeEach(async () => {
    await mkdir(join(dir, 'out'));
    out = join(dir, 'out', 'signers.json');
  });
  afterEach(async () => {
    // Whatever happened, no draft is left beside the file.
    expect((await readdir(join(dir, 'out'))).filter((name) => name !== 'signers.json')).toEqual([]);
    await rm(join(dir, 'out'), { recursive: true });
  });
  afterAll(async () => {
    await fixture.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('writes what the verifier reads', async () => {
    expect(await run()).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`added    ${AUDIT}`),
    });
    expect(await read()).toEqual({
      origin: ORIGIN,
      signers: fixture.backend.keys().map((key) => ({
        signer_kid: key.kid,
        algorithm: 'ed25519',
        public_key_pem: key.publicKeyPem,
        deployedAt: key.createdAt,
        description: `${key.purposes.join()} key, software backend`,
        purposes: key.purposes,
        status: 'active',
        retiredAt: null,
        compromisedAt: null,
      })),
    });
    expect((await stat(out)).mode & 0o777).toBe(0o644);
  });

  it('takes the names of the kernel process too', async () => {
    const names = {
      KMS_ENDPOINT: `${fixture.url}/`,
      KMS_CA_FILE: join(dir, 'ca.pem'),
      KMS_CLIENT_CERT_FILE: join(dir, 'cert.pem'),
      KMS_CLIENT_KEY_FILE: join(dir, 'key.pem'),
    };
    const others = Object.fromEntries(Object.keys(environment).map((name) => [name, '/nonexistent/file']));
    expect(await run(undefined, { ...others, ...names })).toMatchObject({ code: 0 });
  });

  it('leaves a file that is up to date alone', async () => {
    await run();
    const before = await stat(out);
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringContaining('is up to date') });
    expect((await stat(out)).ino).toBe(before.ino);
  });

  it('keeps keys of the past, what was noted about keys, and members it does not know', async () => {
    await run();
    const { signers } = await read();
    const noted = {
      ...signers[0],
      description: 'ours',
      deployedAt: '2025-06-01T00:00:00.000Z',
      ticket: 'OPS-1',
    };
    await write({ origin: ORIGIN, note: 'by hand', signers: [old, noted] });
    expect(await run()).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`kept     ${old.signer_kid}`),
    });
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual({
      origin: ORIGIN,
      note: 'by hand',
      signers: [
        old,
        noted,
        expect.objectContaining({ signer_kid: MANIFEST }),
        expect.objectContaining({ signer_kid: CHECKPOINT }),
      ],
    });
  });

  it('removes keys of the past only when it is told to', async () => {
    await write({ origin: ORIGIN, signers: [old] });
    expect(await run(['--prune', '--out', out])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('removed'),
    });
    expect((await read()).signers.map(({ signer_kid }) => signer_kid)).toEqual([AUDIT, MANIFEST, CHECKPOINT]);
  });

  it('refuses a file that has one of the keys under another name, which no verifier would read', async () => {
    const [key] = fixture.backend.keys();
    const value = { origin: ORIGIN, signers: [{ ...old, public_key_pem: key?.publicKeyPem }] };
    await write(value);
    expect(await run()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`${AUDIT} is the same key as ${old.signer_kid}`),
    });
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(value);
  });

  it('completes a file in the deployment guide’s first format', async () => {
    const [key] = fixture.backend.keys();
    const entry = {
      signer_kid: AUDIT,
      algorithm: 'ed25519',
      public_key_pem: key?.publicKeyPem,
      deployedAt: '2025-01-01T00:00:00Z',
      description: 'Primary staging signer',
    };
    await write({ signers: [entry] });
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringContaining(`changed  ${AUDIT}`) });
    expect((await read()).signers[0]).toMatchObject({ ...entry, purposes: ['audit'], status: 'active' });
  });

  describe('changes nothing and fails', () => {
    const refused = async (
      content: string,
      promise: Promise<ProcedureRun>,
      sentence: RegExp,
    ): Promise<void> => {
      const { code, stderr } = await promise;
      expect(stderr).toMatch(sentence);
      expect(code).toBe(1);
      expect(await readFile(out, 'utf8').catch(() => '')).toBe(content);
    };

    it('when a key is another one under its old name', async () => {
      const content = JSON.stringify({ origin: ORIGIN, signers: [{ ...old, signer_kid: AUDIT }] });
      await writeFile(out, content);
      await refused(content, run(), /a new key needs a new name/);
    });

    it("when the file is another kernel's", async () => {
      const content = JSON.stringify({ origin: 'kernel.example.com/other', signers: [] });
      await writeFile(out, content);
      await refused(content, run(), /belongs to kernel\.example\.com\/other/);
    });

    it('when the file is damaged', async () => {
      await writeFile(out, '{"signers": [');
      await refused('{"signers": [', run(), /is not JSON/);
    });

    it('when nobody listens', async () => {
      await refused('', run(undefined, { KMS_ENDPOINT: 'https://localhost:1' }), /did not give its keys/);
    });

    it('when the proxy is not signed by the authority', async () => {
      await refused('', run(undefined, { KMS_CA_FILE: join(dir, 'cert.pem') }), /did not give its keys/);
    });

    it('without TLS', async () => {
      const { managementPort } = fixture.proxy;
      await refused(
        '',
        run(undefined, { KMS_ENDPOINT: `http://127.0.0.1:${managementPort}` }),
        /did not give its keys/,
      );
    });

    it('when something else answers', async () => {
      await refused(
        '',
        run(undefined, { KMS_ENDPOINT: `${fixture.url}/elsewhere` }),
        /did not give its keys/,
      );
    });
  });

  it.each([
    ['an unknown argument', ['--output', 'x'], {}, /unknown argument: --output/],
    ['--out without a name', ['--out'], {}, /--out needs/],
    ['no endpoint', undefined, { KERNEL_SIGNING_PROXY_URL: '' }, /KMS_ENDPOINT/],
    ['no certificate', undefined, { KERNEL_OPERATOR_CERT: '' }, /KERNEL_OPERATOR_CERT/],
    [
      'a key that cannot be read',
      undefined,
      { KERNEL_OPERATOR_KEY: '/nonexistent/file' },
      /\/nonexistent\/file cannot be read/,
    ],
  ])('says what is wrong with the use: %s', async (_what, args, extra, sentence) => {
    expect(await run(args, extra)).toMatchObject({ code: 2, stderr: expect.stringMatching(sentence) });
  });

  it('explains itself', async () => {
    expect(await run(['--help'])).toMatchObject({ code: 0, stdout: expect.stringContaining('--prune') });
  });
});
