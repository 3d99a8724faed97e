import { get } from 'node:http';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Archive, type ArchiveObject, ArchiveError, S3Archive } from '#platform/archive';
import { describeWithS3, withPostgres, withS3 } from '#dev/testing';
import { type ArchiverFixture, openFixture, until } from './archiver.fixture';

const postgres = withPostgres();

/** An archive in front of another one: the test decides what happens to a put. */
function between(archive: Archive, put: (object: ArchiveObject) => Promise<void>): Archive {
  return new Proxy(archive, {
    get(target, member) {
      if (member === 'put') {
        return async (object: ArchiveObject) => {
          await put(object);
          return target.put(object);
        };
      }
      const value = Reflect.get(target, member) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function ready(port: number): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/ready', agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });
}

describe('the archiver', () => {
  let fixture: ArchiverFixture;
  afterEach(() => fixture.stop());

  async function expectArchived(archive: Archive, shard = 0): Promise<void> {
    for (const { key, bytes } of await fixture.stored(shard)) {
      expect(Buffer.from((await archive.get(key)) ?? [])).toEqual(bytes);
    }
  }

  it('stores every event of every shard as its canonical bytes, and goes on where it was', async () => {
    fixture = await openFixture(postgres(), { shards: 2 });
    await fixture.append(60);
    const archiver = await fixture.start();
    const heads = async (): Promise<number[]> =>
      Promise.all([0, 1].map(async (shard) => (await fixture.stored(shard)).length));
    const arrived = async (): Promise<boolean> =>
      (await heads()).join() === (await Promise.all([0, 1].map((s) => fixture.position(s)))).join();
    await until('everything is archived', arrived);
    await Promise.all([0, 1].map((shard) => expectArchived(fixture.archive, shard)));
    expect((await ready(archiver.managementPort)).status).toBe(200);
    const metrics = await archiver.registry.metrics();
    expect(metrics).toContain('archiver_uploads_total{outcome="stored"} 63');
    expect(metrics).toContain('kernel_pipeline_lag_events{stage="archiver",shard="0"} 0');
    await archiver.close();
    await fixture.append(10);
    await fixture.start();
    await until('the rest is archived', arrived);
    await Promise.all([0, 1].map((shard) => expectArchived(fixture.archive, shard)));
  });

  it('never moves its position past an event that is not durable', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(30);
    const keys = (await fixture.stored()).map(({ key }) => key);
    let refused = 0;
    const archive = between(fixture.archive, async ({ key }) => {
      // Refuses the sixth one three times; those behind it go through meanwhile.
      if (key === keys[5] && refused < 3) {
        refused++;
        expect(await fixture.position()).toBeLessThanOrEqual(5);
        throw new ArchiveError('unavailable', 'The store is away.');
      }
    });
    const archiver = await fixture.start({ archive });
    await until('all are archived', async () => (await fixture.position()) === 33);
    expect(refused).toBe(3);
    await expectArchived(fixture.archive);
    const metrics = await archiver.registry.metrics();
    expect(metrics).toContain('archiver_upload_failures_total{kind="unavailable"} 3');
    expect(metrics).toMatch(/archiver_uploads_total\{outcome="already"\} [1-9]/);
  });

  it('stops the shard at another object in the place of an event, and goes on when it is gone', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(10);
    const [, , , victim] = await fixture.stored();
    await fixture.archive.putDocument(victim?.key ?? '', Buffer.from('{"forged":true}'));
    const archiver = await fixture.start();
    await until('/ready is red', async () => (await ready(archiver.managementPort)).status === 503);
    await until('the position stands before it', async () => (await fixture.position()) === 3);
    expect((await ready(archiver.managementPort)).text).toContain('is already archived with other bytes');
    expect(await archiver.registry.metrics()).toContain(
      'audit_integrity_failures_total{shard="0",kind="different_object"} 1',
    );
    expect(Buffer.from((await fixture.archive.get(victim?.key ?? '')) ?? []).toString()).toBe(
      '{"forged":true}',
    );
    await archiver.close();
    const file = join(fixture.dir, 'archive', victim?.key ?? '');
    await chmod(file, 0o600);
    await writeFile(file, victim?.bytes ?? '');
    await fixture.start();
    await until('it goes on', async () => (await fixture.position()) === 13);
    await expectArchived(fixture.archive);
  });

  it('two on one archive store each event once', async () => {
    fixture = await openFixture(postgres());
    await fixture.append(40);
    await Promise.all([fixture.start(), fixture.start()]);
    await fixture.append(40);
    await until('all are archived', async () => (await fixture.position()) === 83);
    await expectArchived(fixture.archive);
  });

  it('refuses an archive that is not protected where it has to be', async () => {
    fixture = await openFixture(postgres());
    await expect(fixture.start({ protectedOnly: true })).rejects.toMatchObject({
      name: 'ArchiveError',
      code: 'not_protected',
    });
    expect(await fixture.position()).toBe(0);
  });
});

describeWithS3(
  'the archiver with a real S3 server',
  () => {
    const s3 = withS3({ own: true });
    let fixture: ArchiverFixture;
    afterEach(() => fixture.stop());

    async function openBucket(protection?: 'versioning'): Promise<S3Archive> {
      const { name: bucket, owner: credentials } = await s3().createBucket(protection);
      const { endpoint, region } = s3();
      return S3Archive.open({
        bucket,
        region,
        endpoint,
        credentials,
        retention: { mode: 'GOVERNANCE', days: 30 },
        attempts: { attempts: 2, timeoutMs: 2_000, firstPauseMs: 50 },
      });
    }

    it('waits out a store that is away, in order and with nothing lost', async () => {
      fixture = await openFixture(postgres());
      const archive = await openBucket();
      const archiver = await fixture.start({ archive, protectedOnly: true });
      await fixture.append(20);
      await until('the first are archived', async () => (await fixture.position()) === 23);
      await s3().server?.stop();
      await fixture.append(40);
      await until('/ready is red', async () => (await ready(archiver.managementPort)).status === 503);
      const during = await fixture.position();
      expect(during).toBe(23);
      await s3().server?.start();
      await until('the backlog is archived', async () => (await fixture.position()) === 63);
      for (const { key, bytes } of await fixture.stored()) {
        expect(Buffer.from((await archive.get(key)) ?? [])).toEqual(bytes);
        expect(await archive.retention(key)).toMatchObject({ mode: 'GOVERNANCE' });
      }
      await until('/ready is green', async () => (await ready(archiver.managementPort)).status === 200);
      await archiver.close();
      await archive.close();
    });

    it('refuses a bucket without object lock', async () => {
      fixture = await openFixture(postgres());
      const archive = await openBucket('versioning');
      await expect(fixture.start({ archive, protectedOnly: true })).rejects.toMatchObject({
        code: 'not_protected',
      });
      await archive.close();
    });
  },
  { own: true },
);
