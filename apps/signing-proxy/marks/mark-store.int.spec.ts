import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { FileMarks } from './file-marks';
import { type MarkStore } from './mark-store';
import { openMarks } from './open-marks';
import { PostgresMarks } from './postgres-marks';

const ORIGIN = 'kernel.example.com/marks';
const START = Date.parse('2026-02-01T10:00:00.000Z');

const postgres = withPostgres();

describe.each(['file', 'postgres'] as const)('high-water marks in %s', (kind) => {
  let dir: string;
  let database: TestDatabase | undefined;
  let now: number;
  const opened: MarkStore[] = [];
  const another = async (): Promise<MarkStore> => {
    const clock = (): number => now;
    const marks =
      kind === 'file'
        ? FileMarks.open(dir, clock)
        : await PostgresMarks.open(database?.ownerUrl ?? '', ORIGIN, clock);
    opened.push(marks);
    return marks;
  };
  let marks: MarkStore;

  beforeEach(async () => {
    now = START;
    dir = await mkdtemp(join(tmpdir(), 'signing-marks-'));
    if (kind === 'postgres') database = await postgres().createDatabase();
    marks = await another();
  });
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close();
    await database?.drop();
    database = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  const judge = async (start: number, committed = start - 1, shard = 0, by = marks): Promise<boolean> => {
    const [verdict] = await by.judge([{ shard, start, committed }]);
    return verdict?.permitted ?? false;
  };
  const window = (seq: number) => ({
    shard: 0,
    seq,
    until: new Date(START + 60_000).toISOString(),
    openedBy: 'ops',
    reason: 'the archive is lost as well',
  });

  it('permit what starts above them, each shard by itself', async () => {
    expect([await judge(1), await judge(11), await judge(11), await judge(30, 10)]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect([await judge(10), await judge(5), await judge(10, 9, 3)]).toEqual([false, false, true]);
    expect(await marks.marks()).toEqual([
      { shard: 0, seq: 10, window: null },
      { shard: 3, seq: 9, window: null },
    ]);
  });

  it('judge the shards of a batch together', async () => {
    await judge(11);
    const verdicts = await marks.judge([
      { shard: 1, start: 5, committed: 4 },
      { shard: 0, start: 7, committed: 6 },
    ]);
    expect(verdicts.map(({ permitted }) => permitted)).toEqual([true, false]);
  });

  it('are there after a restart', async () => {
    await judge(101);
    await judge(8, 7, 2);
    await marks.close();
    marks = await another();
    expect([await judge(100), await judge(101), await judge(7, 6, 2)]).toEqual([false, true, false]);
  });

  it('rise with each of many batches at once, and never fall', async () => {
    // A kernel has two requests under way; this is a dozen of them.
    const batches = Array.from({ length: 24 }, (_, n) => n * 10 + 1);
    await Promise.all(batches.map((start) => judge(start)));
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 230, window: null }]);
    await marks.close();
    marks = await another();
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 230, window: null }]);
  });

  it('let one batch start below them while a restore window is open', async () => {
    await judge(101);
    expect(await marks.open(window(57))).toMatchObject({ seq: 100, window: { seq: 57, openedBy: 'ops' } });
    expect(await judge(57)).toBe(false);
    expect(await judge(58)).toBe(true);
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 57, window: null }]);
    expect(await judge(57)).toBe(false);
  });

  it('let nobody start below them when the window has closed, and keep it over a restart', async () => {
    await judge(101);
    await marks.open(window(57));
    await marks.close();
    marks = await another();
    now = START + 60_000;
    expect(await judge(58)).toBe(false);
    now = START + 59_999;
    expect(await judge(58)).toBe(true);
  });

  it('have nothing to open above them', async () => {
    await judge(101);
    expect(await marks.open(window(100))).toBeNull();
    expect(await marks.open({ ...window(0), shard: 7 })).toBeNull();
  });
});

