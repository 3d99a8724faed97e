import { type Random } from './random.fixture';

/** Texts of JSON's grammar, those next to it, and those that readers have stumbled over. */
const TOKENS = [
  ...'"\\{}[],:0123456789.-+eE \n\t\0\u007f\u0080\u2028é\ud800\udfff',
  ...['""', '"a"', 'null', 'true', 'false', 'nul', 'NaN', 'Infinity', 'undefined', '//', '/**/', "'"],
  ...[
    '-0',
    '0',
    '00',
    '01',
    '1.0',
    '1.',
    '.5',
    '1e0',
    '1E0',
    '1e+21',
    '1e21',
    '1e-7',
    '0.0000001',
    '+1',
    '0x1',
    '1_0',
  ],
  ...[
    '9007199254740991',
    '9007199254740992',
    '9007199254740993',
    '999999999999999',
    '1000000000000000',
    '1e400',
  ],
  ...['\\u0041', '\\u001f', '\\u001F', '\\/', '\\"', '\\\\', '\\b', '\\x', '\\ud83d\\ude00', '😀', '\ufeff'],
  ...['"__proto__":1', '"toJSON":1', '"a":1,"a":1', '"b":1,"a":1', '{"":{}}', '[[]]', '[,]', '{,}', '[1,]'],
];
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]/g;

/** A few small changes of a JSON text: of single characters, of ranges, of tokens, of members. */
export function mutateJson(text: string, corpus: readonly string[], random: Random): string {
  let mutated = text;
  for (let n = random.pick([1, 1, 1, 2, 2, 3, 5]); n > 0; n--) {
    mutated = random.once(2) ? changeCharacters(mutated, corpus, random) : changeTokens(mutated, random);
  }
  return mutated;
}

function changeCharacters(text: string, corpus: readonly string[], random: Random): string {
  const at = random.below(text.length + 1);
  const [before, after] = [text.slice(0, at), text.slice(at)];
  const length = random.pick([1, 1, 1, 2, 4, 16, 64]);
  switch (random.below(9)) {
    case 0:
      return before + after.slice(length);
    case 1:
      return before + random.pick(TOKENS) + after;
    case 2:
      return before + random.pick(TOKENS) + after.slice(1);
    case 3: {
      const flipped = (after.charCodeAt(0) || 0) ^ (1 << random.below(8));
      return before + String.fromCharCode(flipped) + after.slice(1);
    }
    case 4:
      return before + after.slice(0, length) + after;
    case 5:
      return before + after.charAt(1) + after.charAt(0) + after.slice(2);
    case 6: {
      const other = random.pick(corpus);
      return before + other.slice(random.once(2) ? at : random.below(other.length));
    }
    case 7:
      return random.once(8) ? before : before + after.slice(length) + after.slice(0, length);
    default: {
      const quotes = [...text.matchAll(/"/g)];
      const quote = quotes.length === 0 ? at : random.pick(quotes).index;
      return text.slice(0, quote) + random.pick(['', 'X', "'", '\\"', '""', ' "']) + text.slice(quote + 1);
    }
  }
}

function changeTokens(text: string, random: Random): string {
  const tokens = [...text.matchAll(TOKEN)];
  if (tokens.length === 0) return text;
  const one = random.pick(tokens);
  const [token, end] = [one[0], one.index + one[0].length];
  const replaced = (by: string): string => text.slice(0, one.index) + by + text.slice(end);
  switch (random.below(6)) {
    case 0:
      return replaced(random.pick(TOKENS));
    case 1:
      return replaced('');
    case 2:
      return replaced(respell(token, random));
    case 3: {
      const other = random.pick(tokens);
      const [first, second] = one.index <= other.index ? [one, other] : [other, one];
      const [endOfFirst, endOfSecond] = [first.index + first[0].length, second.index + second[0].length];
      if (endOfFirst > second.index) return text;
      const between = text.slice(endOfFirst, second.index);
      return text.slice(0, first.index) + second[0] + between + first[0] + text.slice(endOfSecond);
    }
    case 4: {
      const deep = random.pick([1, 2, 61, 62, 63, 64, 65]);
      return replaced(
        random.once(2)
          ? `${'['.repeat(deep)}${']'.repeat(deep)}`
          : `${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}`,
      );
    }
    default:
      return replaced(random.pick(tokens)[0]);
  }
}

/** The same value spelled in another way, or nearly the same value. */
function respell(token: string, random: Random): string {
  if (!token.startsWith('"')) {
    return random.pick([
      `${token}.0`,
      `${token}e0`,
      `0${token}`,
      `-${token}`,
      `${token}0`,
      `+${token}`,
      ` ${token}`,
      `"${token}"`,
    ]);
  }
  const inner = token.slice(1, -1);
  const at = random.below(inner.length + 1);
  const code = (inner.charCodeAt(at) || 0x41).toString(16).padStart(4, '0');
  const long = 'x'.repeat(random.pick([100, 253, 254, 255, 256]));
  return random.pick([
    `"${inner.slice(0, at)}\\u${code}${inner.slice(at + 1)}"`,
    `"${inner.slice(0, at)}\\u${code.toUpperCase()}${inner.slice(at + 1)}"`,
    `"${inner.toUpperCase()}"`,
    `"${inner}${long}"`,
    `"${inner}`,
    `${inner}"`,
    `'${inner}'`,
    inner,
    `"${inner} "`,
  ]);
}
