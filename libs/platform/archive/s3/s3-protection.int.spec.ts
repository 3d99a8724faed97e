import { randomBytes } from 'node:crypto';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { sha256Hex } from '#evidence';
import { describeWithS3, type TestBucket, withS3 } from '#dev/testing';
import { type RetentionMode } from '../archive';
import { DEFAULT_RETENTION_DAYS } from '../retention-policy';
import { S3Archive, type S3ArchiveOptions } from './s3-archive';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

function daysAhead(date: Date | undefined): number {
  return ((date?.getTime() ?? NaN) - Date.now()) / DAY_MS;
}

/** The S3 error code that a request was refused with. */
async function refusedWith(request: Promise<unknown>): Promise<string> {
  return request.then(
    () => 'not refused',
    (error: Error) => error.name,
  );
}

describeWithS3('the protection of archived objects', () => {
  const s3 = withS3();
  const opened: S3Archive[] = [];
  let bucket: TestBucket;
  /** The archive's own credentials. */
  let owner: S3Client;
  /** The account of the whole server. */
  let root: S3Client;
  let key: string;
  const bytes = Buffer.from('{"canonical":"bytes"}');

  beforeAll(async () => {
    bucket = await s3().createBucket();
    owner = s3().client(bucket.owner);
    root = s3().client(s3().root);
  });
  beforeEach(() => {
    key = `audit/2026/11/23/${randomBytes(8).toString('hex')}.json`;
  });
  afterAll(() => Promise.all(opened.map((archive) => archive.close())));

  async function openArchive(
    retention: S3ArchiveOptions['retention'],
    name = bucket.name,
    credentials = bucket.owner,
  ): Promise<S3Archive> {
    const archive = await S3Archive.open({
      bucket: name,
      region: s3().region,
      endpoint: s3().endpoint,
      credentials,
      retention,
      attempts: { attempts: 2, firstPauseMs: 1 },
    });
    opened.push(archive);
    return archive;
  }

  async function locked(mode: RetentionMode): Promise<string> {
    await (await openArchive({ mode, days: 1 })).putDocument(key, bytes);
    const { VersionId } = await root.send(new HeadObjectCommand({ Bucket: bucket.name, Key: key }));
    return VersionId as string;
  }

  async function firstVersion(VersionId: string): Promise<Buffer> {
    const { Body } = await owner.send(new GetObjectCommand({ Bucket: bucket.name, Key: key, VersionId }));
    return Buffer.from((await Body?.transformToByteArray()) as Uint8Array);
  }

  it.each([
    ['GOVERNANCE', 30],
    ['COMPLIANCE', 1],
  ] as const)(
    'locks each object in mode %s for %i days and gives the server its SHA-256',
    async (mode, days) => {
      const archive = await openArchive({ mode, days });
      expect(await archive.putDocument(key, bytes)).toBe('stored');
      const head = await root.send(
        new HeadObjectCommand({ Bucket: bucket.name, Key: key, ChecksumMode: 'ENABLED' }),
      );
      expect(head).toMatchObject({
        ObjectLockMode: mode,
        ChecksumSHA256: Buffer.from(sha256Hex(bytes), 'hex').toString('base64'),
        ContentLength: bytes.length,
        ContentType: 'application/json',
      });
      expect(Math.abs(daysAhead(head.ObjectLockRetainUntilDate) - days) * DAY_MS).toBeLessThan(MINUTE_MS);
      const retention = await archive.retention(key);
      expect(retention).toMatchObject({ mode, legalHold: false });
      // A header has whole seconds.
      const seconds = (date: Date | null | undefined): number => Math.floor((date?.getTime() ?? NaN) / 1_000);
      expect(seconds(retention?.retainUntil)).toBe(seconds(head.ObjectLockRetainUntilDate));
    },
  );

  it('keeps objects for 2,557 days when nothing else is said', async () => {
    const archive = await openArchive({ mode: 'GOVERNANCE' });
    await archive.putDocument(key, bytes);
    expect(DEFAULT_RETENTION_DAYS).toBe(2_557);
    expect(daysAhead((await archive.retention(key))?.retainUntil ?? undefined)).toBeCloseTo(2_557, 2);
  });

  it('has the server refuse to overwrite: on the condition, and the first version outlives a write without it', async () => {
    const version = await locked('GOVERNANCE');
    const overwrite = { Bucket: bucket.name, Key: key, Body: 'something else' };
    expect(await refusedWith(owner.send(new PutObjectCommand({ ...overwrite, IfNoneMatch: '*' })))).toBe(
      'PreconditionFailed',
    );
    await owner.send(new PutObjectCommand(overwrite));
    expect(await firstVersion(version)).toEqual(bytes);
    // The next process that stores the event notices what is on top now.
    const archive = await openArchive({ mode: 'GOVERNANCE', days: 1 });
    await expect(archive.putDocument(key, bytes)).rejects.toMatchObject({
      code: 'object_covered',
      details: { found: sha256Hex(Buffer.from('something else')) },
    });
  });

  it.each(['GOVERNANCE', 'COMPLIANCE'] as const)(
    'has the server refuse to delete or shorten a version in mode %s, also with bypass-governance',
    async (mode) => {
      const VersionId = await locked(mode);
      const version = { Bucket: bucket.name, Key: key, VersionId };
      const sooner = { Mode: mode, RetainUntilDate: new Date(Date.now() + MINUTE_MS) };
      // On someone else's server the owner may be an account with that right.
      const bypasses = s3().server === undefined && mode === 'GOVERNANCE' ? [false] : [false, true];
      for (const BypassGovernanceRetention of bypasses) {
        const how = { BypassGovernanceRetention };
        expect(await refusedWith(owner.send(new DeleteObjectCommand({ ...version, ...how })))).toBe(
          'AccessDenied',
        );
        expect(
          await refusedWith(
            owner.send(new PutObjectRetentionCommand({ ...version, ...how, Retention: sooner })),
          ),
        ).toBe('AccessDenied');
        const many = await owner.send(
          new DeleteObjectsCommand({
            Bucket: bucket.name,
            Delete: { Objects: [{ Key: key, VersionId }] },
            ...how,
          }),
        );
        expect(many.Errors?.map(({ Code }) => Code)).toEqual(['AccessDenied']);
      }
      expect(await firstVersion(VersionId)).toEqual(bytes);
    },
  );

  it('has the server refuse even the account of the whole server in mode COMPLIANCE', async () => {
    const VersionId = await locked('COMPLIANCE');
    const version = { Bucket: bucket.name, Key: key, VersionId, BypassGovernanceRetention: true };
    const sooner = { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + MINUTE_MS) } as const;
    expect(await refusedWith(root.send(new DeleteObjectCommand(version)))).toBe('AccessDenied');
    expect(
      await refusedWith(root.send(new PutObjectRetentionCommand({ ...version, Retention: sooner }))),
    ).toBe('AccessDenied');
    expect(await firstVersion(VersionId)).toEqual(bytes);
  });

  it('keeps an object under a legal hold also from who may lift its retention, until the hold is lifted', async () => {
    const VersionId = await locked('GOVERNANCE');
    const archive = await openArchive({ mode: 'GOVERNANCE', days: 1 });
    const remove = (): Promise<unknown> =>
      root.send(
        new DeleteObjectCommand({
          Bucket: bucket.name,
          Key: key,
          VersionId,
          BypassGovernanceRetention: true,
        }),
      );
    await archive.setLegalHold(key, true);
    expect(await refusedWith(remove())).toBe('AccessDenied');
    await archive.setLegalHold(key, false);
    expect(await refusedWith(remove())).toBe('not refused');
  });

  it('gives its lock to an object that was stored without one', async () => {
    // As left by a server that stores first, locks later, and dies in between.
    await owner.send(new PutObjectCommand({ Bucket: bucket.name, Key: key, Body: bytes }));
    const archive = await openArchive({ mode: 'GOVERNANCE', days: 10 });
    expect((await archive.retention(key))?.mode).toBeNull();
    expect(await archive.putDocument(key, bytes)).toBe('already');
    const retention = await archive.retention(key);
    expect(retention?.mode).toBe('GOVERNANCE');
    expect(daysAhead(retention?.retainUntil ?? undefined)).toBeCloseTo(10, 2);
  });

  it('makes a lock that is too short longer, and leaves one that is long enough', async () => {
    await (await openArchive({ mode: 'GOVERNANCE', days: 2 })).putDocument(key, bytes);
    const longer = await openArchive({ mode: 'GOVERNANCE', days: 20 });
    expect(await longer.putDocument(key, bytes)).toBe('already');
    const until = (await longer.retention(key))?.retainUntil;
    expect(daysAhead(until ?? undefined)).toBeCloseTo(20, 2);
    const shorter = await openArchive({ mode: 'GOVERNANCE', days: 3 });
    expect(await shorter.putDocument(key, bytes)).toBe('already');
    expect((await shorter.retention(key))?.retainUntil).toEqual(until);
  });

  it('says when an object has a weaker lock than asked for and the credentials cannot change it', async () => {
    await locked('GOVERNANCE');
    const strict = await openArchive({ mode: 'COMPLIANCE', days: 1 });
    if (s3().server === undefined) return;
    await expect(strict.putDocument(key, bytes)).rejects.toMatchObject({
      code: 'not_protected',
      details: { key, missing: ['retention'] },
    });
  });

  it('never takes a legal hold away', async () => {
    await locked('GOVERNANCE');
    await owner.send(
      new PutObjectLegalHoldCommand({ Bucket: bucket.name, Key: key, LegalHold: { Status: 'ON' } }),
    );
    const archive = await openArchive({ mode: 'GOVERNANCE', days: 20 });
    expect(await archive.putDocument(key, bytes)).toBe('already');
    expect(await archive.retention(key)).toMatchObject({ mode: 'GOVERNANCE', legalHold: true });
  });

  describe('of a bucket', () => {
    it('is there with object lock', async () => {
      await expect((await openArchive({ mode: 'GOVERNANCE' })).assertProtected()).resolves.toBeUndefined();
    });

    it.each([
      ['versioning', ['object lock']],
      ['none', ['versioning', 'object lock']],
    ] as const)('with %s lacks %j', async (protection, missing) => {
      const open = await s3().createBucket(protection);
      const archive = await openArchive({ mode: 'GOVERNANCE' }, open.name, open.owner);
      const refusal = archive.assertProtected();
      await expect(refusal).rejects.toMatchObject({
        code: 'not_protected',
        details: { bucket: open.name, missing },
      });
      for (const what of missing) await expect(refusal).rejects.toThrow(what);
      // The bucket accepts no object that was to be locked.
      await expect(archive.putDocument(key, bytes)).rejects.toMatchObject({ code: 'not_protected' });
    });

    it('without a retention is not protection, but can be used', async () => {
      const open = await s3().createBucket('none');
      const archive = await openArchive(null, open.name, open.owner);
      await expect(archive.assertProtected()).rejects.toMatchObject({
        details: { missing: ['versioning', 'object lock', 'a retention for each object'] },
      });
      expect(await archive.putDocument(key, bytes)).toBe('stored');
      expect(await archive.putDocument(key, bytes)).toBe('already');
      expect(await archive.retention(key)).toEqual({ mode: null, retainUntil: null, legalHold: false });
      await expect(archive.setLegalHold(key, true)).rejects.toMatchObject({ code: 'not_protected' });
    });

    it('that does not exist is named', async () => {
      const archive = await openArchive({ mode: 'GOVERNANCE' }, 'there-is-no-such-bucket');
      for (const doing of [
        () => archive.assertProtected(),
        () => archive.get(key),
        () => archive.putDocument(key, bytes),
      ]) {
        await expect(doing()).rejects.toMatchObject({
          code: 'bucket_missing',
          message: expect.stringContaining('there-is-no-such-bucket'),
        });
      }
    });
  });
});

