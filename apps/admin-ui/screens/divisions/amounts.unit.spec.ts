import { amountOf, amountText, balanceText, shareOf } from './amounts';

describe('amounts', () => {
  it('are shown with what they have of decimals', () => {
    expect(amountText(1234.5)).toBe('1,234.5');
    expect(amountText(0.001)).toBe('0.001');
    expect(balanceText({ pool: null, budget: 10, allocated: 2.5, available: 7.5 })).toBe(
      '2.5 of 10 allocated, 7.5 left',
    );
  });

  it.each([
    [10, 2.5, 25],
    [10, 10, 100],
    [0, 0, 0],
  ])('of %d %d is %d %%', (budget, allocated, share) => {
    expect(shareOf({ budget, allocated })).toBe(share);
  });

  it.each([
    ['2.5', 2.5],
    [' 1,125 ', 1.125],
    ['1000000000000', 1_000_000_000_000],
  ])('are read: %s', (text, amount) => {
    expect(amountOf(text)).toBe(amount);
  });

  it.each(['', '0', '-1', '1.0001', '1e3', 'two', '1000000000001'])('are not: %s', (text) => {
    expect(amountOf(text)).toBeNull();
  });
});
