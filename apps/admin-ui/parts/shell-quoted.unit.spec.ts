import { shellQuoted } from './shell-quoted';

describe('an argument of a shell', () => {
  it.each([
    ['upg-1', 'upg-1'],
    ['', "''"],
    ['two words', "'two words'"],
    ['*', "'*'"],
    ['$(date) `date` "x" \\ !', '\'$(date) `date` "x" \\ !\''],
    ["it's", String.raw`'it'\''s'`],
    ['a\nb\t\\x41\u0001', String.raw`$'a\x0ab\x09\\x41\x01'`],
    ["it's\r", String.raw`$'it\'s\x0d'`],
    ['\u009b31m', String.raw`$'\u009b31m'`],
  ])('is %j as %s', (text, quoted) => {
    expect(shellQuoted(text)).toBe(quoted);
  });
});
