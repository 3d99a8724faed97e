import { divisionOf } from './event-division';

describe('the division of an event', () => {
  it('is its stream’s, before what its payload says', () => {
    expect(divisionOf('division/product', { division: 'finance' })).toBe('product');
  });
  it('is the one its payload names', () => {
    expect(divisionOf('door/1', { division: 'finance' })).toBe('finance');
  });
  it.each([{}, { division: '' }, { division: 7 }, { division: null }])('is none for %j', (payload) => {
    expect(divisionOf('door/1', payload)).toBeNull();
    expect(divisionOf('divisions/product', payload)).toBeNull();
  });
});
