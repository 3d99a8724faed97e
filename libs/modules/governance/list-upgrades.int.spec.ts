import { IndexRebuild } from '#platform/audit-stream';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { governedDatabase, type GovernedKernel } from './fixtures/governed-store.fixture';
import { indexOf, SHARDS } from './fixtures/indexed-upgrades.fixture';
import { ListUpgrades, ListUpgradesHandler, type UpgradeFilter } from './list-upgrades.handler';

const DAY = 24 * 3_600_000;

describe('the list of upgrades', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let governed: Awaited<ReturnType<typeof governedDatabase>>;
  let indexed: Awaited<ReturnType<typeof indexOf>>;
  let kernel: GovernedKernel;
  let list: ListUpgradesHandler;
  beforeEach(async () => {
    governed = await governedDatabase(postgres());
    ({ database } = governed);
    kernel = await governed.kernel();
    indexed = await indexOf(database, kernel);
    list = new ListUpgradesHandler(indexed.index, kernel.reader);
  });
  afterEach(async () => {
    await governed.close();
    await indexed.close();
    await database.drop();
  });

  async function ids(filter: Partial<UpgradeFilter> = {}, limit = 100): Promise<string[]> {
    const found: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof list.execute>> = await list.execute(
        new ListUpgrades(
          { status: null, type: null, ...filter },
          { limit, ...(cursor !== null && { cursor }) },
        ),
      );
      expect(page.upgrades.length).toBeLessThanOrEqual(limit);
      found.push(...page.upgrades.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    return found;
  }

  it('has what is indexed, the newest first, each as it is now', async () => {
    expect(await ids()).toEqual([]);
    for (const id of ['a', 'b', 'c']) await kernel.propose(id);
    expect(await ids()).toEqual([]);
    await indexed.catchUp();
    await kernel.propose('d');
    expect(await ids()).toEqual(['c', 'b', 'a']);
    // The current status is read where it was decided, indexed or not.
    for (const n of [1, 2, 3]) await kernel.sign('b', n);
    expect(await ids({ status: 'approved' })).toEqual(['b']);
    await indexed.catchUp();
    expect(await ids()).toEqual(['d', 'c', 'b', 'a']);
  });

  it('finds by status what holds at the moment of asking, recorded or not', async () => {
    for (const id of ['open', 'decided', 'gone', 'fire']) await kernel.propose(id);
    for (const n of [1, 2, 3]) await kernel.sign('decided', n);
    await kernel.decide('gone', { kind: 'withdraw', reason: 'no', by: 'operator' });
    await kernel.decide('fire', { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
    await indexed.catchUp();
    expect(await ids({ status: 'proposed' })).toEqual(['open']);
    expect(await ids({ status: 'approved' })).toEqual(['decided']);
    expect(await ids({ status: 'emergency_applied' })).toEqual(['fire']);
    // The approvals have grown too old, and nothing has been written since.
    governed.clock.now += 15 * DAY;
    expect(await ids({ status: 'proposed' })).toEqual(['decided', 'open']);
    expect(await ids({ status: 'approved' })).toEqual([]);
    governed.clock.now += 16 * DAY;
    expect(await ids({ status: 'proposed' })).toEqual([]);
    expect(await ids({ status: 'expired' })).toEqual(['decided', 'open']);
    expect(await ids({ status: 'withdrawn' })).toEqual(['gone']);
    await kernel.coordinator.pass();
    expect(await ids({ status: 'expired' })).toEqual(['decided', 'open']);
    expect(await ids({ status: 'emergency_applied' })).toEqual([]);
    expect(await ids({ status: 'rollback_required' })).toEqual(['fire']);
  });

  it('pages by type and status without missing or repeating one, and binds a cursor to its question', async () => {
    for (let n = 0; n < 12; n++) {
      await kernel.propose(`u${n}`, n % 3 === 0 ? { type: 'manifest' } : {});
      if (n % 2 === 0) await kernel.decide(`u${n}`, { kind: 'withdraw', reason: 'no', by: 'operator' });
    }
    await indexed.catchUp();
    for (const limit of [1, 2, 3, 100]) {
      expect(await ids({ type: 'manifest' }, limit)).toEqual(['u9', 'u6', 'u3', 'u0']);
      expect(await ids({ type: 'manifest', status: 'withdrawn' }, limit)).toEqual(['u6', 'u0']);
      expect(await ids({ type: 'policy' }, limit)).toEqual([]);
    }
    const first = await list.execute(new ListUpgrades({ status: 'withdrawn', type: null }, { limit: 2 }));
    const cursor = first.nextCursor ?? '';
    const other = new ListUpgrades({ status: 'proposed', type: null }, { limit: 2, cursor });
    await expect(list.execute(other)).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  it('is the same after the index was rebuilt', async () => {
    for (let n = 0; n < 5; n++) await kernel.propose(`u${n}`);
    await indexed.catchUp();
    const before = await ids();
    await indexed.options.dataSource.query('TRUNCATE kernel_index.events');
    expect(await ids()).toEqual([]);
    const rebuild = await IndexRebuild.begin({ ...indexed.options, shards: SHARDS });
    try {
      for (let shard = 0; shard < SHARDS; shard++) await rebuild.add(shard, await indexed.behind(shard, 0));
      await rebuild.complete();
      await rebuild.swap();
    } finally {
      await rebuild.close();
    }
    expect(await ids()).toEqual(before);
  });
});
