import { type Actor } from '#evidence';
import { type EventStore, EventStoreError, RowKey } from '#platform/event-store';
import { type IntegrityAlarm } from '#platform/kernel-store';
import { FakeModeTables } from './fixtures/mode-tables.fixture';
import { ModeRecorder } from './mode-recorder';
import { ModeStore } from './mode-store';
import { ModeWatch } from './mode-watch';

const ADA: Actor = { id: 'ada', kind: 'human', roles: ['SuperAdmin'] };

describe('the mode', () => {
  const rowKey = RowKey.random('kernel.example.com/test');
  let tables: FakeModeTables;
  let modes: ModeStore;
  let raised: string[];

  beforeEach(() => {
    tables = new FakeModeTables();
    modes = new ModeStore(tables.database, rowKey);
    raised = [];
  });

  const watchOf = (): ModeWatch =>
    new ModeWatch(modes, { raise: ({ message }) => void raised.push(message) } as IntegrityAlarm);

  it('can be said to be safe-mode while the chain is untrusted, and left when it no longer is', async () => {
    await modes.change('normal', 'ready', ADA);
    modes.noteChain('untrusted');
    expect((await modes.read()).state).toMatchObject({
      mode: 'safe-mode',
      reason: expect.stringContaining('no event of this kernel'),
    });
    // audit repair asks the copy.
    expect(tables.copy).toBe('normal');
    expect(await modes.change('safe-mode', 'integrity alarm', ADA)).not.toBeNull();
    expect(tables.copy).toBe('safe-mode');
    expect(await modes.change('safe-mode', 'once more', ADA)).toBeNull();
    expect((await modes.read()).version).toBe(1);
    modes.noteChain(null);
    await modes.change('normal', 'repaired', ADA);
    expect(await modes.read()).toMatchObject({ state: { mode: 'normal' }, version: 2, problems: [] });
  });

  it('is not said to have lost a change that came while an older answer was on its way', async () => {
    const watch = watchOf();
    await watch.look();
    const late = tables.holdNextRead();
    const older = modes.read();
    await late.asked;
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
      return tables.askedOwner;
    };
    expect([await record(), await record()]).toEqual([1, 1]);
    tables.ownerSaid = '0 0 1';
    expect([await record(), await record()]).toEqual([2, 2]);
    await modes.change('read-only', 'maintenance', ADA);
    expect([await record(), await record()]).toEqual([3, 3]);
    await recorder.close();
  });
});
