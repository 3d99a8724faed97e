import { DAY, ORIGIN, UpgradeStory } from '../fixtures/upgrade-story.fixture';
import { expiring, type Happening, notificationsOf, remindersOf } from './upgrade.notifications';
import { evolveUpgrade, type UpgradeEvent, type UpgradeState } from './upgrade.state';
import { type UpgradeCommand } from './upgrade.decider';

/** Returns the notifications that each command would cause. */
class ToldStory extends UpgradeStory {
  private seq = 0;

  tell(upgradeId: string, command: UpgradeCommand): string[] {
    let before = this.upgrades.get(upgradeId) ?? null;
    const { pool } = this.governance;
    return this.when(upgradeId, command).flatMap((event) => {
      const happening = this.happening(event, before, null, pool);
      before = happening.after;
      return notificationsOf(happening).map(({ type }) => type.replace('upgrade.', ''));
    });
  }

  /** @param after null: as the event makes it */
  happening(
    event: UpgradeEvent,
    before: UpgradeState | null,
    after: UpgradeState | null = null,
    pool = this.governance.pool,
  ): Happening {
    const ts = new Date(this.now).toISOString();
    const payload = event.payload as unknown as Happening['event']['payload'];
    const by = 'appliedBy' in event.payload ? event.payload.appliedBy : 'operator';
    const actor = { id: by, kind: 'service', roles: [] } as const;
    const recorded = { type: event.type, payload, ts, actor: { ...actor, roles: [] } };
    const next = after ?? evolveUpgrade(before, { ...recorded, streamVersion: (before?.version ?? 0) + 1 });
    return {
      event: { id: `event-${++this.seq}`, type: event.type, ts, shard: 0, seq: this.seq, payload },
      before,
      after: next as UpgradeState,
      pool,
      origin: ORIGIN,
    };
  }
}

describe('who waits for an upgrade is told', () => {
  it('of its way to the application', () => {
    const story = new ToldStory();
    expect(story.tell('u', story.propose('u'))).toEqual(['proposed']);
    expect(story.tell('u', story.signing('u', 1))).toEqual([]);
    expect(story.tell('u', story.signing('u', 2))).toEqual(['last_signature_needed']);
    expect(story.tell('u', story.signing('u', 4, 'reject'))).toEqual([]);
    expect(story.tell('u', story.signing('u', 3))).toEqual(['approved']);
    expect(story.tell('u', { kind: 'apply', artifactSha256: null, claimedBy: null, by: 'operator' })).toEqual(
      ['applied'],
    );
    expect(story.tell('u', { kind: 'complete', outcome: 'completed', detail: null })).toEqual(['completed']);
  });

  it('that one signature is needed right away where one is enough', () => {
    const story = new ToldStory(undefined, 1);
    expect(story.tell('u', story.propose('u'))).toEqual(['proposed', 'last_signature_needed']);
  });

  it('of its ends', () => {
    const story = new ToldStory();
    story.when('r', story.propose('r'));
    for (const n of [1, 2]) expect(story.tell('r', story.signing('r', n, 'reject'))).toEqual([]);
    expect(story.tell('r', story.signing('r', 3, 'reject'))).toEqual(['rejected']);
    story.when('w', story.propose('w'));
    expect(story.tell('w', { kind: 'withdraw', reason: 'no', by: 'operator' })).toEqual(['withdrawn']);
    story.when('e', story.propose('e'));
    story.now += 31 * DAY;
    expect(story.tell('e', { kind: 'expire' })).toEqual(['expired']);
  });

  it('of emergencies, their ratification, and the lack of it', () => {
    const story = new ToldStory();
    const fire = { kind: 'emergency-apply', reason: 'it burns', by: 'superadmin' } as const;
    story.when('a', story.propose('a'));
    expect(story.tell('a', fire)).toEqual(['emergency_applied']);
    story.when('a', story.signing('a', 1, 'ratify'));
    expect(story.tell('a', story.signing('a', 2, 'ratify'))).toEqual(['last_signature_needed']);
    expect(story.tell('a', story.signing('a', 3, 'ratify'))).toEqual(['ratified']);
    story.when('b', story.propose('b'));
    story.when('b', fire);
    story.now += 3 * DAY;
    expect(story.tell('b', { kind: 'settle-emergency' })).toEqual(['unratified']);
    const policy = { approvalTtlHours: 1, proposalTtlHours: 10, ratificationHours: 5 };
    story.when('c', story.propose('c', { type: 'policy', policy }));
    story.when('c', fire);
    story.now += 3 * DAY;
    expect(story.tell('c', { kind: 'settle-emergency' })).toEqual(['unratified', 'rolled_back']);
  });

  it('with what matters, and without the manifest', () => {
    const story = new ToldStory();
    const [event] = story.when('u', story.propose('u', { secretPlan: 'x' }));
    const [notification] = notificationsOf(
      story.happening(event as UpgradeEvent, null, story.upgrades.get('u')),
    );
    expect(notification).toMatchObject({
      type: 'upgrade.proposed',
      data: {
        origin: ORIGIN,
        upgradeId: 'u',
        upgradeType: 'code',
        status: 'proposed',
        submittedBy: 'operator',
        quorum: { action: 'approve', required: 3, missing: 3, approvers: [] },
      },
    });
    expect(JSON.stringify(notification)).not.toContain('secretPlan');
  });

  it('before a deadline, in the last quarter of its time, unless it is settled by then', () => {
    const story = new ToldStory();
    const [proposed] = story.when('u', story.propose('u'));
    const state = () => story.upgrades.get('u') as UpgradeState;
    const happening = story.happening(proposed as UpgradeEvent, null, state());
    const [reminder] = remindersOf(happening, 2 * DAY);
    expect(Date.parse(reminder!.dueAt)).toBe(story.now + 28 * DAY);
    expect(Date.parse(remindersOf(happening, 100 * DAY)[0]!.dueAt)).toBe(story.now + 22.5 * DAY);
    story.now += 28 * DAY;
    const told = () => expiring(reminder!, state(), story.governance.pool, story.now, ORIGIN);
    expect(told()).toMatchObject({ type: 'upgrade.expiring', data: { status: 'proposed', position: null } });
    const [applied] = story.emergency('u');
    expect(told()).toBeNull();
    const [ratify] = remindersOf(story.happening(applied as UpgradeEvent, null, state()), DAY);
    expect(Date.parse(ratify!.dueAt)).toBe(story.now + 1.5 * DAY);
    expect(expiring(ratify!, state(), story.governance.pool, story.now, ORIGIN)).not.toBeNull();
  });
});
