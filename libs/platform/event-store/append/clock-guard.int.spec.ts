import { withPostgres } from '#dev/testing';
import {
  append,
  migrated,
  openStore,
  type OpenStore,
  type StoreDatabase,
  write,
} from '../fixtures/store.fixture';

const HOUR = 3_600_000;

describe.each(['optimistic', 'locked'] as const)('a store whose clock jumps, %s', (writing) => {
  const postgres = withPostgres();
  let database: StoreDatabase & { drop(): Promise<void> };
  let opened: OpenStore;
  let ahead = 0;
  let passed = 0;

  beforeEach(async () => {
    [ahead, passed] = [0, 0];
    database = await migrated(postgres());
    opened = await openStore(database, {
      writing,
      now: () => Date.now() + ahead,
      // As if some time lay between two looks at the clocks.
      monotonic: () => performance.now() + passed,
      maxClockJumpMs: 60_000,
    });
  });
  afterEach(async () => {
    await opened.close();
    await database.drop();
  });

  it('writes nothing of it into the chain, says so, and goes on when it is right again', async () => {
    const { store } = opened;
    await store.append(append(write('a/1')));
    ahead = 3 * HOUR;
    const before = Date.now();
    for (let n = 0; n < 3; n++) {
      await expect(store.append(append(write('a/1')))).rejects.toMatchObject({
        code: 'clock_jumped',
        details: { committed: false, maxJumpMs: 60_000 },
      });
    }
    expect(await store.clockProblem()).toContain('10800 s ahead');
    ahead = 0;
    expect(await store.clockProblem()).toBeNull();
    await store.append(append(write('a/1')));
    const [head] = await store.heads();
    expect(head).toMatchObject({ seq: 2 });
    expect(Date.parse(head?.ts ?? '')).toBeGreaterThanOrEqual(before);
    expect(Date.parse(head?.ts ?? '')).toBeLessThan(before + HOUR);
    expect(opened.refusals).toEqual(['clock_jumped', 'clock_jumped', 'clock_jumped']);
  });

  it('does not begin with a clock that is ahead of the database server', async () => {
    ahead = HOUR;
    await expect(opened.store.append(append())).rejects.toMatchObject({ code: 'clock_jumped' });
    ahead = 59_000;
    await opened.store.append(append());
  });
});
