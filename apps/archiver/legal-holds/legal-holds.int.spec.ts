import { type Archive, ArchiveError, S3Archive } from '#platform/archive';
import { describeWithS3, withPostgres, withS3 } from '#dev/testing';
import { type ArchiverFixture, openFixture, until } from '../archiver.fixture';

const postgres = withPostgres();

describe('legal holds', () => {
  let fixture: ArchiverFixture;
  beforeEach(async () => {
    fixture = await openFixture(postgres());
  });
  afterEach(() => fixture.stop());

  async function hold(inForce: boolean, fromSeq: number, toSeq = fromSeq): Promise<void> {
    await fixture.append(1, {
      type: `legal_hold.${inForce ? 'placed' : 'lifted'}`,
      stream: `legal_hold/0:${fromSeq}-${toSeq}`,
      payload: { shard: 0, fromSeq, toSeq, reason: 'case 17' },
    });
  }

  /** The positions whose objects are held. */
  async function held(archive: Archive = fixture.archive): Promise<number[]> {
    const events = await fixture.stored();
    const holds = await Promise.all(
      events.map(async ({ key }) => (await archive.retention(key))?.legalHold === true),
    );
    return holds.flatMap((isHeld, at) => (isHeld ? [at + 1] : []));
  }

  async function pending(): Promise<number> {
    const [row] = await fixture.dataSource.query<{ n: string }[]>(
      'SELECT count(*) AS n FROM kernel.legal_holds WHERE applied_seq < to_seq',
    );
    return Number(row?.n);
  }

  const applied = async (events: number): Promise<void> => {
    await until('the events are archived', async () => (await fixture.position()) === events);
    await until('the holds are applied', async () => (await pending()) === 0);
  };

  it('are placed and lifted as the chain says, on a range or one event', async () => {
    await fixture.append(200);
    await hold(true, 3, 150);
    await hold(true, 180);
    const archiver = await fixture.start();
    await applied(205);
    expect(await held()).toEqual([...Array.from({ length: 148 }, (_, n) => n + 3), 180]);
    await hold(false, 180);
    await applied(206);
    expect(await held()).not.toContain(180);
    const metrics = await archiver.registry.metrics();
    expect(metrics).toContain('archiver_legal_holds_applied_total 150');
  });

  it('stay while another hold covers the event', async () => {
    await fixture.append(10);
    await hold(true, 1, 6);
    await hold(true, 4, 8);
    await fixture.start();
    await applied(15);
    await hold(false, 1, 6);
    await applied(16);
    expect(await held()).toEqual([4, 5, 6, 7, 8]);
    await hold(false, 4, 8);
    await applied(17);
    expect(await held()).toEqual([]);
  });

  it('are the same when all events are read again', async () => {
    await fixture.append(5);
    await hold(true, 2, 3);
    await hold(false, 2, 3);
    await hold(true, 5);
    const archiver = await fixture.start();
    await applied(11);
    await archiver.close();
    await fixture.dataSource.query('DELETE FROM kernel.stream_positions');
    await fixture.start();
    await applied(11);
    expect(await held()).toEqual([5]);
  });

  it('are tried again, and say why they wait', async () => {
    let failures = 0;
    const archive = new Proxy(fixture.archive, {
      get(target, member) {
        if (member === 'setLegalHold') {
          return async (key: string, on: boolean) => {
            if (failures++ < 3) throw new ArchiveError('access_denied', 'The right to hold is missing.');
            return target.setLegalHold(key, on);
          };
        }
        const value = Reflect.get(target, member) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    await fixture.append(2);
    await hold(true, 1);
    const archiver = await fixture.start({ archive, everyMs: 200 });
    await until('it says why', async () => {
      const [row] = await fixture.dataSource.query<{ failure: string | null }[]>(
        'SELECT failure FROM kernel.legal_holds',
      );
      return row?.failure === 'The right to hold is missing.';
    });
    await applied(6);
    expect(await held()).toEqual([1]);
    expect(await archiver.registry.metrics()).toContain(
      'archiver_legal_hold_failures_total{kind="access_denied"} 3',
    );
  });

  it.each([
    ['U+0000', 'case\u000017', 'case\ufffd17'],
    ['every control character', '\u0001\r\u001b[2J\u009b', '\u0001\r\u001b[2J\u009b'],
    ['60 KB', 'x'.repeat(60_000), 'x'.repeat(60_000)],
  ])('are placed for a reason with %s', async (_what, reason, noted) => {
    await fixture.append(2);
    const payload = { shard: 0, fromSeq: 1, toSeq: 2, reason };
    await fixture.append(1, { type: 'legal_hold.placed', stream: 'legal_hold/0:1-2', payload });
    await fixture.start();
    await applied(6);
    expect(await held()).toEqual([1, 2]);
    const rows = await fixture.dataSource.query<object[]>('SELECT reason FROM kernel.legal_holds');
    expect(rows).toEqual([{ reason: noted }]);
  });

  it('are not taken from events whose numbers no column holds', async () => {
    await fixture.append(2);
    for (const shard of [128, 2 ** 31, 2 ** 53 - 1]) {
      const payload = { shard, fromSeq: 1, toSeq: 2 ** 53 - 1, reason: 'x' };
      const stream = `legal_hold/${shard}:1-${2 ** 53 - 1}`;
      await fixture.append(1, { type: 'legal_hold.placed', stream, payload });
    }
    await fixture.start();
    await until('the events are archived', async () => (await fixture.position()) === 8);
    expect(await fixture.dataSource.query('SELECT * FROM kernel.legal_holds')).toEqual([]);
  });

  it('are not taken from events that only look like them', async () => {
    await fixture.append(3);
    await fixture.append(1, {
      type: 'legal_hold.placed',
      stream: 'thing/1',
      payload: { shard: 0, fromSeq: 1, toSeq: 2, reason: 'x' },
    });
    await fixture.append(1, {
      type: 'legal_hold.placed',
      stream: 'legal_hold/0:1-9',
      payload: { shard: 0, fromSeq: 1, toSeq: 2, reason: 'x' },
    });
    await fixture.start();
    await applied(8);
    expect(await held()).toEqual([]);
  });

  describeWithS3('in a bucket', () => {
    const s3 = withS3();

    it('keep an object although its retention may be lifted', async () => {
      const { name: bucket, owner: credentials } = await s3().createBucket();
      const { endpoint, region } = s3();
      const retention = { mode: 'GOVERNANCE', days: 1 } as const;
      const archive = await S3Archive.open({ bucket, region, endpoint, credentials, retention });
      await fixture.append(4);
      await hold(true, 2, 4);
      await fixture.start({ archive });
      await applied(8);
      expect(await held(archive)).toEqual([2, 3, 4]);
      await hold(false, 2, 4);
      await applied(9);
      expect(await held(archive)).toEqual([]);
      await archive.close();
    });
  });
});
