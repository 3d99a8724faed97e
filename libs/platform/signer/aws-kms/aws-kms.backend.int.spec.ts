import { importPublicKey, verifyEd25519 } from '#evidence';
import { defineConfig, loadConfig, text } from '#platform/process';
import { FakeAwsKms } from '#dev/testing';
import { AwsKmsBackend, type AwsKmsBackendOptions } from './aws-kms.backend';

const KID = 'kms-audit-v1';
const messages = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) => Buffer.from(`message ${n}`));

describe('aws-kms backend', () => {
  let kms: FakeAwsKms;
  const opened: AwsKmsBackend[] = [];
  const open = async (options: Partial<AwsKmsBackendOptions> = {}): Promise<AwsKmsBackend> => {
    const backend = await AwsKmsBackend.open({
      keys: [{ kid: KID, purposes: ['audit'] }],
      ...kms.access,
      retries: { firstPauseMs: 1, longestPauseMs: 2 },
      // No busy machine takes longer.
      requestTimeoutMs: 20_000,
      ...options,
    });
    opened.push(backend);
    return backend;
  };

  beforeEach(async () => {
    kms = await new FakeAwsKms().start();
    kms.addKey(KID);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((backend) => backend.close()));
    await kms.stop();
  });

  it('takes a key by alias, id or ARN, and holds on to the key it found', async () => {
    const key = kms.keys[0];
    const backend = await open();
    expect(backend.keys()).toMatchObject([
      { kid: KID, keyVersion: key?.id, protection: 'kms', createdAt: '2026-01-31T10:00:00.000Z' },
    ]);
    for (const keyId of [key?.id, key?.arn, key?.alias]) {
      expect(
        (await open({ keys: [{ kid: 'other', purposes: ['audit'], keyId }] })).keys()[0]?.keyVersion,
      ).toBe(key?.id);
    }
    // The alias now points elsewhere: signatures under this name still come from this key.
    if (key) key.alias = 'alias/former';
    kms.addKey(KID);
    const [message = Buffer.alloc(0)] = messages(1);
    const [signature = message] = await backend.sign(KID, [message]);
    expect(verifyEd25519(importPublicKey(backend.keys()[0]?.publicKeyPem ?? ''), message, signature)).toBe(
      true,
    );
  });

  it.each<[string, Parameters<FakeAwsKms['addKey']>[1], string, string]>([
    ['another curve', { spec: 'ECC_NIST_P256' }, 'key_refused', 'is of the spec ECC_NIST_P256'],
    ['another usage', { usage: 'KEY_AGREEMENT' }, 'key_refused', 'is for KEY_AGREEMENT'],
    ['a disabled key', { state: 'Disabled' }, 'key_refused', 'is in the state Disabled'],
    ['a key that is to be deleted', { state: 'PendingDeletion' }, 'key_refused', 'cancel its deletion'],
    ['an imported key', { origin: 'EXTERNAL' }, 'key_refused', 'was imported'],
  ])('does not open with %s', async (_what, changes, code, words) => {
    kms.addKey('bad', changes);
    await expect(open({ keys: [{ kid: 'bad', purposes: ['audit'] }] })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
    });
  });

  it('does not open with a key that is not there, and says what to do', async () => {
    await expect(open({ keys: [{ kid: 'nobody', purposes: ['audit'] }] })).rejects.toMatchObject({
      code: 'unknown_key',
      message: expect.stringContaining('AWS KMS has no key alias/nobody for nobody'),
    });
  });

  it.each([
    ['an unknown account', { accessKeyId: 'AKIDSOMEBODYELSE', secretAccessKey: 'x' }],
    [
      'a wrong secret',
      { accessKeyId: 'AKIDFAKEKMSTEST', secretAccessKey: 'guessed-secret', sessionToken: 'TOKEN-TO-HIDE' },
    ],
  ])('says that its credentials are not taken, and nothing of them: %s', async (_what, credentials) => {
    const error = await open({ credentials }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'misconfigured',
      message: expect.stringContaining('takes no credentials'),
    });
    expect(String(error)).not.toMatch(/guessed-secret|TOKEN-TO-HIDE/);
  });

  it('refuses a key that signs wrongly, before it is used', async () => {
    kms.faults = ['wrong-signature'];
    await expect(open()).rejects.toMatchObject({
      code: 'key_refused',
      message: expect.stringContaining('self-test'),
    });
  });

  it('has a bounded number of calls under way, of all batches together', async () => {
    const backend = await open({ concurrency: 5 });
    kms.latencyMs = 5;
    await Promise.all(Array.from({ length: 4 }, () => backend.sign(KID, messages(20))));
    expect(kms.mostAtOnce).toBe(5);
  });

  it.each([
    ['is throttled', { error: 'ThrottlingException' }],
    ['fails inside KMS', { error: 'KMSInternalException', status: 500 }],
    ['depends on what is slow', { error: 'DependencyTimeoutException', status: 503 }],
    ['loses its connection', 'hangup'],
  ] as const)('makes a call again that %s', async (_what, fault) => {
    const backend = await open();
    const before = kms.calls['Sign'] ?? 0;
    kms.faults = [undefined, fault, fault];
    expect(await backend.sign(KID, messages(4))).toHaveLength(4);
    expect(kms.calls['Sign']).toBe(before + 6);
  });

  it('makes a call again that hangs', async () => {
    const backend = await open({ requestTimeoutMs: 50 });
    kms.faults = ['silence'];
    expect(await backend.sign(KID, messages(2))).toHaveLength(2);
  });

  it('does not make a call again that would end the same', async () => {
    const backend = await open();
    const before = kms.calls['Sign'] ?? 0;
    kms.always = { error: 'DisabledException', message: 'the key is disabled.' };
    await expect(backend.sign(KID, messages(1))).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: `AWS KMS did not sign with ${KID}: DisabledException: the key is disabled.`,
    });
    expect(kms.calls['Sign']).toBe(before + 1);
  });

  it('gives up the rest of a batch as soon as one of it failed', async () => {
    const backend = await open({ concurrency: 2 });
    const before = kms.calls['Sign'] ?? 0;
    kms.faults = [undefined, undefined, { error: 'KMSInvalidStateException' }];
    await expect(backend.sign(KID, messages(200))).rejects.toMatchObject({ code: 'signing_unavailable' });
    expect((kms.calls['Sign'] ?? 0) - before).toBeLessThan(10);
    expect(await backend.sign(KID, messages(3))).toHaveLength(3);
  });

  it('stops when nobody waits any more', async () => {
    const backend = await open({ concurrency: 2 });
    kms.always = 'silence';
    const nobody = AbortSignal.timeout(50);
    await expect(backend.sign(KID, messages(50), nobody)).rejects.toThrow();
    kms.always = undefined;
    expect(await backend.sign(KID, messages(3))).toHaveLength(3);
  });

  it('keeps to the quota of the account, or fails as a whole', async () => {
    const backend = await open({ retries: { attempts: 1 } });
    kms.quota = 10;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () => backend.sign(KID, messages(5))),
    );
    const said = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? `${outcome.value.length} signed` : String(outcome.reason),
    );
    expect(said).toContainEqual(expect.stringContaining('ThrottlingException'));
    expect(said.filter((words) => words !== '5 signed' && !words.includes('ThrottlingException'))).toEqual(
      [],
    );
  });

  it.each([0, 4_097])('does not send a message of %i bytes', async (size) => {
    const backend = await open();
    await expect(backend.sign(KID, [Buffer.from('good'), Buffer.alloc(size)])).rejects.toMatchObject({
      code: 'invalid_request',
      details: { index: 1 },
    });
  });
});

