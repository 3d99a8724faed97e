import { printable } from './printable-text';

it('shows what would move the cursor, start a line or turn the text around', () => {
  expect(printable('a\r\nb\u001b[2Jc\u2028d\u202ee')).toBe('a\\u000d\\u000ab\\u001b[2Jc\\u2028d\\u202ee');
});

it('leaves every other text alone', () => {
  expect(printable('Zoë “ok” 🔑 \\u000a')).toBe('Zoë “ok” 🔑 \\u000a');
});
