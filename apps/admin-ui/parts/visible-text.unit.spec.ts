import { visibleText } from './visible-text';

it.each([
  ['plain text, 1 €, ü, 漢字, 🙂', 'plain text, 1 €, ü, 漢字, 🙂'],
  ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
  ['pay\u202e05.1', 'pay\\u202e05.1'],
  ['ad\u200bmin', 'ad\\u200bmin'],
  ['\u2066x\u2069', '\\u2066x\\u2069'],
  ['\ufeffx\u00ad', '\\ufeffx\\u00ad'],
  ['bell\u0007 and \u001b[31m', 'bell\\u0007 and \\u001b[31m'],
])('%j is shown as %j', (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});
