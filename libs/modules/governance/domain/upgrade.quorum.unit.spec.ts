import { UpgradeStory, DAY } from '../fixtures/upgrade-story.fixture';
import { shownQuorum } from './upgrade.quorum';

describe('the quorum that is shown', () => {
  let story: UpgradeStory;
  beforeEach(() => {
    story = new UpgradeStory();
    story.when('u', story.propose('u'));
  });
  const shown = () => shownQuorum(story.upgrades.get('u')!, story.governance, story.now);
  const sign = (action: 'approve' | 'reject' | 'ratify', ...people: number[]) => {
    for (const n of people) story.when('u', story.signing('u', n, action));
  };
  const all = [1, 2, 3, 4, 5].map((n) => `person-${n}`);

  it('counts approvals and rejections apart', () => {
    sign('approve', 1);
    sign('reject', 2);
    expect(shown()).toMatchObject({
      action: 'approve',
      ...{ required: 3, approvers: ['person-1'], missing: 2, reached: false, notCounted: [] },
      // Who has signed does not change their mind while the signature stands.
      open: ['person-3', 'person-4', 'person-5'],
      rejection: { approvers: ['person-2'], required: 3, missing: 2 },
    });
    sign('reject', 4);
    expect(shown().rejection).toEqual({ approvers: ['person-2', 'person-4'], required: 3, missing: 1 });
    sign('reject', 3);
    expect(story.status('u')).toBe('rejected');
    expect(shown()).toMatchObject({
      open: [],
      rejection: { approvers: ['person-2', 'person-4', 'person-3'], required: 3, missing: 0 },
    });
  });

  it('is the one of the ratification after an emergency, and stays it when time passes', () => {
    sign('approve', 4);
    story.emergency('u');
    expect(shown()).toMatchObject({ action: 'ratify', approvers: [], missing: 3, open: all });
    sign('ratify', 1, 2);
    sign('reject', 5);
    expect(shown()).toMatchObject({ missing: 1, rejection: { approvers: ['person-5'], required: 3 } });
    sign('ratify', 3);
    expect(story.status('u')).toBe('ratified');
    const ratified = {
      action: 'ratify',
      ...{ required: 3, approvers: all.slice(0, 3), missing: 0, reached: true, open: [], notCounted: [] },
    };
    expect(shown()).toMatchObject(ratified);
    story.now += 400 * DAY;
    expect(shown()).toMatchObject(ratified);
  });

  it('is the one by which it was applied, also when its signatures have expired', () => {
    sign('approve', 1, 2, 3);
    story.apply('u');
    const applied = { action: 'approve', required: 3, approvers: all.slice(0, 3), missing: 0, open: [] };
    expect(shown()).toMatchObject(applied);
    story.now += 400 * DAY;
    expect(shown()).toMatchObject(applied);
  });

  it('lets no one sign what is over', () => {
    sign('approve', 1);
    story.now += 400 * DAY;
    expect(shown()).toMatchObject({ reached: false, open: [], rejection: { missing: 0 } });
    story = new UpgradeStory();
    story.when('u', story.propose('u'));
    story.emergency('u');
    sign('ratify', 1);
    story.now += 2 * DAY;
    story.when('u', { kind: 'settle-emergency' });
    expect(shown()).toMatchObject({ action: 'ratify', missing: 2, approvers: ['person-1'], open: [] });
  });
});
