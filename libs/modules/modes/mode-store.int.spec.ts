import { Client } from 'pg';
import { type Actor } from '#evidence';
import { type TestDatabase, withPostgres } from '#dev/testing';
import {
  type DataSource,
  type EventStore,
  EventStoreError,
  migrate,
  openEventStoreDataSource,
  RowKey,
} from '#platform/event-store';
import { type IntegrityAlarm } from '#platform/kernel-store';
import { ModeRecorder } from './mode-recorder';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';
import { WatchedDatabase } from './watched-database.fixture';

const ORIGIN = 'kernel.example.com/test';
const ADA: Actor = { id: 'ada', kind: 'human', roles: ['SuperAdmin'] };
/** Names of statements of ModeStore. */
const [READ, OWNER_STATEMENTS] = ['mode_read', 'mode_owner_statements'];

describe('the mode', () => {
  const postgres = withPostgres();
  const rowKey = RowKey.random(ORIGIN);
  let database: TestDatabase;
  let dataSource: DataSource;
  let owner: Client;
  let watched: WatchedDatabase;
  let modes: ModeStore;
  let raised: string[];

  beforeEach(async () => {
    database = await postgres().createDatabase();
    await migrate(database.ownerUrl, { origin: ORIGIN, shards: 1, runtimeRole: postgres().runtimeRole });
    dataSource = await openEventStoreDataSource({ url: database.runtimeUrl, poolSize: 4 });
    owner = new Client({ connectionString: database.ownerUrl });
    await owner.connect();
    watched = new WatchedDatabase(dataSource, 5_000);
    modes = new ModeStore(watched, rowKey);
    raised = [];
  });
  afterEach(async () => {
    await owner.end();
    await dataSource.destroy();
    await database.drop();
  });

  /** The row that the owner's programs ask, `audit repair` among them. */
  async function copy(): Promise<unknown> {
    return (await owner.query<{ mode: string }>('SELECT mode FROM kernel.mode')).rows[0]?.mode;
  }

  const watchOf = (): ModeWatch =>
    new ModeWatch(modes, { raise: ({ message }) => void raised.push(message) } as IntegrityAlarm);

  it('can be said to be safe-mode while the chain is untrusted, and left when it no longer is', async () => {
    await modes.change('normal', 'ready', ADA);
    modes.noteChain('untrusted');
    expect((await modes.read()).state).toMatchObject({
      mode: 'safe-mode',
      reason: expect.stringContaining('no event of this kernel'),
    });
    expect(await copy()).toBe('normal');
    expect(await modes.change('safe-mode', 'integrity alarm', ADA)).not.toBeNull();
    expect(await copy()).toBe('safe-mode');
    expect(await modes.change('safe-mode', 'once more', ADA)).toBeNull();
    expect((await modes.read()).version).toBe(1);
    modes.noteChain(null);
    await modes.change('normal', 'repaired', ADA);
    expect(await modes.read()).toMatchObject({ state: { mode: 'normal' }, version: 2, problems: [] });
  });

  it('is not said to have lost a change that came while an older answer was on its way', async () => {
    const watch = watchOf();
    await watch.look();
    const late = watched.holdAnswer(READ);
    const older = modes.read();
    await late.answered;
    await modes.change('read-only', 'maintenance', ADA);
    expect((await modes.read()).state.mode).toBe('read-only');
    late.letGo();
    expect((await older).problems).toEqual([]);
  });

  it('is read again from an untrusted chain after a pause, and not in a busy loop', async () => {
    const watch = watchOf();
    let read = 0;
    const events = {
      query: async () => {
        // A loop without a pause would not end by itself.
        if (++read === 20) void recorder.close();
        throw new EventStoreError('integrity', 'A row is no event of this kernel.');
      },
    } as unknown as EventStore;
    const recorder: ModeRecorder = new ModeRecorder(modes, events, watch);
    await recorder.readChain();
    await watch.look();
    watch.onLook(() => void recorder.record());
    read = 0;
    await recorder.record();
    expect(read).toBe(1);
    expect(watch.current.mode).toBe('safe-mode');
    await recorder.close();
  });

  it('has the owner asked only when there is another statement, or another change', async () => {
    const events = {
      query: async () => ({ events: [], nextCursor: null }),
      append: async () => undefined,
    } as unknown as EventStore;
    const watch = watchOf();
    const recorder = new ModeRecorder(modes, events, watch);
    const record = async (): Promise<number> => {
      await watch.look();
      await recorder.record();
      return watched.count(OWNER_STATEMENTS);
    };
    expect([await record(), await record()]).toEqual([1, 1]);
    await owner.query(
      `INSERT INTO kernel.repairs (event_id, shard, from_seq, to_seq, removed, reason, actor, repaired_at)
       VALUES (gen_random_uuid(), 0, 2, 2, '{"count":1}', 'forged', 'root', clock_timestamp())`,
    );
    expect([await record(), await record()]).toEqual([2, 2]);
    await modes.change('read-only', 'maintenance', ADA);
    expect([await record(), await record()]).toEqual([3, 3]);
    await recorder.close();
  });
});
