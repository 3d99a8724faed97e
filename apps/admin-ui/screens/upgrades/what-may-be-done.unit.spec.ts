import { type Upgrade } from '../../api/queries';
import { ADA, OPERATOR, upgradeWith } from './upgrade.fixture';
import { readVerb, VERBS, whyNotDo, whyNotSign } from './what-may-be-done';

const REACHED = { reached: true, approvers: ['ada', 'bob'], missing: 0, open: ['eve'] };
const ADMIN = {
  ...OPERATOR,
  principal: 'idp#admin',
  roles: ['SuperAdmin'],
  permits: { ...OPERATOR.permits, 'upgrade.emergency-apply': 'all' as const },
};

it('reads the open form of an address', () => {
  expect(readVerb({ do: 'withdraw' })).toEqual({ do: 'withdraw' });
  expect(readVerb({ do: 'constructor' })).toEqual({});
});

describe('a button is off', () => {
  it('for want of a right', () => {
    for (const verb of VERBS)
      expect(whyNotDo(verb, upgradeWith(), ADA, 'normal')).toContain('You have no role');
    expect(whyNotDo('emergency-apply', upgradeWith(), OPERATOR, 'normal')).toBe(
      'Your role (Operator) does not include the right upgrade.emergency-apply.',
    );
  });

  it('while nothing can be recorded', () => {
    for (const verb of VERBS) {
      expect(whyNotDo(verb, upgradeWith({}, REACHED), ADMIN, 'read-only')).toContain('read-only mode');
    }
    expect(whyNotSign(upgradeWith(), ADA, 'safe-mode')).toContain('safe-mode mode');
  });

  it.each<[string, Partial<Upgrade>, Partial<Upgrade['quorum']>, string | null]>([
    ['the quorum is missing', {}, {}, '0 of 2 approvals count; 2 more are needed.'],
    ['one is missing', {}, { approvers: ['ada'], missing: 1 }, '1 of 2 approvals count; 1 more is needed.'],
    [
      'a check is missing',
      { missingChecks: ['smoke'] },
      REACHED,
      'Checks that must have passed first: smoke.',
    ],
    [
      'it is in force',
      { status: 'emergency_applied' },
      REACHED,
      'It is in force already, without its quorum',
    ],
    ['it is over', { status: 'withdrawn' }, REACHED, 'It is over: withdrawn.'],
    ['nothing', {}, REACHED, null],
  ])('to apply: %s', (_, part, quorum, why) => {
    const said = whyNotDo('apply', upgradeWith(part, quorum), OPERATOR, 'normal');
    if (why === null) expect(said).toBeNull();
    else expect(said).toContain(why);
  });

  it('to withdraw what somebody else proposed', () => {
    expect(whyNotDo('withdraw', upgradeWith(), OPERATOR, 'normal')).toBeNull();
    expect(whyNotDo('withdraw', upgradeWith(), ADMIN, 'normal')).toContain('Only idp#operator');
  });

  it('to apply a rollback in an emergency', () => {
    expect(whyNotDo('emergency-apply', upgradeWith(), ADMIN, 'normal')).toBeNull();
    expect(whyNotDo('emergency-apply', upgradeWith({ type: 'rollback' }), ADMIN, 'normal')).toContain(
      'needs its quorum',
    );
  });

  it('to report or undo what is not in effect', () => {
    const on = (verb: 'complete' | 'rollback', status: Upgrade['status']) =>
      whyNotDo(verb, upgradeWith({ status }), OPERATOR, 'normal') === null;
    expect(on('complete', 'applied')).toBe(true);
    expect(on('complete', 'emergency_applied')).toBe(false);
    expect(on('rollback', 'emergency_applied')).toBe(true);
    expect(on('rollback', 'rejected')).toBe(false);
  });
});

describe('an approver', () => {
  const why = (part: Partial<Upgrade> = {}, quorum: Partial<Upgrade['quorum']> = {}) =>
    whyNotSign(upgradeWith(part, quorum), ADA, 'normal');

  it('signs what is open for them', () => {
    expect(why()).toBeNull();
    expect(why({ status: 'emergency_applied' })).toBeNull();
  });

  it('is told why not', () => {
    expect(why({ status: 'applied' })).toContain('Nothing can be signed any more');
    expect(why({}, { open: [], approvers: ['ada'] })).toContain('You have signed to approve it');
    expect(why({}, { open: [], rejection: { approvers: ['ada'], required: 2, missing: 1 } })).toContain(
      'You have signed to reject it',
    );
    expect(why({ proposedBy: 'idp#ada' }, { open: [] })).toContain('You proposed it');
    expect(
      why({ status: 'emergency_applied', application: { emergency: true, by: 'idp#ada' } }, { open: [] }),
    ).toContain('You applied it in the emergency');
    expect(why({}, { open: ['bob'] })).toContain('None of your keys counts');
  });

  it('is somebody else than who asks', () => {
    expect(whyNotSign(upgradeWith(), OPERATOR, 'normal')).toContain('not a member of the approver pool');
  });
});
