import { type AppendRequest, type EventStore } from '#platform/event-store';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { governedDatabase } from '../fixtures/governed-store.fixture';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('the upgrade coordinator', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let governed: Awaited<ReturnType<typeof governedDatabase>>;
  beforeEach(async () => {
    governed = await governedDatabase(postgres());
    ({ database } = governed);
  });
  afterEach(async () => {
    await governed.close();
    await database.drop();
  });

  it('applies what is flagged for it, once it has its quorum and its checks', async () => {
    const kernel = await governed.kernel();
    await kernel.propose('auto', { autoApply: true, preconditions: ['staging'] });
    await kernel.propose('by-hand');
    for (const id of ['auto', 'by-hand']) for (const n of [1, 2]) await kernel.sign(id, n);
    expect(await kernel.coordinator.pass()).toMatchObject({ applied: [], open: 2 });
    for (const id of ['auto', 'by-hand']) await kernel.sign(id, 3);
    expect(await kernel.coordinator.pass()).toMatchObject({ applied: [], open: 2 });
    const check = { name: 'staging', passed: true, detail: null, by: 'ci', byService: true };
    await kernel.decide('auto', { kind: 'report-check', ...check });
    expect(await kernel.coordinator.pass()).toMatchObject({ applied: ['auto'], failed: [] });
    expect(await kernel.coordinator.pass()).toMatchObject({ applied: [], open: 1 });
    expect([await kernel.status('auto'), await kernel.status('by-hand')]).toEqual(['applied', 'approved']);
  });

  it('records what expired', async () => {
    const kernel = await governed.kernel();
    await kernel.propose('old');
    governed.clock.now += 29 * DAY;
    await kernel.propose('new');
    governed.clock.now += DAY;
    expect(await kernel.coordinator.pass()).toMatchObject({ expired: ['old'] });
    expect([await kernel.status('old'), await kernel.status('new')]).toEqual(['expired', 'proposed']);
    expect(await kernel.coordinator.pass()).toMatchObject({ expired: [], open: 1 });
  });

  it('settles emergencies that nobody ratified: rolls back what it can, marks the rest', async () => {
    const kernel = await governed.kernel();
    const policy = { approvalTtlHours: 1, proposalTtlHours: 10, ratificationHours: 5 };
    await kernel.propose('code');
    await kernel.propose('policy', { type: 'policy', policy });
    await kernel.propose('ratified');
    for (const id of ['code', 'policy', 'ratified']) {
      await kernel.decide(id, { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
    }
    for (const n of [1, 2, 3]) await kernel.sign('ratified', n, 'ratify');
    governed.clock.now += 48 * HOUR - 1;
    expect(await kernel.coordinator.pass()).toMatchObject({
      rolledBack: [],
      rollbackRequired: [],
      unratified: 2,
    });
    expect((await kernel.reader.governance()).governance.policy.policy).toEqual(policy);
    governed.clock.now += 1;
    expect(await kernel.coordinator.pass()).toMatchObject({
      rolledBack: ['policy'],
      rollbackRequired: ['code'],
    });
    const { governance } = await kernel.reader.governance();
    expect(governance.policy).toMatchObject({
      version: 2,
      provisional: null,
      policy: { approvalTtlHours: 14 * 24 },
    });
    expect(await kernel.status('ratified')).toBe('ratified');
    expect(await kernel.coordinator.pass()).toMatchObject({ unratified: 0, open: 0 });
  });

  it('does everything once, however many of them run', async () => {
    const kernels = await Promise.all([1, 2, 3].map(() => governed.kernel()));
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) {
      await kernels[0]!.propose(id, { autoApply: true });
      for (const n of [1, 2, 3]) await kernels[0]!.sign(id, n);
    }
    const passes = await Promise.all(
      kernels.flatMap(({ coordinator }) => [coordinator.pass(), coordinator.pass()]),
    );
    expect(passes.flatMap(({ failed }) => failed)).toEqual([]);
    for (const id of ids) {
      expect((await kernels[0]!.types(id)).filter((type) => type === 'applied')).toHaveLength(1);
    }
  });

  describe.each([
    ['apply', 'applied', 'approved'],
    ['expire', 'expired', 'proposed'],
    ['settle-emergency', 'rolled_back', 'emergency_applied'],
  ] as const)('killed in the middle of %s', (step, becomes, before) => {
    // Each commit is one step: the process dies right before it, or right after it without learning the result.
    it.each(['before the commit', 'after the commit'])(
      '%s, leaves nothing half done and nothing twice',
      async (when) => {
        const kernel = await governed.kernel();
        const policy = { approvalTtlHours: 1, proposalTtlHours: 1_000, ratificationHours: 5 };
        await kernel.propose('u', { type: 'policy', policy, autoApply: step === 'apply' });
        if (step === 'apply') for (const n of [1, 2, 3]) await kernel.sign('u', n);
        if (step === 'settle-emergency') {
          await kernel.decide('u', { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });
        }
        if (step !== 'apply') governed.clock.now += 31 * DAY;
        const dying = await governed.kernel((store) => dyingStore(store, when === 'after the commit'));
        const died = await dying.coordinator.pass();
        expect(died.failed).toMatchObject([{ upgradeId: 'u', reason: 'killed' }]);
        expect(await kernel.status('u')).toBe(when === 'after the commit' ? becomes : before);
        const next = await governed.kernel();
        await next.coordinator.pass();
        await next.coordinator.pass();
        expect((await kernel.types('u')).filter((type) => type === becomes)).toHaveLength(1);
        const { policy: inForce } = (await kernel.reader.governance()).governance;
        const changes = { apply: 1, expire: 0, 'settle-emergency': 2 }[step];
        expect(inForce.version).toBe(changes);
        expect(inForce.policy.approvalTtlHours).toBe(step === 'apply' ? 1 : 14 * 24);
      },
    );
  });
});

/** A store whose process dies at its first commit. */
function dyingStore(store: EventStore, committed: boolean): EventStore {
  const append = async (request: AppendRequest) => {
    if (committed) await store.append(request);
    throw new Error('killed');
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'append') return append;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
