/**
 * The number rule of docs/spec/json.md: a number is accepted when its exact decimal value survives
 * text -> IEEE 754 double -> shortest text (ECMAScript Number::toString, which RFC 8785 section 3.2.2.3 prescribes),
 * and neither spelling is an integer literal beyond 2^53 - 1.
 */

/** From here on ECMAScript writes integers with an exponent: `1e+21`. */
const FIRST_EXPONENT_FORM = 1e21;

/** Whether a double canonicalises to something every reader takes for the same number. */
export function isExactDouble(value: number): boolean {
  const magnitude = Math.abs(value);
  if (magnitude <= Number.MAX_SAFE_INTEGER) return true;
  return magnitude >= FIRST_EXPONENT_FORM && magnitude !== Infinity;
}

/** Reason why `token` (already known to follow the JSON grammar) is refused, or null when it is accepted. */
export function whyNumberRefused(token: string, value: number): string | null {
  if (!Number.isFinite(value)) return `${shorten(token)} is beyond the range of a double`;
  if (!isExactDouble(value) || (Math.abs(value) > Number.MAX_SAFE_INTEGER && isIntegerLiteral(token))) {
    return `${shorten(token)} is an integer beyond 2^53-1; send it as a string`;
  }
  const shortest = String(value);
  if (!sameDecimal(token, shortest)) {
    return `${shorten(token)} is not exactly representable: a reader would see ${shortest}; send that, or a string`;
  }
  return null;
}

function isIntegerLiteral(token: string): boolean {
  return /^-?\d+$/.test(token);
}

/** Whether two JSON numbers denote the same mathematical value (`1.0`, `10e-1` and `1` do). */
function sameDecimal(a: string, b: string): boolean {
  const left = normalise(a);
  const right = normalise(b);
  if (left.digits === '' || right.digits === '') return left.digits === right.digits;
  return left.negative === right.negative && left.digits === right.digits && left.exponent === right.exponent;
}

/** value = digits x 10^exponent, digits without leading or trailing zeros ('' is zero). Linear in the token. */
function normalise(token: string): { negative: boolean; digits: string; exponent: number } {
  const negative = token.startsWith('-');
  const e = token.search(/[eE]/);
  const mantissa = token.slice(negative ? 1 : 0, e < 0 ? token.length : e);
  const dot = mantissa.indexOf('.');
  const all = dot < 0 ? mantissa : mantissa.slice(0, dot) + mantissa.slice(dot + 1);
  let exponent = (e < 0 ? 0 : Number(token.slice(e + 1))) - (dot < 0 ? 0 : mantissa.length - dot - 1);
  let start = 0;
  let end = all.length;
  while (start < end && all.charCodeAt(start) === 0x30) start++;
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--;
  exponent += all.length - end;
  return { negative, digits: all.slice(start, end), exponent };
}

function shorten(token: string): string {
  return token.length <= 40 ? token : `${token.slice(0, 37)}...`;
}
