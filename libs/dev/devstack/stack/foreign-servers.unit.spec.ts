import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startArchive } from './stack-archive';
import { startStream } from './stack-stream';

describe('a stack with servers that are there already', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'kernel-foreign-servers-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('starts no broker, and names theirs to its apps', async () => {
    const brokers = ['a.example.com:9092', 'b.example.com:9092'];
    const { environment, server } = await startStream({
      dir,
      stream: 'kafka',
      port: 1,
      brokers,
      restart: false,
    });
    expect(server).toBeUndefined();
    expect(environment).toEqual({ KERNEL_STREAM: 'kafka', KAFKA_BROKERS: brokers.join(',') });
    expect(await readdir(dir)).toEqual([]);
  });

  it('starts no S3 server, and names their bucket to its apps', async () => {
    const bucket = {
      endpoint: 'https://s3.example.com',
      region: 'eu-1',
      bucket: 'audit',
      accessKeyId: 'id',
      secretAccessKey: 'secret',
    };
    const { environment, server } = await startArchive({
      dir,
      archive: 's3',
      port: 1,
      bucket,
      restart: false,
    });
    expect(server).toBeUndefined();
    expect(environment).toEqual({
      KERNEL_ARCHIVE: 's3',
      S3_ENDPOINT: bucket.endpoint,
      S3_REGION: bucket.region,
      S3_BUCKET: bucket.bucket,
      S3_ACCESS_KEY_ID: bucket.accessKeyId,
      S3_SECRET_ACCESS_KEY: bucket.secretAccessKey,
    });
    expect(await readdir(dir)).toEqual([]);
  });
});
