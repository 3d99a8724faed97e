import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type KeyInfo, type SigningBackend } from '#platform/signer';
import { AUDIT, MANIFEST, openSoftware, type ProxyFixture, startProxyFixture } from './proxy.fixture';
import { operatorEnvironment, type ProcedureRun, runProcedure } from './shell-procedure.fixture';

describe('ci/require_kms_check.sh', () => {
  let fixture: ProxyFixture;
  let dir: string;
  let environment: Record<string, string>;
  /** What the proxy says about its keys and its health. */
  let told: (keys: readonly KeyInfo[]) => readonly KeyInfo[];
  let healthy: boolean;

  const check = (changes: Record<string, string> = {}, args: string[] = []): Promise<ProcedureRun> =>
    runProcedure('ci/require_kms_check.sh', args, {
      ...environment,
      REQUIRE_KMS: 'true',
      KMS_ENDPOINT: fixture.url,
      ...changes,
    });
  const keptAs =
    (...protections: KeyInfo['protection'][]) =>
    (keys: readonly KeyInfo[]): readonly KeyInfo[] =>
      keys.map((key, n) => ({ ...key, protection: protections[n % protections.length] ?? 'unstated' }));

  beforeAll(async () => {
    fixture = await startProxyFixture({
      open: async (folder): Promise<SigningBackend> => {
        const real = await openSoftware(folder);
        return {
          name: 'told',
          keys: () => told(real.keys()),
          sign: (...args) => real.sign(...args),
          health: async () => ({ ok: healthy, detail: 'as told' }),
          close: () => real.close(),
        };
      },
    });
    dir = await mkdtemp(join(tmpdir(), 'require-kms-'));
    environment = await operatorEnvironment(fixture, dir);
  });
  /** The proxy gives one health check to all callers within half a second. */
  const healthIs = async (ok: boolean): Promise<void> => {
    healthy = ok;
    const ask = () => fixture.call({ method: 'GET', path: '/v1/health' });
    while ((await ask()).body.ok !== ok) await sleep(20);
  };
  beforeEach(async () => {
    told = keptAs('kms');
    await healthIs(true);
  });
  afterAll(async () => {
    await fixture.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it.each(['', 'false'])('passes without asking anybody when REQUIRE_KMS is "%s"', async (value) => {
    const nothing = { REQUIRE_KMS: value, KMS_ENDPOINT: '', KERNEL_CA_CERT: '' };
    expect(await check(nothing)).toMatchObject({ code: 0, stdout: expect.stringContaining('not required') });
  });

  it('fails when a KMS is required and there is none', async () => {
    expect(await check({ KMS_ENDPOINT: '' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('KMS_ENDPOINT is not set'),
    });
  });

  it('goes by the other names of the same settings too', async () => {
    const others = { REQUIRE_KMS: '', KMS_ENDPOINT: '', REQUIRE_SIGNING_PROXY: 'true' };
    expect(await check({ ...others, SIGNING_PROXY_URL: fixture.url })).toMatchObject({ code: 0, stderr: '' });
    told = keptAs('software');
    expect((await check({ ...others, SIGNING_PROXY_URL: fixture.url })).code).toBe(1);
    expect((await check({ ...others, REQUIRE_KMS: 'false', SIGNING_PROXY_URL: fixture.url })).code).toBe(1);
    expect(await check(others)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not set') });
  });

  it('passes when all keys are in an HSM or a KMS', async () => {
    told = keptAs('hsm', 'kms');
    const { code, stdout, stderr } = await check({ SIGNER_ID: AUDIT });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`${AUDIT}: software, hsm`);
    expect(stdout).toContain(`${MANIFEST}: software, kms`);
  });

  it.each([
    [
      'one key is in files',
      () => (told = keptAs('kms', 'software')),
      `key ${MANIFEST} (software) is kept as "software"`,
    ],
    ['a token is SoftHSM', () => (told = keptAs('softhsm')), 'is kept as "softhsm"'],
    ['it is not said how a key is kept', () => (told = keptAs('unstated')), 'is kept as "unstated"'],
    ['a backend does not sign', () => healthIs(false), 'cannot sign now'],
    [
      'there is no key for manifests',
      () => (told = (keys) => keptAs('kms')(keys.slice(0, 1))),
      'no key for manifest',
    ],
    ['there is no key at all', () => (told = () => []), 'holds no key'],
  ])('fails when %s', async (_what, arrange, sentence) => {
    await arrange();
    const { code, stderr } = await check();
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(sentence) });
  });

  it('takes SoftHSM where that is said outright', async () => {
    told = keptAs('softhsm');
    expect(await check({ KERNEL_ALLOW_SOFTHSM: 'true' })).toMatchObject({ code: 0, stderr: '' });
    told = keptAs('softhsm', 'software');
    expect(await check({ KERNEL_ALLOW_SOFTHSM: 'true' })).toMatchObject({ code: 1 });
  });

  it('fails when the key it is to sign with is not there', async () => {
    for (const SIGNER_ID of ['elsewhere', MANIFEST]) {
      expect(await check({ SIGNER_ID })).toMatchObject({
        code: 1,
        stderr: expect.stringContaining(`SIGNER_ID names ${SIGNER_ID}`),
      });
    }
  });

  it('fails when nobody answers, or somebody else', async () => {
    expect((await check({ KMS_ENDPOINT: 'https://localhost:1' })).code).toBe(1);
    expect((await check({ KERNEL_CA_CERT: join(dir, 'cert.pem') })).code).toBe(1);
    expect((await check({ KMS_ENDPOINT: `${fixture.url}/elsewhere` })).code).toBe(1);
  });

  it.each([
    ['REQUIRE_KMS is neither', { REQUIRE_KMS: 'True' }, [], /REQUIRE_KMS has to be true or false/],
    [
      'REQUIRE_SIGNING_PROXY is neither',
      { REQUIRE_SIGNING_PROXY: '1' },
      [],
      /REQUIRE_SIGNING_PROXY has to be/,
    ],
    ['two proxies are named', { SIGNING_PROXY_URL: 'https://elsewhere' }, [], /name two signing proxies/],
    ['the allowance is neither', { KERNEL_ALLOW_SOFTHSM: 'yes' }, [], /KERNEL_ALLOW_SOFTHSM/],
    ['there is no certificate', { KERNEL_OPERATOR_CERT: '' }, [], /KERNEL_OPERATOR_CERT/],
    ['there is an argument', {}, ['--now'], /unknown argument: --now/],
  ])('says what is wrong with the use when %s', async (_what, changes, args, sentence) => {
    expect(await check(changes, args)).toMatchObject({ code: 2, stderr: expect.stringMatching(sentence) });
  });
});
