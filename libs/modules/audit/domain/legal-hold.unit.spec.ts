import { decideLegalHold, evolveLegalHold, legalHoldStream, NEVER_HELD } from './legal-hold.decider';

const range = { shard: 0, fromSeq: 3, toSeq: 7 };
const place = { ...range, hold: true, reason: 'case 17' };
const lift = { ...place, hold: false };
const after = (...types: string[]) =>
  types.map((type) => ({ type })).reduce((state, event) => evolveLegalHold(state, event), NEVER_HELD);

describe('a legal hold', () => {
  it('is placed once, lifted once, and placed again', () => {
    expect(decideLegalHold(NEVER_HELD, place, 7)).toEqual({
      type: 'legal_hold.placed',
      payload: { ...range, reason: 'case 17' },
    });
    const placed = after('legal_hold.placed');
    expect(() => decideLegalHold(placed, place, 7)).toThrow(/held already/);
    expect(decideLegalHold(placed, lift, 7)).toMatchObject({ type: 'legal_hold.lifted' });
    const lifted = after('legal_hold.placed', 'legal_hold.lifted');
    expect(() => decideLegalHold(lifted, lift, 7)).toThrow(/no hold on exactly/);
    expect(decideLegalHold(lifted, place, 7)).toMatchObject({ type: 'legal_hold.placed' });
  });

  it('holds events that exist', () => {
    expect(() => decideLegalHold(NEVER_HELD, place, 6)).toThrow(
      /does not lie within shard 0, which ends at 6/,
    );
    expect(() => decideLegalHold(NEVER_HELD, { ...place, fromSeq: 8 }, 9)).toThrow(/does not lie/);
  });

  it('has a stream for each range', () => {
    expect(legalHoldStream(range)).toBe('legal_hold/0:3-7');
  });
});
