import { divisionOf } from './event-division';
import { isReserved } from './reserved-names';

describe('names that only the kernel uses', () => {
  it.each([
    'manifest.signed',
    'manifest.signed.v2',
    'signer.added',
    'upgrade/1',
    'approver_pool.changed',
    'mode.entered',
    'kernel/x',
  ])('%s is reserved', (name) => expect(isReserved(name)).toBe(true));
  it.each(['manifests.signed', 'door.opened', 'signers/1', 'upgrades/1', 'division/product'])(
    '%s is free',
    (name) => expect(isReserved(name)).toBe(false),
  );
});

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
