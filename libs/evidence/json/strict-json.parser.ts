import { EvidenceError, type EvidenceErrorCode } from '../evidence.error';
import { whyNumberRefused } from './exact-number';
import { isForbiddenMember, jsonPointer, MAX_DEPTH, type JsonObject, type JsonValue } from './json-value';

export interface StrictJsonOptions {
  /** Deepest nesting allowed, default 64. A body that wraps a hashed document may allow its own levels on top. */
  maxDepth?: number;
  /**
   * Most values (members and elements count, at every level) that are read, default any number: what a reader is willing to
   * do for one document. A document of `[]` after `[]` costs a hundred times what a text of its length does.
   */
  maxValues?: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** Any decimal of this many significant digits survives text -> double -> text (C's DBL_DIG), exponent aside. */
const SAFE_DIGITS = 15;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses JSON as docs/spec/json.md accepts it (I-JSON, RFC 7493, and stricter): reads the raw text, because
 * `JSON.parse` alone hides duplicate names and rounded numbers.
 * @throws EvidenceError with the RFC 6901 pointer of the first offence in text order.
 */
export function parseStrictJson(input: Uint8Array | string, options?: StrictJsonOptions): JsonValue {
  const maxDepth = options?.maxDepth ?? MAX_DEPTH;
  const maxValues = options?.maxValues ?? Infinity;
  if (typeof input === 'string')
    return new StrictParser(input, maxDepth, false, undefined, maxValues).document();
  let text: string;
  try {
    text = decoder.decode(input);
  } catch (cause) {
    throw invalidUtf8(input, maxDepth, cause);
  }
  return new StrictParser(text, maxDepth, false, undefined, maxValues).document();
}

export interface CanonicalDocument {
  value: JsonValue;
  text: string;
  /** Per member of the outermost object, in order: offset of its name's quote, and of the text after its value. */
  spans: number[];
}

/**
 * Parses a text that must already be canonical (RFC 8785): anything that canonicalising would change is refused
 * with `not_canonical`, everything that `parseStrictJson` refuses is refused the same way.
 */
export function parseCanonicalJson(input: Uint8Array | string): CanonicalDocument {
  let text: string;
  if (typeof input === 'string') text = input;
  else {
    try {
      text = decoder.decode(input);
    } catch (cause) {
      throw invalidUtf8(input, MAX_DEPTH, cause);
    }
  }
  const spans: number[] = [];
  const value = new StrictParser(text, MAX_DEPTH, true, spans).document();
  return { value, text, spans };
}

/**
 * Names the value that contains the first invalid byte: the text before it is parsed, and that either shows an
 * earlier offence or ends inside the value in question.
 */
function invalidUtf8(bytes: Uint8Array, maxDepth: number, cause: unknown): EvidenceError {
  const offset = validUtf8Prefix(bytes);
  const parser = new StrictParser(decoder.decode(bytes.subarray(0, offset)), maxDepth, false);
  let pointer = '';
  try {
    parser.document();
  } catch (error) {
    if (error instanceof EvidenceError) {
      if (!parser.atEnd()) return error;
      pointer = error.pointer ?? '';
    }
  }
  return new EvidenceError('invalid_utf8', `Byte ${offset} is not valid UTF-8; send the document as UTF-8.`, {
    pointer,
    cause,
    details: { offset },
  });
}

/** Length of the longest prefix that is well-formed UTF-8 (Unicode table 3-7). */
function validUtf8Prefix(bytes: Uint8Array): number {
  let i = 0;
  while (i < bytes.length) {
    const lead = bytes[i] ?? 0;
    let more: number;
    let low = 0x80;
    let high = 0xbf;
    if (lead < 0x80) more = 0;
    else if (lead >= 0xc2 && lead <= 0xdf) more = 1;
    else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead === 0xe0) low = 0xa0;
      if (lead === 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead === 0xf0) low = 0x90;
      if (lead === 0xf4) high = 0x8f;
    } else return i;
    for (let k = 1; k <= more; k++) {
      const next = bytes[i + k];
      if (next === undefined || next < low || next > high) return i;
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return i;
}

class StrictParser {
  private pos = 0;
  private depth = 0;
  private values = 0;
  /** Name or index of the value being read, per level. */
  private readonly path: (string | number)[] = [];

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
    /** Whether to refuse everything that canonicalising would change. */
    private readonly canonical: boolean,
    private readonly spans?: number[],
    private readonly maxValues = Infinity,
  ) {}

  document(): JsonValue {
    if (this.text.charCodeAt(0) === 0xfeff) {
      this.fail('byte_order_mark', 'The document starts with a byte order mark; send it without.', 0);
    }
    this.space(0);
    const value = this.value();
    this.space(0);
    if (this.pos < this.text.length) this.unexpected('after the end of the document', 0);
    return value;
  }

  atEnd(): boolean {
    return this.pos >= this.text.length;
  }

  private value(): JsonValue {
    if (++this.values > this.maxValues) {
      this.fail(
        'too_many_values',
        `The document has more than ${this.maxValues} values; send fewer at a time.`,
      );
    }
    const c = this.text.charCodeAt(this.pos);
    switch (c) {
      case QUOTE:
        return this.string(false);
      case OPEN_BRACE:
        return this.object();
      case OPEN_BRACKET:
        return this.array();
      case 0x74:
        return this.word('true', true);
      case 0x66:
        return this.word('false', false);
      case 0x6e:
        return this.word('null', null);
      default:
        if (c === MINUS || (c >= ZERO && c <= NINE)) return this.number();
        return this.unexpected('where a value should start', this.depth);
    }
  }

  private object(): JsonObject {
    const level = this.enter();
    const { text, canonical } = this;
    const spans = level === 0 ? this.spans : undefined;
    const object: JsonObject = {};
    this.space(level);
    if (text.charCodeAt(this.pos) === CLOSE_BRACE) return this.leave(object);
    /** The greatest name so far. */
    let previous: string | undefined;
    for (;;) {
      if (text.charCodeAt(this.pos) !== QUOTE) this.unexpected('where a member name should start', level);
      const start = this.pos;
      const name = this.string(true);
      this.path[level] = name;
      if (isForbiddenMember(name)) {
        this.fail('forbidden_member', `A member must not be named ${name}; rename it.`);
      }
      // Names that ascend cannot repeat.
      if (previous !== undefined && name <= previous) {
        if (Object.hasOwn(object, name)) {
          this.fail(
            'duplicate_member',
            `The member name ${show(name)} occurs twice in one object; keep one.`,
          );
        }
        if (canonical) {
          this.fail(
            'not_canonical',
            `Member ${show(name)} comes after ${show(previous)}: names must be sorted.`,
          );
        }
      } else previous = name;
      this.space(this.depth);
      if (text.charCodeAt(this.pos) !== COLON) this.unexpected('where a colon should be', this.depth);
      this.pos++;
      this.space(this.depth);
      object[name] = this.value();
      if (spans !== undefined) spans.push(start, this.pos);
      this.space(level);
      const c = text.charCodeAt(this.pos);
      if (c === CLOSE_BRACE) return this.leave(object);
      if (c !== COMMA) this.unexpected('where a comma or a closing brace should be', level);
      this.pos++;
      this.space(level);
    }
  }

  private array(): JsonValue[] {
    const level = this.enter();
    const { text } = this;
    const array: JsonValue[] = [];
    this.space(level);
    if (text.charCodeAt(this.pos) === CLOSE_BRACKET) return this.leave(array);
    for (;;) {
      this.path[level] = array.length;
      array.push(this.value());
      this.space(level);
      const c = text.charCodeAt(this.pos);
      if (c === CLOSE_BRACKET) return this.leave(array);
      if (c !== COMMA) this.unexpected('where a comma or a closing bracket should be', level);
      this.pos++;
      this.space(level);
    }
  }

  private enter(): number {
    const level = this.depth;
    if (level >= this.maxDepth) {
      this.fail(
        'too_deep',
        `Arrays and objects are nested deeper than ${this.maxDepth} levels; flatten them.`,
      );
    }
    this.depth = level + 1;
    this.pos++;
    return level;
  }

  private leave<T>(container: T): T {
    this.pos++;
    this.depth--;
    return container;
  }

  private word<T extends JsonValue>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.pos))
      return this.unexpected('where a value should start', this.depth);
    this.pos += word.length;
    return value;
  }

  private string(isName: boolean): string {
    const { text } = this;
    const { length } = text;
    const start = this.pos + 1;
    let i = start;
    while (i < length) {
      const c = text.charCodeAt(i);
      if (c === QUOTE) {
        this.pos = i + 1;
        return text.slice(start, i);
      }
      if (c === BACKSLASH || c < 0x20 || (c & 0xf800) === 0xd800) break;
      i++;
    }
    return this.unusualString(start, i, isName);
  }

  /** A string with an escape, a surrogate or an error in it. */
  private unusualString(start: number, from: number, isName: boolean): string {
    const { text } = this;
    const { length } = text;
    // An offence inside a name belongs to the object that holds the member: the name is not known yet.
    const level = isName ? this.depth - 1 : this.depth;
    let decoded = text.slice(start, from);
    let chunk = from;
    let i = from;
    let escaped = false;
    for (;;) {
      if (i >= length) {
        this.pos = length;
        this.fail('invalid_json', 'The document ends inside a string.', level);
      }
      const c = text.charCodeAt(i);
      if (c === QUOTE) break;
      if (c < 0x20) {
        this.pos = i;
        this.fail('invalid_json', `Control character U+${hex4(c)} in a string; escape it.`, level);
      }
      if (c !== BACKSLASH) {
        i++;
        continue;
      }
      escaped = true;
      decoded += text.slice(chunk, i);
      this.pos = i;
      const kind = text.charCodeAt(i + 1);
      if (kind === 0x75) {
        const digits = text.slice(i + 2, i + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
          if (i + 2 + digits.length >= length) this.pos = length;
          this.fail('invalid_json', 'A \\u escape needs four hexadecimal digits.', level);
        }
        decoded += String.fromCharCode(Number.parseInt(digits, 16));
        i += 6;
      } else {
        const character = ESCAPES.get(kind);
        if (character === undefined) {
          if (i + 1 >= length) this.pos = length;
          this.fail('invalid_json', 'A string holds an escape that JSON does not have.', level);
        }
        decoded += character;
        i += 2;
      }
      chunk = i;
    }
    decoded += text.slice(chunk, i);
    this.pos = i + 1;
    if (!decoded.isWellFormed()) {
      if (isName) this.path[level] = decoded;
      this.fail(
        'lone_surrogate',
        `A ${isName ? 'member name' : 'string'} holds a lone surrogate, which no UTF-8 text can carry; remove it.`,
      );
    }
    if (this.canonical && escaped && JSON.stringify(decoded) !== text.slice(start - 1, i + 1)) {
      this.fail('not_canonical', 'A string is not escaped as RFC 8785 does.', level);
    }
    return decoded;
  }

  private number(): number {
    const { text } = this;
    const start = this.pos;
    let i = start;
    const negative = text.charCodeAt(i) === MINUS;
    if (negative) i++;
    const firstDigit = i;
    let value = 0;
    let c = text.charCodeAt(i);
    while (c >= ZERO && c <= NINE) {
      value = value * 10 + (c - ZERO);
      c = text.charCodeAt(++i);
    }
    const digits = i - firstDigit;
    this.pos = i;
    if (digits === 0) this.unexpected('where a digit should be', this.depth);
    if (digits > 1 && text.charCodeAt(firstDigit) === ZERO) {
      this.fail('invalid_json', 'A number must not start with a superfluous 0.');
    }
    const integer = c !== DOT && c !== 0x65 && c !== 0x45;
    if (integer && digits <= SAFE_DIGITS) {
      if (this.canonical && negative && value === 0) this.fail('not_canonical', '-0 is written as 0.');
      return negative && value !== 0 ? -value : value;
    }
    return this.longNumber(start, i);
  }

  /** A number with a fraction, an exponent, or more digits than are certain to survive. */
  private longNumber(start: number, afterInteger: number): number {
    const { text } = this;
    let i = afterInteger;
    let simple = false;
    if (text.charCodeAt(i) === DOT) {
      i = this.digits(i + 1);
      simple = i - start <= SAFE_DIGITS + 1;
    }
    const c = text.charCodeAt(i);
    if (c === 0x65 || c === 0x45) {
      simple = false;
      const sign = text.charCodeAt(i + 1);
      i = this.digits(sign === PLUS || sign === MINUS ? i + 2 : i + 1);
    }
    this.pos = i;
    const token = text.slice(start, i);
    const value = Number(token);
    const why = simple ? null : whyNumberRefused(token, value);
    if (why !== null) this.fail('number_not_exact', `The number ${why}.`);
    if (this.canonical && String(value) !== token) {
      this.fail('not_canonical', `The number ${token} is written as ${String(value)}.`);
    }
    return value === 0 ? 0 : value;
  }

  private digits(from: number): number {
    const { text } = this;
    let i = from;
    let c = text.charCodeAt(i);
    while (c >= ZERO && c <= NINE) c = text.charCodeAt(++i);
    if (i === from) {
      this.pos = i;
      this.unexpected('where a digit should be', this.depth);
    }
    return i;
  }

  private space(level: number): void {
    const { text } = this;
    let c = text.charCodeAt(this.pos);
    if (c > 0x20) return;
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) {
      if (this.canonical) this.fail('not_canonical', 'Canonical JSON has no white space.', level);
      c = text.charCodeAt(++this.pos);
    }
  }

  private unexpected(where: string, level: number): never {
    const { text, pos } = this;
    if (pos >= text.length) this.fail('invalid_json', `The document ends ${where}.`, level);
    const character = String.fromCodePoint(text.codePointAt(pos) ?? 0);
    this.fail('invalid_json', `Unexpected ${show(character)} ${where} (offset ${pos}).`, level);
  }

  private fail(code: EvidenceErrorCode, message: string, level = this.depth): never {
    throw new EvidenceError(code, message, { pointer: jsonPointer(this.path.slice(0, level)) });
  }
}

const ESCAPES = new Map<number, string>([
  [0x22, '"'],
  [0x5c, '\\'],
  [0x2f, '/'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

function show(name: string): string {
  return JSON.stringify(name.length <= 60 ? name : `${name.slice(0, 57)}...`);
}

function hex4(c: number): string {
  return c.toString(16).toUpperCase().padStart(4, '0');
}
