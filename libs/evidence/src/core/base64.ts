/** Standard base64 with padding (RFC 4648 section 4), one spelling per value: what does not re-encode is refused. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Int8Array(128).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

export function base64Encode(bytes: Uint8Array): string {
  let text = '';
  let i = 0;
  for (; i + 2 < bytes.length; i += 3) {
    const n = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8) | at(bytes, i + 2);
    text += letter(n >> 18) + letter(n >> 12) + letter(n >> 6) + letter(n);
  }
  if (i + 1 === bytes.length) {
    const n = at(bytes, i) << 16;
    text += `${letter(n >> 18)}${letter(n >> 12)}==`;
  } else if (i + 2 === bytes.length) {
    const n = (at(bytes, i) << 16) | (at(bytes, i + 1) << 8);
    text += `${letter(n >> 18)}${letter(n >> 12)}${letter(n >> 6)}=`;
  }
  return text;
}

/** The bytes, or null when `text` is not exactly what `base64Encode` makes (other alphabet, padding, stray bits). */
export function base64Decode(text: string): Uint8Array<ArrayBuffer> | null {
  const { length } = text;
  if (length % 4 !== 0) return null;
  if (length === 0) return new Uint8Array(0);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((length / 4) * 3 - padding);
  let out = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < length - padding; i++) {
    const c = text.charCodeAt(i);
    const value = c < 128 ? (VALUES[c] ?? -1) : -1;
    if (value < 0) return null;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[out++] = bits >> held;
      bits &= (1 << held) - 1;
    }
  }
  return bits === 0 ? bytes : null;
}

function at(bytes: Uint8Array, i: number): number {
  return bytes[i] ?? 0;
}

function letter(n: number): string {
  return ALPHABET.charAt(n & 63);
}