const { awsKmsTestKeyId } = loadConfig(
  defineConfig({
    AWS_KMS_TEST_KEY_ID: {
      schema: text().optional(),
      description:
        'An Ed25519 key in the real AWS KMS to test against, with the credentials and region of the SDK.',
    },
  }),
);
const real = awsKmsTestKeyId === undefined ? describe.skip : describe;
real(
  awsKmsTestKeyId === undefined
    ? 'aws-kms backend on AWS (skipped: AWS_KMS_TEST_KEY_ID names no key there)'
    : 'aws-kms backend on AWS',
  () => {
    it('signs what node:crypto verifies, and takes 4,096 bytes', async () => {
      const backend = await AwsKmsBackend.open({
        keys: [{ kid: KID, purposes: ['audit'], keyId: awsKmsTestKeyId }],
      });
      try {
        const key = importPublicKey(backend.keys()[0]?.publicKeyPem ?? '');
        const batch = [...messages(20), Buffer.alloc(4_096, 7)];
        const signatures = await backend.sign(KID, batch);
        batch.forEach((message, n) =>
          expect(verifyEd25519(key, message, signatures[n] ?? message)).toBe(true),
        );
        expect(await backend.health()).toMatchObject({ ok: true });
      } finally {
        await backend.close();
      }
    });
  },
);
