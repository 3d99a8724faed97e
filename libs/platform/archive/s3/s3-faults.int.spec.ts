import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { sha256Hex } from '#evidence';
import { describeWithS3, type TestBucket, TestCa, withS3 } from '#dev/testing';
import { type AttemptLimits } from './attempts';
import { S3Archive, type S3ArchiveOptions } from './s3-archive';
import { type Archive, MAX_OBJECT_BYTES } from '../archive';
import { ArchiveError } from '../archive.error';
import { type Fate, ScriptedWire } from '../fixtures/scripted-wire.fixture';

/** Pauses that a test need not wait for. */
const FAST: AttemptLimits = { attempts: 4, timeoutMs: 5_000, firstPauseMs: 1, maxPauseMs: 5 };

async function errorOf(promise: Promise<unknown>): Promise<ArchiveError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ArchiveError)) throw new Error(`expected an ArchiveError, got ${String(error)}`);
  return error;
}

describeWithS3('the S3 archive on a bad day', () => {
  const s3 = withS3();
  let bucket: TestBucket;
  let wire: ScriptedWire;
  let key: string;
  const opened: Archive[] = [];
  const bytes = Buffer.from('{"canonical":"bytes"}');

  beforeAll(async () => {
    bucket = await s3().createBucket();
  });
  beforeEach(async () => {
    wire = await ScriptedWire.open(s3().endpoint);
    key = `audit/2026/11/23/${randomBytes(8).toString('hex')}.json`;
  });
  afterEach(async () => {
    await wire.close();
    await Promise.all(opened.splice(0).map((archive) => archive.close()));
  });

  async function openArchive(
    limits: Partial<AttemptLimits> = {},
    options: Partial<S3ArchiveOptions> = {},
  ): Promise<S3Archive> {
    const archive = await S3Archive.open({
      bucket: bucket.name,
      region: s3().region,
      endpoint: wire.endpoint,
      credentials: bucket.owner,
      retention: { mode: 'GOVERNANCE', days: 1 },
      attempts: { ...FAST, ...limits },
      ...options,
    });
    opened.push(archive);
    return archive;
  }

  /** The first requests meet these fates, all others pass. */
  function firstMeet(...fates: Fate[]): void {
    wire.fate = (_, number) => fates[number - 1] ?? 'pass';
  }

  it('asks with a condition, a SHA-256 and a lock in the one request that stores', async () => {
    const archive = await openArchive();
    expect(await archive.putDocument(key, bytes)).toBe('stored');
    expect(wire.seen).toHaveLength(1);
    expect(wire.seen[0]).toMatchObject({
      method: 'PUT',
      headers: {
        'if-none-match': '*',
        'x-amz-checksum-sha256': Buffer.from(sha256Hex(bytes), 'hex').toString('base64'),
        'x-amz-object-lock-mode': 'GOVERNANCE',
        'x-amz-object-lock-retain-until-date': expect.stringMatching(/^20/),
        'content-length': String(bytes.length),
      },
    });
  });

  it.each<[string, Fate[]]>([
    [
      'it is overloaded',
      [
        { status: 503, code: 'SlowDown' },
        { status: 429, code: 'TooManyRequests' },
      ],
    ],
    ['it fails inside', [{ status: 500, code: 'InternalError' }, { status: 502 }, { status: 504 }]],
    ['another upload of the key is under way', [{ status: 409, code: 'ConditionalRequestConflict' }]],
    ['bytes are damaged on the way', ['damage', 'damage']],
  ])('tries again when %s', async (_, fates) => {
    firstMeet(...fates);
    const archive = await openArchive();
    expect(await archive.putDocument(key, bytes)).toBe('stored');
    expect(wire.seen).toHaveLength(fates.length + 1);
    expect(Buffer.from((await archive.get(key)) as Uint8Array)).toEqual(bytes);
  });

  it('finds its own object when the answer to storing it was lost', async () => {
    firstMeet('lose-answer');
    const archive = await openArchive();
    expect(await archive.putDocument(key, bytes)).toBe('already');
  });

  it('gives up after the attempts it has, and says how many', async () => {
    wire.fate = () => ({ status: 503, code: 'SlowDown' });
    const archive = await openArchive();
    const error = await errorOf(archive.putDocument(key, bytes));
    expect(error).toMatchObject({
      code: 'unavailable',
      details: { attempts: 4, s3: 'SlowDown', status: 503, key },
      cause: { name: 'SlowDown', status: 503 },
    });
    expect(error.message).toContain('in 4 attempts');
    expect(wire.seen).toHaveLength(4);
  });

  it.each<[string, Fate, string]>([
    ['a right is lacking', { status: 403, code: 'AccessDenied' }, 'access_denied'],
    ['the server does not know how', { status: 501, code: 'NotImplemented' }, 'unsupported'],
    ['the request is refused', { status: 400, code: 'InvalidRequest' }, 'unavailable'],
  ])('does not repeat what cannot help: %s', async (_, fate, code) => {
    wire.fate = () => fate;
    const archive = await openArchive();
    expect(await errorOf(archive.putDocument(key, bytes))).toMatchObject({ code });
    expect(wire.seen).toHaveLength(1);
  });

  it('never believes that damaged bytes were stored', async () => {
    wire.fate = () => 'damage';
    const archive = await openArchive();
    expect(await errorOf(archive.putDocument(key, bytes))).toMatchObject({ code: 'corrupt_object' });
    wire.fate = () => 'pass';
    expect(await archive.get(key)).toBeNull();
  });

  it('reads back what a server stored without confirming its checksum', async () => {
    const archive = await openArchive();
    await archive.putDocument(key, bytes);
    wire.fate = ({ method }) => (method === 'PUT' ? { status: 200, body: '' } : 'pass');
    expect(await archive.putDocument(key, bytes)).toBe('stored');
    expect(wire.seen.at(-1)?.method).toBe('GET');
    expect(await errorOf(archive.putDocument(key, Buffer.from('2')))).toMatchObject({
      code: 'corrupt_object',
    });
  });

  it('does not wait for a server that says nothing', async () => {
    wire.fate = () => 'silence';
    const archive = await openArchive({ attempts: 2, timeoutMs: 150 });
    const began = performance.now();
    expect(await errorOf(archive.get(key))).toMatchObject({
      code: 'unavailable',
      details: { attempts: 2, s3: 'AttemptTimeout' },
    });
    const ms = performance.now() - began;
    expect(ms).toBeGreaterThan(290);
    expect(ms).toBeLessThan(5_000);
  });

  it('dates its next attempt by the clock of a server that finds this one wrong', async () => {
    const hourAhead = new Date(Date.now() + 3_600_000);
    const confirmed = Buffer.from(sha256Hex(bytes), 'hex').toString('base64');
    firstMeet(
      { status: 403, code: 'RequestTimeTooSkewed', headers: { date: hourAhead.toUTCString() } },
      { status: 200, headers: { 'x-amz-checksum-sha256': confirmed } },
      // Requested through the SDK, which has the same clock.
      { status: 404, code: 'NoSuchKey' },
    );
    const archive = await openArchive();
    expect(await archive.putDocument(key, bytes)).toBe('stored');
    expect(await archive.get(key)).toBeNull();
    const hours = wire.seen.map(({ headers }) => String(headers['x-amz-date']).slice(0, 11));
    const hourOf = (date: Date): string => date.toISOString().replaceAll('-', '').slice(0, 11);
    expect(hours.slice(1)).toEqual([hourOf(hourAhead), hourOf(hourAhead)]);
    expect(hours[0]).not.toBe(hours[1]);
  });

  it.each<[string, Fate, Record<string, unknown> & { message: string }]>([
    [
      'in words with signs that XML has to escape',
      { status: 400, body: '<Error><Code>InvalidRequest</Code><Message>a &lt; b &amp; c</Message></Error>' },
      { s3: 'InvalidRequest', status: 400, message: 'a < b & c' },
    ],
    [
      'in no words',
      { status: 400, body: '', headers: { 'x-amz-request-id': 'request-of-a-test' } },
      { s3: 'HTTP 400', status: 400, requestId: 'request-of-a-test', message: 'HTTP 400' },
    ],
    [
      'in more words than anybody reads',
      { status: 400, body: 'x'.repeat(100_000) },
      { status: null, attempts: 4, message: 'more than 65536 bytes' },
    ],
  ])('says what a server says that refuses %s', async (_, fate, { message, ...details }) => {
    wire.fate = () => fate;
    const error = await errorOf((await openArchive()).putDocument(key, bytes));
    expect(error).toMatchObject({ code: 'unavailable', details });
    expect(error.message).toContain(message);
  });

  it('gives up an attempt to store that gets no answer, and the connection with it', async () => {
    firstMeet('silence');
    const archive = await openArchive({ timeoutMs: 150 }, { parallel: 1 });
    expect(await archive.putDocument(key, bytes)).toBe('stored');
    expect(wire.seen).toHaveLength(2);
  });

  it('stores by https where it is given the authority, and nowhere else', async () => {
    const ca = await TestCa.create();
    const secured = await ScriptedWire.open(
      s3().endpoint,
      await ca.issue({ subject: [], names: [{ type: 'ip', value: '127.0.0.1' }], usage: 'server' }),
    );
    try {
      const trusting = await openArchive({}, { endpoint: secured.endpoint, ca: ca.cert });
      expect(await trusting.putDocument(key, bytes)).toBe('stored');
      expect(await trusting.putDocument(key, bytes)).toBe('already');
      const seen = secured.seen.length;
      const wary = await openArchive({}, { endpoint: secured.endpoint });
      expect(await errorOf(wary.putDocument(key, bytes))).toMatchObject({ code: 'unavailable' });
      expect(secured.seen).toHaveLength(seen);
    } finally {
      await secured.close();
    }
  });

  it('signs with what the platform gives out, and with what comes after it', async () => {
    let asked = 0;
    const platform = createServer((_, answer) => {
      asked += 1;
      const lasts = asked === 1 ? -1_000 : 3_600_000;
      answer.end(
        JSON.stringify({
          AccessKeyId: `KEY${asked}`,
          SecretAccessKey: `secret-of-a-test-${asked}`,
          Token: `token-of-a-test-${asked}`,
          Expiration: new Date(Date.now() + lasts).toISOString(),
        }),
      );
    });
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
    const { port } = platform.address() as AddressInfo;
    // eslint-disable-next-line no-restricted-properties -- how a platform tells the SDK where it gives out credentials
    const { env } = process;
    env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] = `http://127.0.0.1:${port}/credentials`;
    // No server here accepts such tokens; the signer's own tests show that the signature is right.
    const confirmed = Buffer.from(sha256Hex(bytes), 'hex').toString('base64');
    wire.fate = () => ({ status: 200, headers: { 'x-amz-checksum-sha256': confirmed } });
    try {
      const archive = await S3Archive.open({
        bucket: bucket.name,
        region: s3().region,
        endpoint: wire.endpoint,
        retention: { mode: 'GOVERNANCE', days: 1 },
      });
      opened.push(archive);
      for (const n of [1, 2, 3]) expect(await archive.putDocument(`${key}.${n}`, bytes)).toBe('stored');
    } finally {
      delete env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
      platform.closeAllConnections();
      platform.close();
    }
    const signedWith = wire.seen.map(({ headers }) => [
      /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1],
      headers['x-amz-security-token'],
    ]);
    // Credentials that are valid for an hour are not requested again.
    const [first, second] = [1, 2].map((n) => [`KEY${n}`, `token-of-a-test-${n}`]);
    expect(signedWith).toEqual([first, second, second]);
    expect(asked).toBe(2);
  });

  it('does not pause longer than it is told to, whatever the server asks for', async () => {
    firstMeet({ status: 503, code: 'SlowDown', headers: { 'retry-after': '3600' } });
    const archive = await openArchive();
    expect(await archive.putDocument(key, bytes)).toBe('stored');
  });

  it('ends its pauses when it is closed', async () => {
    wire.fate = () => ({ status: 503, code: 'SlowDown', headers: { 'retry-after': '3600' } });
    const archive = await openArchive({ maxPauseMs: 3_600_000 });
    const failing = errorOf(archive.get(key));
    while (wire.seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await archive.close();
    expect(await failing).toMatchObject({ code: 'unavailable', details: { attempts: 1 } });
    expect(wire.seen).toHaveLength(1);
  });

  it('never has more requests under way than it may', async () => {
    const archive = await openArchive({}, { parallel: 3 });
    wire.together = 3;
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => archive.putDocument(`${key}.${n}`, Buffer.from(String(n)))),
    );
    expect(wire.mostAtOnce).toBe(3);
  });

  it('does not read what is larger than any object may be', async () => {
    wire.fate = () => ({ status: 200, body: 'x'.repeat(MAX_OBJECT_BYTES + 1) });
    const error = await errorOf((await openArchive()).get(key));
    expect(error).toMatchObject({ code: 'object_too_large', details: { key } });
    expect(wire.seen).toHaveLength(1);
  });

  it('refuses a store that does not list in the order of the keys', async () => {
    const contents = ['b', 'a'].map((k) => `<Contents><Key>${k}</Key><Size>1</Size></Contents>`).join('');
    wire.fate = () => ({ status: 200, body: `<ListBucketResult>${contents}</ListBucketResult>` });
    const archive = await openArchive();
    const listing = (async () => {
      const keys: string[] = [];
      for await (const listed of archive.list('')) keys.push(listed.key);
    })();
    expect(await errorOf(listing)).toMatchObject({ code: 'unsupported' });
  });

  it.each([
    ['a wrong secret', (id: string) => ({ accessKeyId: id, secretAccessKey: 'wrong-secret-of-a-test' })],
    [
      'an unknown key and a token',
      () => ({
        accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
        secretAccessKey: 'wrong-secret-of-a-test',
        sessionToken: 'token-of-a-test-0123456789',
      }),
    ],
  ])('shows no credentials in what it says of %s', async (_, make) => {
    const credentials = make(bucket.owner.accessKeyId);
    const archive = await openArchive({}, { credentials });
    const error = await errorOf(archive.putDocument(key, bytes));
    expect(error.code).toBe('access_denied');
    const everything = [
      inspect(error, { depth: 20, showHidden: true }),
      JSON.stringify(error),
      String((error.cause as Error).stack),
    ].join('\n');
    for (const secret of Object.values(credentials)) expect(everything).not.toContain(secret);
    expect(everything).not.toContain('AWS4-HMAC');
  });

  it('shows no credentials when the server quotes them', async () => {
    const { accessKeyId, secretAccessKey } = bucket.owner;
    const message = `no such key ${accessKeyId} with ${secretAccessKey}, nor AKIAIOSFODNN7EXAMPLE`;
    wire.fate = () => ({
      status: 403,
      body: `<Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`,
    });
    const error = await errorOf((await openArchive()).get(key));
    const everything = inspect(error, { depth: 20, showHidden: true });
    for (const secret of [accessKeyId, secretAccessKey, 'AKIAIOSFODNN7EXAMPLE']) {
      expect(everything).not.toContain(secret);
    }
    expect(everything).toContain('no such key');
  });

  it.each([
    ['a bucket with a name that is none', { bucket: '../other' }],
    ['an endpoint that is no URL', { endpoint: 'localhost:9000' }],
    ['credentials in the URL', { endpoint: 'http://user:pass-of-a-test@127.0.0.1:1' }],
    ['a retention of no days', { retention: { mode: 'COMPLIANCE', days: 0 } as const }],
    ['a retention of half a day', { retention: { mode: 'COMPLIANCE', days: 0.5 } as const }],
    ['a retention of 101 years', { retention: { mode: 'COMPLIANCE', days: 36_501 } as const }],
    ['no operation at once', { parallel: 0 }],
    ['no attempt', { attempts: { attempts: 0 } }],
  ])('does not open with %s', async (_, options) => {
    const error = await errorOf(
      S3Archive.open({ bucket: 'bucket', region: 'us-east-1', retention: null, ...options }),
    );
    expect(error.code).toBe('invalid_options');
    expect(error.message).not.toContain('pass-of-a-test');
  });
});

