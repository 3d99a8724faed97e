/** Lower-case hexadecimal text. */

const DIGITS = '0123456789abcdef';

export function hexEncode(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += `${DIGITS[byte >> 4]}${DIGITS[byte & 15]}`;
  return text;
}

/** @param text an even number of hexadecimal digits, checked by the caller */
export function hexDecode(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length / 2);
  hexDecodeInto(text, bytes);
  return bytes;
}

/** The same into bytes of the right length, for callers that decode very often. */
export function hexDecodeInto(text: string, bytes: Uint8Array): void {
  for (let n = 0; n < bytes.length; n++) {
    bytes[n] = (nibble(text.charCodeAt(2 * n)) << 4) | nibble(text.charCodeAt(2 * n + 1));
  }
}

function nibble(code: number): number {
  return code < 0x3a ? code - 0x30 : (code | 0x20) - 0x57;
}
