import { person, poolOf, type TestApprover, UpgradeStory } from '../fixtures/upgrade-story.fixture';
import { ableApprovers, decideRevocation } from './able-approvers';
import { GovernanceError } from './governance.error';

const NO_ONE_ALONE = 'below_threshold';

function revoke(story: UpgradeStory, n: number, { key = 0, by = null as string | null } = {}): string | null {
  const { approver } = story.people[n - 1] as TestApprover;
  const keyId = approver.keys[key]?.keyId ?? 'none';
  try {
    const { pool } = story.governance;
    if (decideRevocation(pool, { approverId: approver.id, keyId, principal: by }) === null) return 'done';
    story.revokeKey(n, key);
    return null;
  } catch (error) {
    if (error instanceof GovernanceError) return error.code;
    throw error;
  }
}

describe('the revocation of a key', () => {
  it('leaves as many approvers who can sign as the threshold demands', () => {
    const story = new UpgradeStory(
      [1, 2, 3, 4, 5].map((n) => person(n)),
      3,
    );
    expect([revoke(story, 1), revoke(story, 2)]).toEqual([null, null]);
    expect(revoke(story, 3)).toBe(NO_ONE_ALONE);
    // Nor does the owner end what only a quorum may end.
    expect(revoke(story, 3, { by: 'principal-3' })).toBe(NO_ONE_ALONE);
    expect(revoke(story, 1)).toBe('done');
    expect(ableApprovers(story.governance.pool.inForce.pool, story.governance.pool.revoked)).toHaveLength(3);
    story.when('u', story.propose('u'));
    story.approve('u', 3, 4, 5);
    story.apply('u');
  });

  it('is free for a key of someone who has another one', () => {
    const story = new UpgradeStory([person(1, ['key-1', 'key-1b']), person(2), person(3)], 3);
    expect(revoke(story, 1)).toBeNull();
    expect(revoke(story, 1, { key: 1 })).toBe(NO_ONE_ALONE);
    expect(revoke(story, 2)).toBe(NO_ONE_ALONE);
  });

  it('counts no one who has no principal to call with', () => {
    const silent = person(3);
    silent.approver.principals = [];
    const story = new UpgradeStory([person(1), person(2), silent], 2);
    expect(revoke(story, 3)).toBeNull();
    expect(revoke(story, 1)).toBe(NO_ONE_ALONE);
  });

  it('spares the settled pool while an emergency has another one in force', () => {
    const people = [1, 2, 3, 4, 5, 6].map((n) => person(n));
    const story = new UpgradeStory(people, 2, 3);
    const others = poolOf(1, people.slice(2));
    story.when('p', story.propose('p', { type: 'approver_pool', pool: others as never }));
    story.emergency('p');
    expect(revoke(story, 1)).toBeNull();
    expect(revoke(story, 2)).toBe(NO_ONE_ALONE);
    expect([revoke(story, 4), revoke(story, 5), revoke(story, 6)]).toEqual([null, null, null]);
    expect(revoke(story, 3)).toBe(NO_ONE_ALONE);
  });

  it('is refused to others, and for keys that there are not', () => {
    const story = new UpgradeStory();
    expect(revoke(story, 1, { by: 'principal-2' })).toBe('not_the_approver');
    expect(revoke(story, 1, { key: 1 })).toBe('key_not_valid');
  });
});