describeWithS3(
  'what happens behind the back of the server',
  () => {
    const s3 = withS3({ own: true });
    let bucket: TestBucket;
    let archive: S3Archive;
    const key = 'audit/2026/11/23/touched.json';

    beforeAll(async () => {
      bucket = await s3().createBucket();
      archive = await S3Archive.open({
        bucket: bucket.name,
        region: s3().region,
        endpoint: s3().endpoint,
        credentials: bucket.owner,
        retention: { mode: 'GOVERNANCE', days: 1 },
        attempts: { attempts: 2, firstPauseMs: 1 },
      });
    });
    afterAll(() => archive?.close());

    it('is noticed when an object is read: bytes that changed on the disk', async () => {
      const bytes = randomBytes(500);
      await archive.putDocument(key, bytes);
      const folder = s3().server?.dataDir ?? '';
      const file = join(folder, bucket.name, key);
      expect(await readFile(file)).toEqual(bytes);
      const handle = await open(file, 'r+');
      await handle.write(Buffer.from([(bytes[250] ?? 0) ^ 1]), 0, 1, 250);
      await handle.close();
      await expect(archive.get(key)).rejects.toMatchObject({ code: 'corrupt_object' });
      await expect(archive.putDocument(key, bytes)).rejects.toMatchObject({ code: 'corrupt_object' });
      expect(await readdir(join(folder, bucket.name, 'audit/2026/11/23'))).toEqual(['touched.json']);
    });

    it('is told when a delete marker hides an object', async () => {
      const hidden = 'audit/2026/11/23/hidden.json';
      const bytes = Buffer.from('{}');
      await archive.putDocument(hidden, bytes);
      await s3()
        .client(bucket.owner)
        .send(new DeleteObjectCommand({ Bucket: bucket.name, Key: hidden }));
      expect(await archive.get(hidden)).toBeNull();
      const [marker, below] = await archive.versions(hidden);
      expect([marker?.sha256, below?.sha256]).toEqual([null, sha256Hex(bytes)]);
      // Here the marker alone makes the condition fail; AWS would store a new version.
      await expect(archive.putDocument(hidden, bytes)).rejects.toMatchObject({
        code: 'object_hidden',
        message: expect.stringMatching(/hidden by a delete marker, version .* below is the archived one/),
        details: { key: hidden, marker: marker?.id, version: below?.id },
      });
    });

    it('is told when a foreign object lies on top of the archived one, and which version that is', async () => {
      const covered = 'audit/2026/11/23/covered.json';
      const bytes = Buffer.from('{"archived":true}');
      await archive.putDocument(covered, bytes);
      // A key that begins with the same text is another object.
      await archive.putDocument(`${covered}.json`, bytes);
      const account = s3().client(bucket.owner);
      await account.send(
        new PutObjectCommand({ Bucket: bucket.name, Key: covered, Body: '{"archived":false}' }),
      );
      const versions = await archive.versions(covered);
      expect(versions.map(({ sha256 }) => sha256)).toEqual([
        sha256Hex(Buffer.from('{"archived":false}')),
        sha256Hex(bytes),
      ]);
      await expect(archive.putDocument(covered, bytes)).rejects.toMatchObject({
        code: 'object_covered',
        message: expect.stringContaining('is still there below it'),
        details: { key: covered, expected: sha256Hex(bytes), version: versions[1]?.id },
      });
      // Without the archived bytes in any version it is another object, as before.
      await expect(archive.putDocument(covered, Buffer.from('{}'))).rejects.toMatchObject({
        code: 'different_object',
      });
      await account.send(
        new DeleteObjectCommand({ Bucket: bucket.name, Key: covered, VersionId: String(versions[0]?.id) }),
      );
      expect(await archive.putDocument(covered, bytes)).toBe('already');
    });
  },
  { own: true },
);
