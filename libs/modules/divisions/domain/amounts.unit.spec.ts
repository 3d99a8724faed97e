import fc from 'fast-check';
import { fromUnits, MAX_AMOUNT, toUnits } from './amounts';

describe('amounts', () => {
  it('are exact in thousandths, up to a million millions', () => {
    const most = MAX_AMOUNT * 1_000;
    fc.assert(
      fc.property(fc.integer({ min: -most, max: most }), (units) => {
        // As it comes out of a JSON document.
        const amount = JSON.parse(JSON.stringify(fromUnits(units))) as number;
        expect(toUnits(amount)).toBe(units === 0 ? 0 : units);
      }),
      { numRuns: 2_000 },
    );
    expect([0.1, 0.2, 0.3, 1e12].map(toUnits)).toEqual([100, 200, 300, 1e15]);
  });

  it.each([0.0001, 1 / 3, 0.1 + 0.2, 1e12 + 1, Number.NaN, Infinity])('%d is none', (amount) => {
    expect(toUnits(amount)).toBeNull();
  });
});
