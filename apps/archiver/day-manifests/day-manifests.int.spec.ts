import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Archive } from '#platform/archive';
import {
  ARCHIVE_DAY,
  type ArchiveDay,
  archiveDayKey,
  archiveDayPrefix,
  parseEvent,
  sha256Hex,
  verifyDocument,
} from '#evidence';
import { withPostgres } from '#dev/testing';
import { type ArchiverFixture, openFixture, ORIGIN, until } from '../archiver.fixture';

const postgres = withPostgres();

describe('day manifests', () => {
  let fixture: ArchiverFixture;
  beforeEach(async () => {
    fixture = await openFixture(postgres());
  });
  afterEach(() => fixture.stop());

  const day = (date: string, time = '10:00:00.000'): Date => new Date(`${date}T${time}Z`);

  async function append(date: string, count = 1): Promise<void> {
    fixture.clock = day(date);
    await fixture.append(count);
  }

  async function keys(archive: Archive = fixture.archive): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of archive.list(archiveDayPrefix(0))) found.push(key);
    return found;
  }

  async function read(): Promise<{ document: ArchiveDay; sha256: string }[]> {
    return Promise.all(
      (await keys()).map(async (key) => {
        const envelope = (await fixture.archive.get(key)) ?? new Uint8Array();
        const { document, reasons } = verifyDocument(ARCHIVE_DAY, {
          envelope,
          keys: fixture.signers,
          origin: ORIGIN,
        });
        expect(reasons).toEqual([]);
        if (document === null) throw new Error('no document');
        expect(archiveDayKey(document)).toBe(key);
        return { document, sha256: sha256Hex(envelope) };
      }),
    );
  }

  /** Expects the manifests that the events of the store give, link by link, for exactly these days. */
  async function expectManifests(days: string[]): Promise<void> {
    const events = (await fixture.stored()).map(({ bytes }) => parseEvent(bytes));
    const manifests = await read();
    expect(manifests.map(({ document }) => document.day)).toEqual(days);
    for (const [n, { document }] of manifests.entries()) {
      const own = events.filter(({ ts }) => ts.startsWith(document.day));
      const before = manifests[n - 1];
      const { signedAt } = document;
      expect(document).toEqual({
        origin: ORIGIN,
        shard: 0,
        day: document.day,
        count: own.length,
        first: { seq: own[0]?.seq, hash: own[0]?.hash },
        last: { seq: own.at(-1)?.seq, hash: own.at(-1)?.hash },
        previous: before === undefined ? null : { day: before.document.day, sha256: before.sha256 },
        signedAt,
      });
    }
  }

  it('are written for each day that has events once a later day has one, and link to each other', async () => {
    await append('2026-01-31', 3);
    await append('2026-02-01', 4);
    await append('2026-02-05', 2);
    const archiver = await fixture.start({ dayGraceMs: Number.MAX_SAFE_INTEGER });
    await until('two are written', async () => (await keys()).length === 2);
    await expectManifests(['2026-01-31', '2026-02-01']);
    // Another process continues where this one was.
    await archiver.close();
    await append('2026-02-06');
    const next = await fixture.start({ dayGraceMs: Number.MAX_SAFE_INTEGER });
    await until('the third is written', async () => (await keys()).length === 3);
    await expectManifests(['2026-01-31', '2026-02-01', '2026-02-05']);
    // The object is there a moment before the archiver says so.
    const lastDay = `archiver_last_manifest_day_timestamp_seconds{shard="0"} ${Date.parse('2026-02-05') / 1_000}`;
    let metrics = '';
    await until('the metrics name its day', async () =>
      (metrics = await next.registry.metrics()).includes(lastDay),
    );
    expect(metrics).toContain('archiver_day_manifests_total{shard="0"} 1');
    expect(metrics).toContain('archiver_day_manifest_age_seconds{shard="0"} 0');
  });

  it('are written for a day long past that nothing followed', async () => {
    await append('2026-01-31', 3);
    await fixture.start();
    await until('it is written', async () => (await keys()).length === 1);
    await expectManifests(['2026-01-31']);
  });

  it('wait for the grace after midnight', async () => {
    fixture.clock = new Date();
    const today = fixture.clock.toISOString().slice(0, 10);
    await fixture.append(1);
    // The clock of the database server says today.
    await fixture.start();
    await until('all is archived', async () => (await fixture.position()) === 4);
    await until('the first day has its own', async () => (await keys()).length === 1);
    // Rounds go by every 20 ms.
    await fixture.append(1);
    await until('all is archived', async () => (await fixture.position()) === 5);
    expect((await read()).map(({ document }) => document.day)).not.toContain(today);
  });

  it('put an event that came too late for its day into the next one, for everybody to see', async () => {
    await append('2026-01-31', 2);
    const archiver = await fixture.start();
    await until('the day is over', async () => (await keys()).length === 1);
    await append('2026-01-31', 1);
    await append('2026-02-01', 1);
    await until('the next day is over', async () => (await keys()).length === 2);
    await archiver.close();
    const [first, second] = await read();
    expect([first?.document.last.seq, second?.document.first.seq, second?.document.count]).toEqual([5, 6, 2]);
    expect(second?.document.day).toBe('2026-02-01');
  });

  it('wait for the signing proxy, while events go on', async () => {
    fixture.proxy.away = true;
    await append('2026-01-31', 2);
    await append('2026-02-01', 2);
    const archiver = await fixture.start({ dayGraceMs: Number.MAX_SAFE_INTEGER });
    await until('all is archived', async () => (await fixture.position()) === 7);
    await until('it says why', async () =>
      (await archiver.registry.metrics()).includes(
        'archiver_day_manifest_failures_total{kind="signing_unavailable"}',
      ),
    );
    expect(await keys()).toEqual([]);
    const age = /archiver_day_manifest_age_seconds\{shard="0"\} (\S+)/.exec(
      await archiver.registry.metrics(),
    );
    expect(Number(age?.[1])).toBeGreaterThan(0);
    fixture.proxy.away = false;
    await until('the day is written', async () => (await keys()).length === 1);
    await expectManifests(['2026-01-31']);
  });

  it('say the same when two archivers write them at once', async () => {
    await append('2026-01-31', 5);
    await append('2026-02-01', 5);
    await append('2026-02-02', 5);
    const archivers = await Promise.all([fixture.start(), fixture.start()]);
    await until('all are written', async () => (await keys()).length === 3);
    await expectManifests(['2026-01-31', '2026-02-01', '2026-02-02']);
    for (const { registry } of archivers) {
      expect(await registry.metrics()).not.toContain('{kind="contradiction"}');
    }
  });

  it('are not built on one that does not verify', async () => {
    await append('2026-01-31', 2);
    await append('2026-02-01', 2);
    const first = await fixture.start({ dayGraceMs: Number.MAX_SAFE_INTEGER });
    await until('the first is written', async () => (await keys()).length === 1);
    await first.close();
    const file = join(fixture.dir, 'archive', (await keys())[0] ?? '');
    await chmod(file, 0o600);
    await writeFile(file, '{"payloadType":"x"}');
    await append('2026-02-02', 1);
    const second = await fixture.start({ dayGraceMs: Number.MAX_SAFE_INTEGER });
    await until('it says so', async () =>
      (await second.registry.metrics()).includes(
        'archiver_day_manifest_failures_total{kind="contradiction"}',
      ),
    );
    await until('events go on', async () => (await fixture.position()) === 8);
    expect(await keys()).toHaveLength(1);
  });
});
