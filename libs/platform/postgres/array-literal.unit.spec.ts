import { arrayOfPlain, arrayOfText } from './array-literal';

describe('array literals', () => {
  it('quote what needs it', () => {
    expect(arrayOfText(['a', 'b c', '', 'NULL', null])).toBe('{"a","b c","","NULL",NULL}');
    expect(arrayOfText(['say "no"', 'back\\slash', '{1,2}'])).toBe(
      '{"say \\"no\\"","back\\\\slash","{1,2}"}',
    );
    expect(arrayOfText([])).toBe('{}');
    expect(arrayOfText([null])).toBe('{NULL}');
    expect(arrayOfPlain([1, 2, 3])).toBe('{1,2,3}');
  });
});
