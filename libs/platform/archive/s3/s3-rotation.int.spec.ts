import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256Hex } from '#evidence';
import { defineConfig, loadConfig } from '#platform/process';
import { describeWithS3, type TestBucket, withS3 } from '#dev/testing';
import { type S3Credentials } from '#dev/devstack';
import { type Archive } from '../archive';
import { archiveSettings } from '../archive-settings';
import { openArchive } from '../open-archive';

const settings = defineConfig(archiveSettings);

describeWithS3(
  'an archive whose access key is in files',
  () => {
    const s3 = withS3({ own: true });
    let dir: string;
    let bucket: TestBucket;
    let credentials: S3Credentials;
    let archive: Archive;
    let count = 0;

    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 's3-rotation-'));
      bucket = await s3().createBucket();
      credentials = bucket.owner;
      await put(credentials);
      archive = await openArchive(
        loadConfig(settings, {
          KERNEL_ARCHIVE: 's3',
          S3_ENDPOINT: s3().endpoint,
          S3_BUCKET: bucket.name,
          S3_REGION: s3().region,
          S3_ACCESS_KEY_ID_FILE: join(dir, 'id'),
          S3_SECRET_ACCESS_KEY_FILE: join(dir, 'secret'),
          KERNEL_ARCHIVE_RETENTION_DAYS: '1',
        }),
      );
    });
    afterEach(async () => {
      await archive.close();
      await rm(dir, { recursive: true, force: true });
    });

    const put = async ({ accessKeyId, secretAccessKey }: S3Credentials): Promise<void> => {
      await writeFile(join(dir, 'id'), accessKeyId);
      await writeFile(join(dir, 'secret'), secretAccessKey);
    };
    const store = async (): Promise<string> => {
      const bytes = Buffer.from(`{"n":${count++}}`);
      return archive.put({ key: `audit/2026/11/30/${count}.json`, bytes, sha256: sha256Hex(bytes) });
    };
    const rotate = async (): Promise<S3Credentials> => {
      const { server } = s3();
      if (server === undefined) throw new TypeError('it is a server of its own');
      return (credentials = await server.changeSecret(credentials));
    };

    it('stores and reads on with another secret, without a restart', async () => {
      expect(await store()).toBe('stored');
      for (let n = 0; n < 3; n++) {
        await put(await rotate());
        // What the SDK sends and what is sent around it.
        expect(await Promise.all([store(), archive.get('audit/2026/11/30/none.json')])).toEqual([
          'stored',
          null,
        ]);
        expect(await archive.retention(`audit/2026/11/30/${count}.json`)).toMatchObject({
          mode: 'GOVERNANCE',
        });
      }
    });

    it('waits for the files when the server knows the secret first', async () => {
      const next = await rotate();
      const storing = store();
      const reading = archive.get('audit/2026/11/30/none.json');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await put(next);
      expect(await Promise.all([storing, reading])).toEqual(['stored', null]);
    });

    it('says that it has no access when no secret comes, and shows none', async () => {
      const next = await rotate();
      const failure = await store().catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'access_denied', details: { s3: 'SignatureDoesNotMatch' } });
      expect(String((failure as Error).stack)).not.toContain(bucket.owner.secretAccessKey);
      await put(next);
      expect(await store()).toBe('stored');
    });
  },
  { own: true },
);
