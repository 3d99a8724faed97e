import { execFile, spawn } from 'node:child_process';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { sha256Hex } from '#evidence';
import { ensureBuilt, workTree } from '#dev/testing';
import { FolderArchive } from './folder-archive';
import { MAX_OBJECT_BYTES } from '../archive';

const BYTES = Buffer.from('{"canonical":"bytes"}');
const KEY = 'audit/2026/11/23/x.json';

async function listed(archive: FolderArchive, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of archive.list(prefix)) keys.push(key);
  return keys;
}

/** Number of a process that has ended; no other process has it yet. */
async function deadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid as number;
}

describe('the folder archive', () => {
  let dir: string;
  let archive: FolderArchive;
  beforeEach(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), 'folder archive-')));
    archive = await FolderArchive.open({ dir: join(dir, 'archive') });
  });
  afterEach(async () => {
    await archive.close();
    await rm(dir, { recursive: true, force: true });
  });
  const path = (key: string): string => join(dir, 'archive', key);
  const incoming = (name = ''): string => join(dir, 'archive', '.incoming', name);

  it('keeps an object as one read-only file of exactly its bytes, and leaves nothing else', async () => {
    await archive.putDocument(KEY, BYTES);
    expect(await readFile(path(KEY))).toEqual(BYTES);
    const { mode, nlink } = await stat(path(KEY));
    expect((mode & 0o777).toString(8)).toBe('400');
    for (let folder = KEY; folder !== '.';) {
      folder = dirname(folder);
      expect((await stat(path(folder))).mode & 0o777).toBe(0o700);
    }
    expect(nlink).toBe(1);
    expect(await readdir(incoming())).toEqual([]);
  });

  it('leaves nothing of an object that it refused', async () => {
    await archive.putDocument(KEY, BYTES);
    await expect(archive.putDocument(KEY, Buffer.from('2'))).rejects.toMatchObject({
      code: 'different_object',
    });
    expect(await readFile(path(KEY))).toEqual(BYTES);
    expect(await readdir(incoming())).toEqual([]);
    expect(await listed(archive)).toEqual([KEY]);
  });

  it('finds out that a file was changed, when the event comes again', async () => {
    await archive.putDocument(KEY, BYTES);
    await chmod(path(KEY), 0o644);
    await writeFile(path(KEY), '{"canonical":"byteS"}');
    await expect(archive.putDocument(KEY, BYTES)).rejects.toMatchObject({ code: 'different_object' });
  });

  it('never takes a half-written file for an object, and removes it on the next start', async () => {
    const halfWritten = `${hostname()}~${await deadProcess()}~0123456789ab~1.partial`;
    // As left by a restarted container whose process has the same number as before.
    const ofNamesake = `${hostname()}~${process.pid}~0123456789ab~2.partial`;
    for (const name of [halfWritten, ofNamesake]) await writeFile(incoming(name), BYTES.subarray(0, 7));
    expect(await listed(archive)).toEqual([]);
    const next = await FolderArchive.open({ dir: join(dir, 'archive') });
    expect(await readdir(incoming())).toEqual([]);
    await next.close();
  });

  it('leaves alone what another process is writing', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const living = `${hostname()}~${child.pid}~0123456789ab~1.partial`;
    const elsewhere = 'another-machine~1~0123456789ab~1.partial';
    const longAgo = 'another-machine~1~0123456789ab~2.partial';
    for (const name of [living, elsewhere, longAgo]) await writeFile(incoming(name), 'x');
    await utimes(incoming(longAgo), new Date(0), new Date(0));
    try {
      const next = await FolderArchive.open({ dir: join(dir, 'archive') });
      expect((await readdir(incoming())).sort()).toEqual([living, elsewhere].sort());
      await next.close();
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('follows no symbolic link out of the folder, or within it', async () => {
    const outside = join(dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'x.json'), BYTES);
    await symlink(outside, path('audit'));
    await mkdir(path('documents'));
    await symlink(join(outside, 'x.json'), path('documents/x.json'));
    for (const key of ['audit/x.json', 'documents/x.json']) {
      const refused = { code: 'path_escape', details: { key: expect.any(String) } };
      await expect(archive.get(key)).rejects.toMatchObject(refused);
      await expect(archive.putDocument(key, BYTES)).rejects.toMatchObject(refused);
    }
    await expect(archive.putDocument('audit/2026/y.json', BYTES)).rejects.toMatchObject({
      code: 'path_escape',
    });
    expect(await readdir(outside)).toEqual(['x.json']);
    // They are listed, so that a comparison of the archive with the chain shows them, but not entered.
    expect(await listed(archive)).toEqual(['audit', 'documents/x.json']);
  });

  it('is not held up by something that is no file', async () => {
    await mkdir(path('documents/folder'), { recursive: true });
    await promisify(execFile)('mkfifo', [path('documents/pipe')]);
    for (const key of ['documents/folder', 'documents/pipe']) {
      expect(await archive.get(key)).toBeNull();
      expect(await archive.retention(key)).toBeNull();
      await expect(archive.putDocument(key, BYTES)).rejects.toMatchObject({ code: 'path_escape' });
    }
    await archive.putDocument('documents/file', BYTES);
    await expect(archive.putDocument('documents/file/below', BYTES)).rejects.toMatchObject({
      code: 'path_escape',
    });
    expect(await archive.get('documents/file/below')).toBeNull();
  });

  it('does not read what is larger than any object may be', async () => {
    await archive.putDocument('documents/a', BYTES);
    await writeFile(path('documents/large'), '');
    await truncate(path('documents/large'), MAX_OBJECT_BYTES + 1);
    const refused = { code: 'object_too_large', details: { key: 'documents/large' } };
    await expect(archive.get('documents/large')).rejects.toMatchObject(refused);
  });

  it('makes its folders again when somebody took them away', async () => {
    await archive.putDocument(KEY, BYTES);
    await rm(path('audit'), { recursive: true });
    expect(await archive.get(KEY)).toBeNull();
    expect(await archive.putDocument(KEY, BYTES)).toBe('stored');
  });

  it('says that a folder is no protection', async () => {
    await expect(archive.assertProtected()).rejects.toMatchObject({
      code: 'not_protected',
      message: expect.stringContaining(join(dir, 'archive')),
      details: { missing: ['versioning', 'object lock'] },
    });
  });

  it('says what the file system says when it refuses', async () => {
    await writeFile(join(dir, 'file'), '');
    await expect(FolderArchive.open({ dir: join(dir, 'file', 'archive') })).rejects.toMatchObject({
      code: 'unavailable',
      details: { errno: 'ENOTDIR' },
      cause: { code: 'ENOTDIR' },
    });
    await rm(join(dir, 'archive'), { recursive: true });
    await expect(listed(archive)).rejects.toMatchObject({
      code: 'unavailable',
      details: { errno: 'ENOENT' },
    });
  });

  it('is shared by several archives in one process and by many writers', async () => {
    const second = await FolderArchive.open({ dir: join(dir, 'archive') });
    const keys = Array.from({ length: 60 }, (_, n) => `audit/2026/11/${10 + (n % 3)}/${n}.json`);
    const outcomes = await Promise.all(
      keys.flatMap((key) => [archive, second].map((each) => each.putDocument(key, Buffer.from(key)))),
    );
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(60);
    expect(await listed(archive)).toEqual([...keys].sort());
    await second.close();
  });

  it('survives kill -9 in the middle of writing: what was acknowledged is whole, and nothing else is visible', async () => {
    await ensureBuilt();
    const root = join(dir, 'archive');
    const script = `
      const { FolderArchive } = require(${JSON.stringify(join(workTree(), 'dist/libs/platform/archive/index.js'))});
      const { createHash, randomBytes } = require('node:crypto');
      FolderArchive.open({ dir: ${JSON.stringify(root)}, parallel: 8 }).then((archive) => {
        const one = async () => {
          for (;;) {
            const bytes = randomBytes(200_000);
            const sha256 = createHash('sha256').update(bytes).digest('hex');
            const key = 'audit/' + sha256.slice(0, 2) + '/' + sha256;
            await archive.put({ key, bytes, sha256 });
            require('node:fs').writeSync(1, key + '\\n');
          }
        };
        for (let n = 0; n < 8; n++) one();
      });`;
    const acknowledged: string[] = [];
    let leftovers = 0;
    for (let round = 1; round <= 6; round++) {
      const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          said += chunk.toString('utf8');
          if (said.split('\n').length > 5 * round) child.kill('SIGKILL');
        });
        child.once('close', () => resolve());
      });
      acknowledged.push(...said.split('\n').slice(0, -1));
      leftovers += (await readdir(incoming())).length;
      const next = await FolderArchive.open({ dir: root });
      expect(await readdir(incoming())).toEqual([]);
      await next.close();
    }
    const visible = await listed(archive);
    expect(visible).toEqual(expect.arrayContaining(acknowledged));
    for (const key of visible) expect(sha256Hex(await readFile(path(key)))).toBe(key.split('/')[2]);
    // Otherwise this would have proved nothing.
    expect(leftovers).toBeGreaterThan(0);
    expect(acknowledged.length).toBeGreaterThan(50);
  });
});
