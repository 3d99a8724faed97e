/** Standard base64 with padding (RFC 4648 section 4), one spelling per value: what does not re-encode is refused. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

const CODES = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));
const PADDING = '='.charCodeAt(0);
const ascii = new TextDecoder('latin1');

/** Room for the text of 3 KiB; a new array each time would be one more thing for the garbage collector to sweep. */
const SCRATCH = new Uint8Array(4_096);

/** Encodes by way of bytes: a string that grows letter by letter leaves twenty times its size in garbage. */
export function base64Encode(bytes: Uint8Array): string {
  const length = Math.ceil(bytes.length / 3) * 4;
  const text = length <= SCRATCH.length ? SCRATCH.subarray(0, length) : new Uint8Array(length);
  let out = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const n = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8) | at(bytes, i + 2);
    text[out++] = code(n >> 18);
    text[out++] = code(n >> 12);
    text[out++] = code(n >> 6);
    text[out++] = code(n);
  }
  text.fill(PADDING, out - ((3 - (bytes.length % 3)) % 3));
  return ascii.decode(text);
}

/** The bytes, or null when `text` is not exactly what `base64Encode` makes (other alphabet, padding, stray bits). */
export function base64Decode(text: string): Uint8Array<ArrayBuffer> | null {
  const { length } = text;
  if (length % 4 !== 0) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  return base64DecodeInto(text, bytes) ? bytes : null;
}

/** The same into bytes of the right length, for callers that decode very often. */
export function base64DecodeInto(text: string, bytes: Uint8Array): boolean {
  const { length } = text;
  const padding = (length / 4) * 3 - bytes.length;
  if (length % 4 !== 0 || padding < 0 || padding > 2) return false;
  if (padding > 0 && !text.endsWith(padding === 2 ? '==' : '=')) return false;
  const end = length - padding;
  let out = 0;
  let i = 0;
  for (; i + 3 < end; i += 4) {
    const n =
      (value(text, i) << 18) | (value(text, i + 1) << 12) | (value(text, i + 2) << 6) | value(text, i + 3);
    if (n < 0) return false;
    bytes[out++] = n >> 16;
    bytes[out++] = n >> 8;
    bytes[out++] = n;
  }
  if (padding === 2) {
    const n = (value(text, i) << 6) | value(text, i + 1);
    if (n < 0 || (n & 15) !== 0) return false;
    bytes[out] = n >> 4;
  } else if (padding === 1) {
    const n = (value(text, i) << 12) | (value(text, i + 1) << 6) | value(text, i + 2);
    if (n < 0 || (n & 3) !== 0) return false;
    bytes[out++] = n >> 10;
    bytes[out] = n >> 2;
  }
  return true;
}

/** The alphabet for URLs, without padding (RFC 4648 section 5), as JWK and WebAuthn write it. */
export function base64Url(bytes: Uint8Array): string {
  return base64Encode(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Six bits, or -1, which keeps every number it is put into negative. */
function value(text: string, i: number): number {
  const c = text.charCodeAt(i);
  return c < 128 ? (VALUES[c] ?? -1) : -1;
}

function at(bytes: Uint8Array, i: number): number {
  return bytes[i] ?? 0;
}

function code(n: number): number {
  return CODES[n & 63] ?? 0;
}
