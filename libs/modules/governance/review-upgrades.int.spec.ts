import { PositionReached } from '#platform/audit-stream';
import { type TestDatabase, withPostgres } from '#dev/testing';
import { governedDatabase, type GovernedKernel, ORIGIN } from './fixtures/governed-store.fixture';
import { indexOf } from './fixtures/indexed-upgrades.fixture';
import {
  type ReviewFilter,
  type UpgradeReview,
  ReviewUpgrades,
  ReviewUpgradesHandler,
} from './review-upgrades.handler';

const DAY = 24 * 3_600_000;

describe('the report on upgrades', () => {
  const postgres = withPostgres();
  let database: TestDatabase;
  let governed: Awaited<ReturnType<typeof governedDatabase>>;
  let indexed: Awaited<ReturnType<typeof indexOf>>;
  let kernel: GovernedKernel;
  let handler: ReviewUpgradesHandler;
  beforeEach(async () => {
    governed = await governedDatabase(postgres());
    ({ database } = governed);
    kernel = await governed.kernel();
    indexed = await indexOf(database, kernel);
    handler = new ReviewUpgradesHandler(
      indexed.index,
      kernel.store,
      kernel.reader,
      new PositionReached(kernel.store, indexed.index),
      kernel.options,
    );
  });
  afterEach(async () => {
    await governed.close();
    await indexed.close();
    await database.drop();
  });

  const now = () => new Date(governed.clock.now).toISOString();
  /** Lets time go on, so that what happens next has another time. */
  const later = (ms = 1_000): string => {
    governed.clock.now += ms;
    return now();
  };
  const ask = (filter: Pick<ReviewFilter, 'from' | 'to'> & Partial<ReviewFilter>, page = { limit: 100 }) =>
    handler.execute(
      new ReviewUpgrades({ person: null, type: null, status: null, through: null, ...filter }, page),
    );
  const ids = ({ upgrades }: UpgradeReview) => upgrades.map(({ upgradeId }) => upgradeId);
  const approve = async (id: string, people = [1, 2, 3]) => {
    for (const n of people) await kernel.sign(id, n, 'approve', now(), `looked at by ${n}`);
  };
  const apply = (id: string, by = 'operator') =>
    kernel.decide(id, { kind: 'apply', artifactSha256: null, claimedBy: null, by });
  const emergency = (id: string) =>
    kernel.decide(id, { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' });

  it('has who proposed, decided and applied what, and says when somebody had two parts', async () => {
    const from = later();
    await kernel.propose('fix');
    later();
    await approve('fix');
    await kernel.decide('fix', {
      kind: 'apply',
      artifactSha256: null,
      claimedBy: 'the night shift',
      by: 'operator',
    });
    later();
    await kernel.propose('own', { target: { service: 'billing' } });
    await approve('own', [2, 3, 4]);
    await apply('own', 'person-3');
    await kernel.propose('gone');
    await kernel.decide('gone', { kind: 'withdraw', reason: 'no need', by: 'operator' });
    await kernel.propose('no');
    for (const n of [1, 2, 3]) await kernel.sign('no', n, 'reject', now(), 'too risky');
    const to = later();
    await indexed.catchUp();
    const report = await ask({ from, to });
    expect(report).toMatchObject({ origin: ORIGIN, period: { from, to }, closed: false, nextCursor: null });
    expect(report.counts).toMatchObject({
      upgrades: 4,
      proposed: 4,
      applied: 2,
      withdrawn: 1,
      rejected: 1,
      emergencies: 0,
      decidedOwn: 0,
      appliedByProposer: 1,
      appliedByApprovers: 1,
    });
    expect(ids(report)).toEqual(['fix', 'own', 'gone', 'no']);
    const [fix, own, gone, no] = report.upgrades;
    expect(fix).toMatchObject({
      type: 'code',
      change: 'x',
      status: 'applied',
      proposedBy: 'operator',
      application: {
        by: 'operator',
        claimedBy: 'the night shift',
        emergency: false,
        approvers: ['person-1', 'person-2', 'person-3'],
        required: 3,
        secondsFromProposal: 1,
      },
      separation: { decidedOwn: [], appliedByProposer: true, appliedByApprovers: [] },
    });
    expect(fix?.acts.map(({ type }) => type.replace('upgrade.', ''))).toEqual([
      'proposed',
      'approval_given',
      'approval_given',
      'approval_given',
      'approved',
      'applied',
    ]);
    const second = fix?.acts[2];
    expect(second).toMatchObject({
      by: 'person-2',
      approverId: 'person-2',
      keyId: 'person-2-key',
      text: 'looked at by 2',
      inPeriod: true,
    });
    const event = await kernel.store.getById(second?.eventId ?? '');
    expect(`${event?.event.shard}:${event?.event.seq}`).toBe(second?.position);
    expect(own).toMatchObject({
      change: '{"service":"billing"}',
      separation: { appliedByProposer: false, appliedByApprovers: ['person-3'] },
    });
    expect(gone).toMatchObject({ status: 'withdrawn', reason: 'no need', application: null });
    expect(no).toMatchObject({ status: 'rejected' });
    expect(no?.acts.filter(({ text }) => text === 'too risky')).toHaveLength(3);
  });

  it('tells how emergencies ended, and which nobody ratified in time', async () => {
    const from = later();
    for (const id of ['waits', 'kept', 'thrown', 'forgotten']) await kernel.propose(id);
    await emergency('forgotten');
    later(3 * DAY);
    for (const id of ['kept', 'thrown']) await emergency(id);
    for (const n of [1, 2, 3]) await kernel.sign('kept', n, 'ratify');
    for (const n of [1, 2, 3]) await kernel.sign('thrown', n, 'reject');
    await emergency('waits');
    later();
    await indexed.catchUp();
    const early = await ask({ from, to: later() });
    const outcomes = ({ upgrades }: UpgradeReview) =>
      Object.fromEntries(upgrades.map(({ upgradeId, emergency: found }) => [upgradeId, found?.outcome]));
    // Its time is over, and no kernel has recorded its end.
    expect(outcomes(early)).toEqual({
      waits: 'waiting',
      kept: 'ratified',
      thrown: 'rejected',
      forgotten: 'overdue',
    });
    expect(early.counts).toMatchObject({
      emergencies: 4,
      ratified: 1,
      ratificationsRejected: 1,
      unratified: 1,
    });
    await kernel.coordinator.pass();
    await indexed.catchUp();
    const late = await ask({ from, to: later() });
    expect(outcomes(late)).toMatchObject({ waits: 'waiting', forgotten: 'unratified' });
    expect(late.counts).toMatchObject({ unratified: 1 });
    expect(late.upgrades.find(({ upgradeId }) => upgradeId === 'forgotten')).toMatchObject({
      status: 'rollback_required',
      application: { by: 'superadmin', emergency: true },
      emergency: { reason: 'it burns', endedAt: expect.any(String) },
    });
  });

  it('is about a period: what was before is told as such, and what came after is not in it', async () => {
    await kernel.propose('long');
    await kernel.propose('quiet');
    const from = later();
    await approve('long');
    const to = later();
    later();
    await apply('long');
    await kernel.propose('next');
    await indexed.catchUp();
    const report = await ask({ from, to });
    expect(report.closed).toBe(true);
    expect(ids(report)).toEqual(['long']);
    expect(report.upgrades[0]).toMatchObject({ status: 'approved', application: null });
    expect(report.upgrades[0]?.acts.map(({ inPeriod }) => inPeriod)).toEqual([false, true, true, true, true]);
    expect(report.counts).toMatchObject({ upgrades: 1, proposed: 0, applied: 0 });
    const { position, hash, at } = report.through;
    const end = await kernel.store.read(0, { afterSeq: Number(position.slice(2)) - 1, limit: 1 });
    expect(end[0]?.event).toMatchObject({ hash, ts: at, type: 'upgrade.approved' });
    // The same for ever.
    await kernel.propose('much-later');
    later(400 * DAY);
    await indexed.catchUp();
    expect(await ask({ from, to })).toEqual(report);
    // Before there was anything.
    const nothing = await ask({ from: '1999-01-01T00:00:00Z', to: '2000-01-01T00:00:00Z' });
    expect(nothing).toMatchObject({
      through: { position: '0:0', hash: null, at: null },
      closed: true,
      upgrades: [],
    });
  });

  it('of a period that goes on has all that is committed, and the same again by its position', async () => {
    const from = later();
    await kernel.propose('first');
    const to = new Date(governed.clock.now + DAY).toISOString();
    // The index has nothing of it.
    await expect(ask({ from, to })).rejects.toMatchObject({ code: 'position_unavailable' });
    await indexed.catchUp();
    const report = await ask({ from, to });
    expect([report.closed, ids(report)]).toEqual([false, ['first']]);
    later();
    await approve('first');
    await kernel.propose('second');
    await indexed.catchUp();
    expect(ids(await ask({ from, to }))).toEqual(['first', 'second']);
    const again = await ask({ from, to, through: report.through.position });
    expect(again).toEqual(report);
    // Also when the period is over.
    later(2 * DAY);
    await kernel.propose('third');
    await indexed.catchUp();
    expect(await ask({ from, to, through: report.through.position })).toEqual(report);
    expect(await ask({ from, to })).toMatchObject({ closed: true, counts: { proposed: 2 } });
    for (const through of ['1:1', '2:7']) {
      await expect(ask({ from, to, through })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { pointer: '/through' },
      });
    }
    await expect(ask({ from, to: from })).rejects.toMatchObject({ details: { pointer: '/to' } });
  });

  it('has each upgrade once over all pages, and counts that add up', async () => {
    const from = later();
    for (let n = 0; n < 9; n++) await kernel.propose(`u${n}`, n % 3 === 0 ? { type: 'manifest' } : {});
    for (let n = 0; n < 9; n++) {
      await approve(`u${n}`, n % 2 === 0 ? [1, 2, 3] : [4]);
      if (n % 2 === 0) await apply(`u${n}`, 'deployer');
    }
    const to = later();
    await kernel.propose('after');
    await indexed.catchUp();
    const whole = await ask({ from, to });
    expect(ids(whole)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => `u${n}`));
    expect(whole.counts).toMatchObject({ upgrades: 9, proposed: 9, applied: 5 });
    for (const limit of [1, 2, 4]) {
      const found: UpgradeReview['upgrades'] = [];
      let applied = 0;
      let cursor: string | null = null;
      do {
        const page: UpgradeReview = await ask({ from, to }, { limit, ...(cursor !== null && { cursor }) });
        expect(page.through).toEqual(whole.through);
        found.push(...page.upgrades);
        applied += page.counts.applied;
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(found).toEqual(whole.upgrades);
      expect(applied).toBe(5);
    }
    expect(ids(await ask({ from, to, type: 'manifest' }))).toEqual(['u0', 'u3', 'u6']);
    expect(ids(await ask({ from, to, status: 'applied' }))).toEqual(['u0', 'u2', 'u4', 'u6', 'u8']);
    expect(ids(await ask({ from, to, person: 'person-4' }))).toEqual(['u1', 'u3', 'u5', 'u7']);
    expect(ids(await ask({ from, to, person: 'deployer', type: 'manifest' }))).toEqual(['u0', 'u6']);
    const { nextCursor } = await ask({ from, to }, { limit: 2 });
    const other = ask(
      { from, to, type: 'code' },
      { limit: 2, ...(nextCursor !== null && { cursor: nextCursor }) },
    );
    await expect(other).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  it('ends a page after a number of events, however few upgrades they are of', async () => {
    const from = later();
    await kernel.propose('busy', { preconditions: ['smoke'] });
    const check = {
      type: 'upgrade.check_reported',
      payload: { name: 'smoke', passed: true, by: 'ci', detail: null },
    };
    await kernel.store.append({
      actor: { id: 'ci', kind: 'service', roles: [] },
      writes: [
        { stream: 'upgrade/busy', expectedVersion: 'any', events: Array<typeof check>(420).fill(check) },
      ],
    });
    await kernel.propose('late');
    await indexed.catchUp();
    const to = later();
    const first = await ask({ from, to });
    expect(ids(first)).toEqual(['busy']);
    // Checks count as something, and are not listed.
    expect(first.upgrades[0]?.acts).toHaveLength(1);
    const cursor = first.nextCursor ?? '';
    const second = await ask({ from, to, through: first.through.position }, { limit: 100, ...{ cursor } });
    expect([ids(second), second.nextCursor]).toEqual([['late'], null]);
  });
});
