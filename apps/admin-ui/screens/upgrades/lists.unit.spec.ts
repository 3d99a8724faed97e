import { belongs, endOf, needOf, readListSearch, STATUS_NAMES, statusesThatNeed } from './lists';
import { upgradeWith } from './upgrade.fixture';

const NOBODY = { approverId: null, applies: false, proposes: false };

describe('the list of an address', () => {
  it('has what is known, and nothing else', () => {
    expect(
      readListSearch({ view: 'mine', status: 'applied', type: ' code ', cursor: 'c', nonsense: '1' }),
    ).toEqual({ view: 'mine', status: 'applied', type: 'code', cursor: 'c' });
    expect(readListSearch({ view: 'theirs', status: 'toString', type: ' ', cursor: 7 })).toEqual({});
  });

  it('has what one proposed, and what is over', () => {
    const upgrade = upgradeWith();
    expect(belongs('mine', upgrade, 'idp#operator')).toBe(true);
    expect(belongs('mine', upgrade, 'idp#ada')).toBe(false);
    const over = STATUS_NAMES.filter((status) => belongs('history', upgradeWith({ status }), ''));
    expect(STATUS_NAMES.filter((status) => !over.includes(status))).toEqual([
      'proposed',
      'approved',
      'emergency_applied',
    ]);
  });
});

describe('what needs somebody', () => {
  it('is looked for where it can be', () => {
    expect(statusesThatNeed(NOBODY)).toEqual([]);
    expect(statusesThatNeed({ ...NOBODY, approverId: 'ada' })).toEqual(['emergency_applied', 'proposed']);
    expect(statusesThatNeed({ ...NOBODY, applies: true, proposes: true })).toEqual([
      'rollback_required',
      'approved',
    ]);
  });

  it('is what an approver may still sign', () => {
    const ada = { ...NOBODY, approverId: 'ada' };
    expect(needOf(upgradeWith(), ada)).toBe('Approve or reject');
    expect(needOf(upgradeWith({ status: 'emergency_applied' }), ada)).toBe('Ratify or reject');
    expect(needOf(upgradeWith({}, { open: ['bob'] }), ada)).toBeNull();
    expect(needOf(upgradeWith(), NOBODY)).toBeNull();
  });

  it('is what may be applied, or waits for checks', () => {
    const operator = { ...NOBODY, applies: true, proposes: true };
    expect(needOf(upgradeWith({ status: 'approved' }), operator)).toBe('Apply');
    expect(needOf(upgradeWith({ status: 'approved', missingChecks: ['smoke'] }), operator)).toBe(
      'Waits for checks: smoke',
    );
    expect(needOf(upgradeWith({ status: 'rollback_required' }), operator)).toBe('Undo it');
    expect(needOf(upgradeWith({ status: 'applied' }), operator)).toBeNull();
  });
});

it('says when what an upgrade waits for ends', () => {
  expect(endOf(upgradeWith())).toBe('2026-12-01T10:00:00.000Z');
  const ratifyBy = '2026-11-03T10:00:00.000Z';
  expect(endOf(upgradeWith({ status: 'emergency_applied', ratifyBy }))).toBe(ratifyBy);
  expect(endOf(upgradeWith({ status: 'applied' }))).toBeNull();
});
