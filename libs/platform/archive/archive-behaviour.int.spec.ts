import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '#evidence';
import { describeWithS3, EvidenceChain, type TestBucket, TestSigner, withS3 } from '#dev/testing';
import { type Archive, type ArchiveObject, type ArchiveObserver, type FinishedOperation } from './archive';
import { archivedEvent } from './archive-key';
import { type ArchiveError } from './archive.error';
import { FolderArchive } from './folder/folder-archive';
import { coverOf } from './covered-object';
import { S3Archive } from './s3/s3-archive';

interface OpenOptions {
  parallel?: number;
  observer?: ArchiveObserver;
}

function objectOf(key: string, bytes: Uint8Array): ArchiveObject {
  return { key, bytes, sha256: sha256Hex(bytes) };
}

async function keysOf(archive: Archive, prefix: string, after?: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of archive.list(prefix, after === undefined ? {} : { after })) keys.push(key);
  return keys;
}

async function refusal(promise: Promise<unknown>): Promise<Partial<ArchiveError>> {
  return promise.then(
    (value) => {
      throw new Error(`expected a refusal, got ${String(value)}`);
    },
    (error: unknown) => error as ArchiveError,
  );
}

/** Tests of what every archive has to do, run against each. */
function behavesAsArchive(open: (options?: OpenOptions) => Promise<Archive>): void {
  let archive: Archive;
  let at: string;

  beforeAll(async () => {
    archive = await open();
  });
  beforeEach(() => {
    at = `documents/${randomBytes(6).toString('hex')}`;
  });
  afterAll(() => archive?.close());

  it("stores an event's canonical bytes under the day and id of the event", async () => {
    const chain = new EvidenceChain(new TestSigner('audit-1'));
    const event = chain.append({ ts: '2026-11-23T23:59:59.999Z' });
    const bytes = chain.bytes[0] as Uint8Array;
    expect(await archive.put(archivedEvent(event, bytes))).toBe('stored');
    const key = `audit/2026/11/23/${event.id}.json`;
    expect(Buffer.from((await archive.get(key)) as Uint8Array)).toEqual(Buffer.from(bytes));
    expect(await keysOf(archive, key)).toEqual([key]);
  });

  it.each([0, 1, 1_000, 65_535, 1_048_577])('keeps %i bytes of any kind exactly', async (size) => {
    const bytes = randomBytes(size);
    expect(await archive.putDocument(`${at}/any`, bytes)).toBe('stored');
    const read = (await archive.get(`${at}/any`)) as Uint8Array;
    expect(Buffer.from(read).equals(bytes)).toBe(true);
  });

  it('takes the same object again as stored already', async () => {
    const object = objectOf(`${at}/same.json`, Buffer.from('{"a":1}'));
    expect(await archive.put(object)).toBe('stored');
    expect(await archive.put(object)).toBe('already');
    expect(await archive.putDocument(object.key, object.bytes)).toBe('already');
  });

  it('refuses another object under the same key, names both digests and changes nothing', async () => {
    const first = objectOf(`${at}/one.json`, Buffer.from('{"a":1}'));
    const second = objectOf(first.key, Buffer.from('{"a":2}'));
    await archive.put(first);
    const error = await refusal(archive.put(second));
    expect(error).toMatchObject({
      name: 'ArchiveError',
      code: 'different_object',
      details: { key: first.key, expected: second.sha256, found: first.sha256 },
    });
    for (const named of [first.key, first.sha256, second.sha256]) expect(error.message).toContain(named);
    expect(Buffer.from((await archive.get(first.key)) as Uint8Array)).toEqual(first.bytes);
  });

  it('lets one of many parallel writers of the same object store it, and tells all the truth', async () => {
    const object = objectOf(`${at}/race.json`, randomBytes(2_000));
    const outcomes = await Promise.all(Array.from({ length: 12 }, () => archive.put(object)));
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'already')).toHaveLength(11);
  });

  it('lets one of many parallel writers of different objects win and refuses all others', async () => {
    const objects = Array.from({ length: 12 }, () => objectOf(`${at}/rivals.json`, randomBytes(2_000)));
    const results = await Promise.allSettled(objects.map((object) => archive.put(object)));
    const winners = objects.filter((_, n) => results[n]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'different_object' });
    }
    const stored = (await archive.get(`${at}/rivals.json`)) as Uint8Array;
    expect(sha256Hex(stored)).toBe(winners[0]?.sha256);
  });

  it('replaces a document as a whole, whoever reads meanwhile, and only that way', async () => {
    const key = `${at}/checkpoint`;
    const versions = Array.from({ length: 8 }, (_, n) => Buffer.alloc(20_000, n));
    await archive.replace({ key, bytes: versions[0] as Buffer });
    const reads = Promise.all(
      Array.from({ length: 20 }, async () => {
        const read = Buffer.from((await archive.get(key)) as Uint8Array);
        return versions.some((version) => version.equals(read));
      }),
    );
    for (const bytes of versions) await archive.replace({ key, bytes });
    expect(new Set(await reads)).toEqual(new Set([true]));
    const last = versions.at(-1) as Buffer;
    expect(Buffer.from((await archive.get(key)) as Uint8Array).equals(last)).toBe(true);
    expect(await keysOf(archive, key)).toEqual([key]);
    expect((await archive.retention(key))?.mode).toBeNull();
    const event = { key: `${at}/event.json`, bytes: Buffer.from('x') };
    expect(await refusal(archive.replace(event))).toMatchObject({ code: 'invalid_key' });
    expect(await refusal(archive.putDocument(key, Buffer.from('x')))).toMatchObject({
      code: 'different_object',
    });
  });

  it('stores what it is told not to lock once, too', async () => {
    const object = { ...objectOf(`${at}/partial`, Buffer.from('1')), locked: false };
    expect(await archive.put(object)).toBe('stored');
    expect(await archive.put(object)).toBe('already');
    expect((await archive.retention(object.key))?.mode).toBeNull();
    const other = { ...objectOf(object.key, Buffer.from('2')), locked: false };
    expect(await refusal(archive.put(other))).toMatchObject({ code: 'different_object' });
  });

  it('stores nothing when the digest is not that of the bytes', async () => {
    const object = { ...objectOf(`${at}/wrong.json`, Buffer.from('1')), bytes: Buffer.from('2') };
    expect(await refusal(archive.put(object))).toMatchObject({ code: 'digest_mismatch' });
    expect(await archive.get(object.key)).toBeNull();
  });

  const notKeys = [
    '',
    '/etc/passwd',
    '../outside.json',
    'audit/../../outside.json',
    'audit/./x.json',
    'audit//x.json',
    'audit/.hidden',
    '.holds/x',
    'audit/x.json/',
    'audit\\x.json',
    'audit/\0',
    'audit/ä.json',
    'audit/%2e%2e/x',
    'a'.repeat(513),
    'a'.repeat(201),
  ];
  it.each(notKeys.map((key) => [key.slice(0, 30), key]))(
    'refuses the key %j everywhere',
    async (_shown, key = '') => {
      const code = { code: 'invalid_key' };
      expect(await refusal(archive.putDocument(key, Buffer.from('x')))).toMatchObject(code);
      expect(await refusal(archive.get(key))).toMatchObject(code);
      expect(await refusal(archive.setLegalHold(key, true))).toMatchObject(code);
      expect(await refusal(archive.retention(key))).toMatchObject(code);
    },
  );

  it('says so when there is no such object', async () => {
    expect(await archive.get(`${at}/missing.json`)).toBeNull();
    expect(await archive.retention(`${at}/missing.json`)).toBeNull();
    for (const on of [true, false]) {
      expect(await refusal(archive.setLegalHold(`${at}/missing.json`, on))).toMatchObject({
        code: 'object_missing',
      });
    }
  });

  it('sets and lifts a legal hold, as often as it is asked to', async () => {
    const key = `${at}/held.json`;
    await archive.putDocument(key, Buffer.from('{}'));
    const held = async (): Promise<boolean | undefined> => (await archive.retention(key))?.legalHold;
    expect(await held()).toBe(false);
    await archive.setLegalHold(key, false);
    expect(await held()).toBe(false);
    for (const on of [true, true, false, false, true]) {
      await archive.setLegalHold(key, on);
      expect(await held()).toBe(on);
    }
    expect(await keysOf(archive, at)).toEqual([key]);
  });

  it('lists in the order of the keys, whatever the order of storing', async () => {
    const names = ['a/B', 'a/_', 'a/b-1.json', 'a/b.json', 'a/c/d.json', 'a/c/e/f', 'a/c0', 'a0', 'b', 'z-1'];
    for (const name of [...names].reverse()) await archive.putDocument(`${at}/${name}`, Buffer.from(name));
    const keys = names.map((name) => `${at}/${name}`);
    expect(await keysOf(archive, `${at}/`)).toEqual(keys);
    const sizes: number[] = [];
    for await (const object of archive.list(`${at}/`)) sizes.push(object.size);
    expect(sizes).toEqual(names.map((name) => name.length));
  });

  it('lists what begins with a prefix and comes behind a key', async () => {
    const names = ['2026/01/30/a', '2026/01/31/a', '2026/02/01/a', '2026/02/01/b', '2026/10/01/a'];
    for (const name of names) await archive.putDocument(`${at}/${name}`, Buffer.from(name));
    const list = async (prefix: string, after?: string): Promise<string[]> =>
      (await keysOf(archive, `${at}/${prefix}`, after === undefined ? undefined : `${at}/${after}`)).map(
        (k) => k.slice(at.length + 1),
      );
    expect(await list('2026/0')).toEqual(names.slice(0, 4));
    expect(await list('2026/02/01')).toEqual(names.slice(2, 4));
    expect(await list('2026/02/01/b')).toEqual(names.slice(3, 4));
    expect(await list('2027')).toEqual([]);
    for (const [n, name] of names.entries()) expect(await list('', name)).toEqual(names.slice(n + 1));
    // The key to go on from need not exist, nor lie within the prefix.
    expect(await list('', '2026/02')).toEqual(names.slice(2));
    expect(await list('2026/02', '2026/01/31/a')).toEqual(names.slice(2, 4));
    expect(await list('2026/02', '2026/03')).toEqual([]);
  });

  it('lists more than a page holds, and stops when nobody reads on', async () => {
    const keys = Array.from({ length: 1_030 }, (_, n) => `${at}/${String(n).padStart(5, '0')}.json`);
    await Promise.all(keys.map((key) => archive.putDocument(key, Buffer.from(key))));
    expect(await keysOf(archive, at)).toEqual(keys);
    expect(await keysOf(archive, at, keys[999])).toEqual(keys.slice(1_000));
    const first: string[] = [];
    for await (const { key } of archive.list(at)) {
      first.push(key);
      if (first.length === 3) break;
    }
    expect(first).toEqual(keys.slice(0, 3));
  });

  it('shows what is stored under a key, and can be reached', async () => {
    const key = `${at}/versions.json`;
    expect(await archive.versions(key)).toEqual([]);
    await archive.putDocument(key, Buffer.from('{}'));
    expect(await archive.versions(key)).toEqual([
      expect.objectContaining({ sha256: sha256Hex(Buffer.from('{}')) }),
    ]);
    expect(await coverOf(archive, key, sha256Hex(Buffer.from('{}')))).toBeNull();
    expect(await coverOf(archive, key, 'ab'.repeat(32))).toBeNull();
    await archive.reach(AbortSignal.timeout(10_000));
  });

  it('tells the observer how each operation ended', async () => {
    const seen: FinishedOperation[] = [];
    const observed = await open({ observer: { onOperation: (operation) => seen.push(operation) } });
    await observed.putDocument(`${at}/o.json`, Buffer.from('1'));
    await refusal(observed.putDocument(`${at}/o.json`, Buffer.from('2')));
    await observed.get(`${at}/o.json`);
    await observed.close();
    expect(seen.map(({ operation, outcome }) => [operation, outcome])).toEqual([
      ['put', 'ok'],
      ['put', 'different_object'],
      ['get', 'ok'],
    ]);
    expect(seen.every(({ ms }) => ms > 0)).toBe(true);
  });

  it('lets what runs end when it is closed, and takes nothing more', async () => {
    const closing = await open({ parallel: 2 });
    const running = [1, 2].map((n) => closing.putDocument(`${at}/${n}.json`, randomBytes(10_000)));
    const waiting = closing.putDocument(`${at}/3.json`, randomBytes(10));
    const refused = refusal(waiting);
    await closing.close();
    expect(await Promise.all(running)).toEqual(['stored', 'stored']);
    expect(await refused).toMatchObject({ code: 'closed' });
    expect(await refusal(closing.get(`${at}/1.json`))).toMatchObject({ code: 'closed' });
    expect(await refusal(keysOf(closing, at))).toMatchObject({ code: 'closed' });
    expect(await keysOf(archive, at)).toEqual([`${at}/1.json`, `${at}/2.json`]);
  });
}

describe('the folder archive', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'archive-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  behavesAsArchive((options = {}) => FolderArchive.open({ dir, ...options }));
});

describeWithS3('the S3 archive', () => {
  const s3 = withS3();
  let bucket: TestBucket;
  beforeAll(async () => {
    bucket = await s3().createBucket();
  });

  behavesAsArchive((options = {}) =>
    S3Archive.open({
      bucket: bucket.name,
      region: s3().region,
      endpoint: s3().endpoint,
      credentials: bucket.owner,
      retention: { mode: 'GOVERNANCE', days: 1 },
      ...options,
    }),
  );
});
