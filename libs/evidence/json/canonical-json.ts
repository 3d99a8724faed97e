import { EvidenceError } from '../evidence.error';
import { isExactDouble } from './exact-number';
import { isForbiddenMember, MAX_DEPTH, type JsonValue } from './json-value';
import { assertStrictJson } from './strict-json.assertion';

/** Thrown inside: the exact offence is then looked up by `assertStrictJson`. Made once, because stacks cost time. */
const REFUSED = new Error('refused');

/**
 * RFC 8785 canonical JSON text of a value that obeys docs/spec/json.md.
 * @param depth number of levels that already enclose the value in the document it becomes part of
 * @throws EvidenceError with the pointer of the first offence, as `assertStrictJson` does.
 */
export function canonicalize(value: JsonValue, depth = 0): string {
  try {
    return write(value, depth);
  } catch (error) {
    if (error !== REFUSED) throw error;
    assertStrictJson(value);
    throw new EvidenceError(
      'too_deep',
      `Nested deeper than ${MAX_DEPTH} levels in its document; flatten it.`,
    );
  }
}

function write(value: JsonValue | undefined, depth: number): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'number':
      if (!isExactDouble(value)) throw REFUSED;
      return `${value}`;
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (depth >= MAX_DEPTH) throw REFUSED;
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw REFUSED;
  }
}

function writeArray(array: JsonValue[], depth: number): string {
  const { length } = array;
  if (length === 0) return '[]';
  let text = `[${write(array[0], depth)}`;
  for (let i = 1; i < length; i++) text += `,${write(array[i], depth)}`;
  return `${text}]`;
}

function writeObject(object: { [k: string]: JsonValue }, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw REFUSED;
  }
  const names = Object.keys(object);
  const { length } = names;
  if (length === 0) return '{}';
  sortNames(names);
  let text = '{';
  for (let i = 0; i < length; i++) {
    const name = names[i] ?? '';
    if (isForbiddenMember(name)) throw REFUSED;
    text += `${i === 0 ? '' : ','}${quote(name)}:${write(object[name], depth)}`;
  }
  return `${text}}`;
}

/** Up to here an insertion sort is several times faster than a call of `sort`. */
const FEW_NAMES = 16;

/** Sorts by UTF-16 code units (RFC 8785 section 3.2.3), which JavaScript's `<` on strings compares. */
function sortNames(names: string[]): void {
  const { length } = names;
  if (length > FEW_NAMES) {
    names.sort();
    return;
  }
  for (let i = 1; i < length; i++) {
    const name = names[i] ?? '';
    let j = i;
    for (let before = names[j - 1] ?? ''; j > 0 && before > name; before = names[j - 1] ?? '')
      names[j--] = before;
    names[j] = name;
  }
}

/** From here on JSON.stringify finds what needs an escape faster than the pattern does. */
const LONG = 100;

// eslint-disable-next-line no-control-regex -- control characters are what RFC 8785 section 3.2.2.2 escapes
const UNUSUAL = /["\\\u0000-\u001f\ud800-\udfff]/;

/** ECMAScript's QuoteJSONString, which RFC 8785 section 3.2.2.2 prescribes; refuses lone surrogates. */
function quote(text: string): string {
  if (text.length < LONG && !UNUSUAL.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw REFUSED;
  return JSON.stringify(text);
}
