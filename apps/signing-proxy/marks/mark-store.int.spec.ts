import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
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
    const [verdict] = await by.judge([{ shard, start, end: start, committed }]);
    return verdict?.permitted ?? false;
  };
  /** A chain that was signed from its first position to this one, of which `committed` is known. */
  const chain = async (signed: number, committed = signed, shard = 0): Promise<void> => {
    const first = { shard, start: 1, end: signed, committed: 0 };
    const next = { shard, start: committed + 1, end: committed + 1, committed };
    for (const part of [first, next]) expect(await marks.judge([part])).toMatchObject([{ permitted: true }]);
  };
  const window = (seq: number) => ({
    shard: 0,
    seq,
    until: new Date(START + 60_000).toISOString(),
    openedBy: 'ops',
    reason: 'the archive is lost as well',
  });

  it('permit what starts above them, each shard by itself', async () => {
    await chain(20, 10);
    await chain(9, 9, 3);
    expect([await judge(11), await judge(11), await judge(30, 10)]).toEqual([true, true, true]);
    expect([await judge(10), await judge(5), await judge(10, 9, 3)]).toEqual([false, false, true]);
    expect(await marks.marks()).toEqual([
      { shard: 0, seq: 10, signed: 30, window: null },
      { shard: 3, seq: 9, signed: 10, window: null },
    ]);
  });

  it('permit nothing that builds on what was not signed, and remember nothing of it', async () => {
    expect([await judge(101), await judge(2)]).toEqual([false, false]);
    expect(await marks.marks()).toEqual([]);
    await chain(20);
    const before = await marks.marks();
    expect([await judge(100_000), await judge(23), await judge(60, 22)]).toEqual([false, false, false]);
    expect(await marks.marks()).toEqual(before);
    expect(await judge(21)).toBe(true);
  });

  it('judge the shards of a batch together', async () => {
    await chain(10);
    await chain(4, 4, 1);
    const verdicts = await marks.judge([
      { shard: 1, start: 5, end: 6, committed: 4 },
      { shard: 0, start: 7, end: 8, committed: 6 },
    ]);
    expect(verdicts.map(({ permitted }) => permitted)).toEqual([true, false]);
  });

  it('are there after a restart', async () => {
    await chain(100);
    await chain(7, 7, 2);
    // Signed ahead of a commit: the mark does not move, and yet it is remembered.
    expect(await judge(150, 100)).toBe(true);
    await marks.close();
    marks = await another();
    expect(await marks.marks()).toEqual([
      { shard: 0, seq: 100, signed: 150, window: null },
      { shard: 2, seq: 7, signed: 8, window: null },
    ]);
    expect([await judge(100), await judge(101), await judge(7, 6, 2)]).toEqual([false, true, false]);
    expect([await judge(152), await judge(151)]).toEqual([false, true]);
  });

  it('rise with each of many batches at once, and never fall', async () => {
    // A kernel has two requests under way; this is a dozen of them.
    await chain(240, 0);
    const batches = Array.from({ length: 24 }, (_, n) => n * 10 + 1);
    await Promise.all(batches.map((start) => judge(start)));
    const kept = [{ shard: 0, seq: 230, signed: 240, window: null }];
    expect(await marks.marks()).toEqual(kept);
    await marks.close();
    marks = await another();
    expect(await marks.marks()).toEqual(kept);
  });

  it('let one batch start below them while a restore window is open', async () => {
    await chain(100);
    expect(await marks.open(window(57))).toMatchObject({ seq: 100, window: { seq: 57, openedBy: 'ops' } });
    expect(await judge(57)).toBe(false);
    expect(await judge(58)).toBe(true);
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 57, signed: 58, window: null }]);
    expect(await judge(57)).toBe(false);
  });

  it('let an old chain go on that they know nothing of, after its head alone', async () => {
    expect(await judge(501)).toBe(false);
    expect(await marks.open(window(500))).toMatchObject({ seq: 0, signed: 0, window: { seq: 500 } });
    expect([await judge(502), await judge(500)]).toEqual([false, false]);
    expect(await judge(501)).toBe(true);
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 500, signed: 501, window: null }]);
    expect([await judge(500), await judge(503), await judge(502)]).toEqual([false, false, true]);
  });

  it('let nobody start below them when the window has closed, and keep it over a restart', async () => {
    await chain(100);
    await marks.open(window(57));
    await marks.close();
    marks = await another();
    now = START + 60_000;
    expect(await judge(58)).toBe(false);
    now = START + 59_999;
    expect(await judge(58)).toBe(true);
  });

  it('have nothing to open where nothing is refused', async () => {
    await chain(110, 100);
    expect(await marks.open(window(100))).toBeNull();
    expect(await marks.open(window(110))).toBeNull();
    expect(await marks.open({ ...window(0), shard: 7 })).toBeNull();
  });

  describe('with the last checkpoints', () => {
    const roots = ['A', 'B'].map((letter) => `${letter.repeat(42)}A=`) as [string, string];
    const keep = (size: number, root = roots[0], by = marks): Promise<void> =>
      by.checkpoint(0, () => ({ size, root }));
    const known = async (by = marks, shard = 0): Promise<unknown> => {
      let seen: unknown;
      await by.checkpoint(shard, (state) => {
        seen = state;
        return null;
      });
      return seen;
    };

    it('keep one for each shard, beside the marks and over a restart', async () => {
      expect(await known()).toEqual({ signed: 0, last: null });
      await chain(9, 8);
      await keep(7);
      await keep(9, roots[1]);
      await marks.checkpoint(2, () => ({ size: 0, root: roots[0] }));
      expect(await judge(12, 9)).toBe(true);
      const kept = [
        { shard: 0, size: 9, root: roots[1] },
        { shard: 2, size: 0, root: roots[0] },
      ];
      expect(await marks.checkpoints()).toEqual(kept);
      await marks.close();
      marks = await another();
      expect(await marks.checkpoints()).toEqual(kept);
      expect(await known()).toEqual({ signed: 12, last: { size: 9, root: roots[1] } });
      expect(await marks.marks()).toMatchObject([
        { shard: 0, seq: 9, signed: 12 },
        { shard: 2, seq: 0, signed: 0 },
      ]);
    });

    it('are left as they are by whoever refuses, or chooses nothing', async () => {
      await keep(7);
      await expect(
        marks.checkpoint(0, () => {
          throw new RangeError('refused');
        }),
      ).rejects.toThrow('refused');
      await known();
      expect(await marks.checkpoints()).toEqual([{ shard: 0, size: 7, root: roots[0] }]);
    });

    it('let only one of many choices be made from the same state', async () => {
      const chosenFrom: (number | undefined)[] = [];
      await Promise.all(
        Array.from({ length: 6 }, () =>
          marks.checkpoint(0, ({ last }) => ({ size: (last?.size ?? 0) + 1, root: roots[0] })),
        ),
      );
      await marks.checkpoint(0, ({ last }) => {
        chosenFrom.push(last?.size);
        return null;
      });
      expect(chosenFrom).toEqual([6]);
    });
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
    for (const start of [1, 11, 21, 31]) {
      await marks.judge([{ shard: 0, start, end: start + 9, committed: start - 1 }]);
    }
    await marks.close();
    // Records are written in turn, so the last of four lies where the second was.
    const file = await open(join(dir, 'high-water-marks'), 'r+');
    await file.write(Buffer.alloc(700), 0, 700, 1 * 2_048 + 30);
    await file.close();
    const [mark] = await FileMarks.open(dir).marks();
    expect(mark).toMatchObject({ seq: 20, signed: 30 });
  });

  it('belong to the process that began to use them last, and not to one that only opened them', async () => {
    const first = FileMarks.open(dir);
    await first.judge([{ shard: 0, start: 1, end: 14, committed: 0 }]);
    const second = FileMarks.open(dir);
    const [still] = await first.judge([{ shard: 0, start: 15, end: 20, committed: 14 }]);
    expect(still?.permitted).toBe(true);
    expect(await second.marks()).toMatchObject([{ shard: 0, seq: 14 }]);
    await expect(first.judge([{ shard: 0, start: 21, end: 21, committed: 20 }])).rejects.toMatchObject({
      code: 'signing_unavailable',
      message: expect.stringMatching(/Another signing proxy uses/),
    });
    const [verdict] = await second.judge([{ shard: 0, start: 10, end: 10, committed: 9 }]);
    expect(verdict?.permitted).toBe(false);
  });

  it('are read from a file of the version before, which kept the mark alone', async () => {
    const first = FileMarks.open(dir);
    await first.judge([{ shard: 0, start: 1, end: 20, committed: 0 }]);
    await first.close();
    const file = await open(join(dir, 'high-water-marks'), 'r+');
    for (const [slot, seq, generation] of [
      [2, 10, 3],
      [1, 20, 4],
    ] as const) {
      await file.write(Buffer.alloc(2_048), 0, 2_048, slot * 2_048);
      const record = JSON.stringify({ shard: 0, seq, window: null, generation });
      const text = `${createHash('sha256').update(record).digest('hex')}\n${record}\n`;
      await file.write(text, slot * 2_048);
    }
    await file.close();
    const marks = FileMarks.open(dir);
    expect(await marks.marks()).toEqual([{ shard: 0, seq: 20, signed: 20 + 3_073, window: null }]);
    expect(await marks.checkpoints()).toEqual([]);
    const verdicts = await marks.judge([{ shard: 0, start: 100_000, end: 100_000, committed: 99_999 }]);
    expect(verdicts).toMatchObject([{ permitted: false, why: 'position_ahead' }]);
    await marks.close();
  });

  it('are made whole or not at all', async () => {
    await FileMarks.open(dir).close();
    expect(await readdir(dir)).toEqual(['high-water-marks']);
    expect((await stat(join(dir, 'high-water-marks'))).mode & 0o777).toBe(0o600);
    // Opened, and never used: still no file of an earlier time.
    expect(await FileMarks.open(dir).marks()).toEqual([]);
  });

  const slots = (bytes: Buffer, ...which: number[]) => {
    for (const slot of which) bytes.fill(0, slot * 2_048, (slot + 1) * 2_048);
    return bytes;
  };
  it.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
    ['empty', () => Buffer.alloc(0), /high-water-marks is empty\. .*never taken as new: bring it back/],
    ['cut short', (bytes) => bytes.subarray(0, 6_000), /is cut short or no file of marks: it has 6000 bytes/],
    ['something else', () => Buffer.from('hello'), /no file of marks/],
    ['all zeros', (bytes) => Buffer.alloc(bytes.length), /was changed: it does not say who writes it/],
    [
      'without both records of a shard',
      (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('"seq":', '"sEq":'), 'latin1'),
      /was changed: what it says of shard 0 cannot be read/,
    ],
    ['without one of its records', (bytes) => slots(bytes, 1), /was changed: a record of shard 0 is gone/],
    ['without the other one', (bytes) => slots(bytes, 2), /was changed: a record of shard 0 is gone/],
  ])('are refused with what to do, and not changed, when the file is %s', async (_, damage, sentence) => {
    const path = join(dir, 'high-water-marks');
    const marks = FileMarks.open(dir);
    for (const start of [1, 11, 21]) {
      await marks.judge([{ shard: 0, start, end: start + 9, committed: start - 1 }]);
    }
    await marks.close();
    const damaged = Buffer.from(damage(await readFile(path)));
    await writeFile(path, damaged);
    expect(() => FileMarks.open(dir)).toThrow(sentence);
    expect((await readFile(path)).equals(damaged)).toBe(true);
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
      await a?.judge([{ shard: 0, start: 1, end: 100, committed: 0 }]);
      await a?.judge([{ shard: 0, start: 101, end: 101, committed: 100 }]);
      const permitted: (boolean | undefined)[] = [];
      for (const one of [b, other]) {
        const verdicts = await one?.judge([{ shard: 0, start: 1, end: 1, committed: 0 }]);
        permitted.push(verdicts?.[0]?.permitted);
      }
      expect(permitted).toEqual([false, true]);
      // What one has signed, another builds on.
      expect(await b?.judge([{ shard: 0, start: 102, end: 160, committed: 101 }])).toMatchObject([
        { permitted: true, mark: { seq: 101, signed: 160 } },
      ]);
      expect(await a?.judge([{ shard: 0, start: 161, end: 161, committed: 160 }])).toMatchObject([
        { permitted: true },
      ]);
    } finally {
      for (const one of [a, b, other]) await one?.close();
      await database.drop();
    }
  });

  it('of two roots of one size that are chosen at once, keep one', async () => {
    const database = await postgres().createDatabase();
    const stores = await Promise.all([1, 2].map(() => PostgresMarks.open(database.ownerUrl, ORIGIN)));
    try {
      for (let size = 1; size <= 20; size++) {
        const results = await Promise.allSettled(
          stores.map((store, n) =>
            store.checkpoint(0, ({ last }) => {
              if ((last?.size ?? 0) >= size) throw new RangeError('there is a root of this size');
              return { size, root: `${n}` };
            }),
          ),
        );
        expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
        const winner = results.findIndex(({ status }) => status === 'fulfilled');
        expect(await stores[0]?.checkpoints()).toEqual([{ shard: 0, size, root: `${winner}` }]);
      }
    } finally {
      for (const store of stores) await store.close();
      await database.drop();
    }
  });

  it('take a table of the version before, which kept the mark alone', async () => {
    const database = await postgres().createDatabase();
    const { Client } = await import('pg');
    const client = new Client({ connectionString: database.ownerUrl });
    await client.connect();
    await client.query(`CREATE TABLE signing_marks (origin text NOT NULL, shard integer NOT NULL, seq bigint NOT NULL,
      "window" jsonb, changed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (origin, shard))`);
    await client.query(`INSERT INTO signing_marks (origin, shard, seq) VALUES ('${ORIGIN}', 0, 20)`);
    await client.end();
    // Two replicas at once.
    const stores = await Promise.all([1, 2].map(() => PostgresMarks.open(database.ownerUrl, ORIGIN)));
    try {
      expect(await stores[1]?.marks()).toEqual([{ shard: 0, seq: 20, signed: 20 + 3_073, window: null }]);
      expect(await stores[0]?.checkpoints()).toEqual([]);
    } finally {
      for (const store of stores) await store.close();
      await database.drop();
    }
  });

  it('make signing unavailable while they cannot be reached', async () => {
    const database = await postgres().createDatabase();
    const marks = await PostgresMarks.open(database.ownerUrl, ORIGIN);
    await marks.judge([{ shard: 0, start: 1, end: 1, committed: 0 }]);
    await database.drop();
    await expect(marks.judge([{ shard: 0, start: 2, end: 2, committed: 1 }])).rejects.toMatchObject({
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