describeWithS3(
  'the S3 archive when the server dies',
  () => {
    const s3 = withS3({ own: true, restart: false });

    it('loses nothing that was acknowledged, and goes on by itself when the server is back', async () => {
      const bucket = await s3().createBucket();
      const archive = await S3Archive.open({
        bucket: bucket.name,
        region: s3().region,
        endpoint: s3().endpoint,
        credentials: bucket.owner,
        retention: { mode: 'GOVERNANCE', days: 1 },
        parallel: 8,
        attempts: { attempts: 200, firstPauseMs: 10, maxPauseMs: 50 },
      });
      try {
        const server = s3().server;
        let acknowledged = 0;
        const puts = Array.from({ length: 120 }, async (_, n) => {
          const outcome = await archive.putDocument(`audit/${n}.json`, Buffer.from(`{"n":${n}}`));
          acknowledged += 1;
          if (acknowledged === 40 || acknowledged === 90) {
            await server?.kill('SIGKILL');
            await server?.start();
          }
          return outcome;
        });
        const outcomes = await Promise.all(puts);
        expect(outcomes).toHaveLength(120);
        await Promise.all(
          outcomes.map(async (_, n) => {
            const [stored, retention] = await Promise.all([
              archive.get(`audit/${n}.json`),
              archive.retention(`audit/${n}.json`),
            ]);
            expect(Buffer.from(stored as Uint8Array).toString()).toBe(`{"n":${n}}`);
            // Also for those that were stored but not yet locked when it died.
            expect(retention?.mode).toBe('GOVERNANCE');
          }),
        );
      } finally {
        await archive.close();
      }
    });

    it('says within its limits that the server is away', async () => {
      const bucket = await s3().createBucket();
      const archive = await S3Archive.open({
        bucket: bucket.name,
        region: s3().region,
        endpoint: s3().endpoint,
        credentials: bucket.owner,
        retention: { mode: 'GOVERNANCE', days: 1 },
        attempts: { attempts: 3, firstPauseMs: 1 },
      });
      await s3().server?.stop();
      expect(await errorOf(archive.putDocument('audit/x.json', Buffer.from('{}')))).toMatchObject({
        code: 'unavailable',
        details: { attempts: 3, s3: 'ECONNREFUSED', status: null },
      });
      await archive.close();
    });
  },
  { own: true },
);