describe('high-water marks in a file', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'signing-marks-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('survive a record that was torn', async () => {
    const marks = FileMarks.open(dir);
    for (const start of [11, 21, 31]) await marks.judge([{ shard: 0, start, committed: start - 1 }]);
    await marks.close();
    // Records are written in turn, so the last of three lies where the first was.
    const file = await open(join(dir, 'high-water-marks'), 'r+');
    await file.write(Buffer.alloc(700), 0, 700, 2 * 2_048 + 30);
    await file.close();
    const [mark] = await FileMarks.open(dir).marks();
    expect(mark?.seq).toBe(20);
  });

  it('belong to the process that began to use them last, and not to one that only opened them', async () => {
    const first = FileMarks.open(dir);
    await first.judge([{ shard: 0, start: 11, committed: 10 }]);
    const second = FileMarks.open(dir);
    const [still] = await first.judge([{ shard: 0, start: 15, committed: 14 }]);
    expect(still?.permitted).toBe(true);
    expect(await second.marks()).toMatchObject([{ shard: 0, seq: 14 }]);
    await expect(first.judge([{ shard: 0, start: 21, committed: 20 }])).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringMatching(/Another signing proxy uses/),
    });
    const [verdict] = await second.judge([{ shard: 0, start: 10, committed: 9 }]);
    expect(verdict?.permitted).toBe(false);
  });

  it('are refused when the file is something else', async () => {
    const file = await open(join(dir, 'high-water-marks'), 'w');
    await file.write('hello');
    await file.close();
    expect(() => FileMarks.open(dir)).toThrow(/is no file of high-water marks/);
  });
});

describe('high-water marks in PostgreSQL', () => {
  it('are shared by replicas, and belong to one kernel each', async () => {
    const database = await postgres().createDatabase();
    const [a, b, other] = await Promise.all(
      [ORIGIN, ORIGIN, 'kernel.example.com/other'].map((origin) =>
        PostgresMarks.open(database.ownerUrl, origin),
      ),
    );
    try {
      await a?.judge([{ shard: 0, start: 101, committed: 100 }]);
      const permitted: (boolean | undefined)[] = [];
      for (const one of [b, other]) {
        const verdicts = await one?.judge([{ shard: 0, start: 58, committed: 57 }]);
        permitted.push(verdicts?.[0]?.permitted);
      }
      expect(permitted).toEqual([false, true]);
    } finally {
      for (const one of [a, b, other]) await one?.close();
      await database.drop();
    }
  });

  it('make signing unavailable while they cannot be reached', async () => {
    const database = await postgres().createDatabase();
    const marks = await PostgresMarks.open(database.ownerUrl, ORIGIN);
    await marks.judge([{ shard: 0, start: 1, committed: 0 }]);
    await database.drop();
    await expect(marks.judge([{ shard: 0, start: 2, committed: 1 }])).rejects.toMatchObject({
      code: 'signing_unavailable',
    });
    await marks.close();
  });
});

describe('openMarks', () => {
  const config = { origin: ORIGIN, signingMarksDir: undefined, signingMarksDatabaseUrl: undefined };

  it('does without in development, and not in production', async () => {
    expect(await openMarks({ ...config, isProduction: false })).toBeUndefined();
    await expect(openMarks({ ...config, isProduction: true })).rejects.toThrow(
      /KERNEL_SIGNING_MARKS_DATABASE_URL/,
    );
  });

  it('keeps them in one place', async () => {
    const both = {
      ...config,
      signingMarksDir: '/x',
      signingMarksDatabaseUrl: 'postgres://x',
      isProduction: false,
    };
    await expect(openMarks(both)).rejects.toThrow(/exclude each other/);
  });

  it('refuses the database that it watches', async () => {
    const database = await postgres().createDatabase();
    const { Client } = await import('pg');
    const client = new Client({ connectionString: database.ownerUrl });
    await client.connect();
    await client.query('CREATE SCHEMA kernel; CREATE TABLE kernel.events ()');
    await client.end();
    await expect(
      openMarks({ ...config, signingMarksDatabaseUrl: database.ownerUrl, isProduction: true }),
    ).rejects.toThrow(/database of the event store/);
    await database.drop();
  });
});
