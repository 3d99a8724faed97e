import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig, loadConfig } from '#platform/process';
import { archiveReaderSettings, archiveSettings } from './archive-settings';
import { FolderArchive } from './folder/folder-archive';
import { openArchive, openArchiveReader } from './open-archive';
import { S3Archive } from './s3/s3-archive';

const definition = defineConfig(archiveSettings);
const open = async (env: Record<string, string>) => openArchive(loadConfig(definition, env));
const S3 = { KERNEL_ARCHIVE: 's3', S3_BUCKET: 'audit' };
const production = { NODE_ENV: 'production', KERNEL_ARCHIVE_RETENTION_MODE: 'COMPLIANCE' };

describe('openArchive', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-open-archive-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('opens a folder in development', async () => {
    const archive = await open({ KERNEL_ARCHIVE_DIR: join(dir, 'archive') });
    expect(archive).toBeInstanceOf(FolderArchive);
    await archive.close();
  });

  it('opens a bucket', async () => {
    const archive = await open({ ...S3, ...production });
    expect(archive).toBeInstanceOf(S3Archive);
    await archive.close();
  });

  it.each([
    [
      'a folder in production',
      { ...production, KERNEL_ARCHIVE: 'fs' },
      /KERNEL_ARCHIVE: fs is for development/,
    ],
    ['a folder without a name', {}, /KERNEL_ARCHIVE_DIR: is missing/],
    ['a bucket without a name', { KERNEL_ARCHIVE: 's3' }, /S3_BUCKET: is missing/],
    [
      'no lock in production',
      { ...S3, ...production, KERNEL_ARCHIVE_RETENTION_MODE: 'NONE' },
      /KERNEL_ARCHIVE_RETENTION_MODE: NONE is for development only/,
    ],
    ['half of the credentials', { ...S3, S3_ACCESS_KEY_ID: 'id' }, /S3_SECRET_ACCESS_KEY: is missing/],
    ['the other half', { ...S3, S3_SECRET_ACCESS_KEY: 'hidden-secret' }, /S3_ACCESS_KEY_ID: is missing/],
  ])('refuses %s', async (_, env: Record<string, string>, message) => {
    const refusal = await open(env).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'ConfigError', code: 'invalid_configuration' });
    expect((refusal as Error).message).toMatch(message);
    expect((refusal as Error).message).not.toContain('hidden-secret');
  });

  it.each(['KERNEL_ARCHIVE', 'KERNEL_ARCHIVE_RETENTION_MODE'])(
    'has no default for %s in production',
    (member) => {
      expect(() => loadConfig(definition, { NODE_ENV: 'production' })).toThrow(`${member}: is missing`);
    },
  );

  it('refuses the folder of a development archive in production', () => {
    const env = { ...production, ...S3, KERNEL_ARCHIVE_DIR: dir };
    expect(() => loadConfig(definition, env)).toThrow(/KERNEL_ARCHIVE_DIR: is for development only/);
  });
});

describe('openArchiveReader', () => {
  const reader = defineConfig(archiveReaderSettings('something is'));
  const read = async (env: Record<string, string>) => openArchiveReader(loadConfig(reader, env));

  it('opens a bucket with credentials, of which the secret is not enumerable', async () => {
    const archive = await read({ ...S3, S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'hidden-secret' });
    expect(archive).toBeInstanceOf(S3Archive);
    await archive?.close();
  });

  it('opens nothing where no archive is named', async () => {
    expect(await read({})).toBeNull();
  });

  it('refuses half of the credentials', async () => {
    await expect(read({ ...S3, S3_ACCESS_KEY_ID: 'id' })).rejects.toThrow(/S3_SECRET_ACCESS_KEY: is missing/);
  });
});
