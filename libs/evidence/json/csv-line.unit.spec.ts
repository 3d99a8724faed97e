import { csvLine } from './csv-line';

describe('a record of a CSV file', () => {
  it.each([
    ['a plain text', 'invoice.paid', 'invoice.paid'],
    ['a number', -7, '-7'],
    ['a comma', 'a,b', '"a,b"'],
    ['quotation marks', 'say "yes"', '"say ""yes"""'],
    ['a formula', '=HYPERLINK("https://example.com")', '"\'=HYPERLINK(""https://example.com"")"'],
    ['a sum', '+1', "'+1"],
    ['a difference', '-1', "'-1"],
    ['a macro', '@SUM(A1)', "'@SUM(A1)"],
  ])('keeps %s', (_, value, line) => {
    expect(csvLine([value])).toBe(line);
  });

  it('is one line, whatever its texts are', () => {
    expect(csvLine(['a\r\n=b', 'c\u202ed', 1])).not.toMatch(/[\r\n\u202e]/);
  });
});
