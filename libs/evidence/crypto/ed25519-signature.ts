import { hexDecode } from '../json/hex';

/**
 * What every runtime must refuse about a signature's own bytes before it looks at key and message. Runtimes differ there:
 * Node.js 24 refuses an R of small order, Node.js 20 and 22 take it, browsers differ. A verdict on evidence must not
 * depend on who runs the verifier (docs/spec/signers.md, section 2).
 */

/** Bytes that have to be 255 for an encoded y to reach the field's prime, 2^255 - 19. */
const MIDDLE = { first: 1, last: 30 };
const P_LOW = 0xed;
const SIGN = 0x80;

/** The curve's order L = 2^252 + 27742317777372353535851937790883648493 (RFC 8032 section 5.1), little-endian. */
const ORDER = hexDecode('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');

/**
 * The y coordinates of the eight points of small order, canonical: two of order 8, then 0 (order 4), 1 (the neutral
 * element) and -1 (order 2). The bit that gives the sign of x is left out: with it set or not, a point of small order or
 * no point at all has this y.
 */
const SMALL_ORDER = [
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hexDecode);

/**
 * Whether the bytes can be a signature: 64 of them, R canonical (y < p, RFC 8032 section 5.1.3) and not of small order,
 * S < L (section 5.1.7). Nothing in it is secret, so it may take time that depends on the bytes.
 */
export function isSoundSignature(signature: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    isBelowOrder(signature) &&
    !isBeyondPrime(signature) &&
    !isSmallOrder(signature)
  );
}

function isBelowOrder(signature: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const [s, l] = [signature[32 + i] ?? 0, ORDER[i] ?? 0];
    if (s !== l) return s < l;
  }
  return false;
}

function isBeyondPrime(signature: Uint8Array): boolean {
  if (((signature[31] ?? 0) | SIGN) !== 0xff) return false;
  for (let i = MIDDLE.last; i >= MIDDLE.first; i--) if (signature[i] !== 0xff) return false;
  return (signature[0] ?? 0) >= P_LOW;
}

function isSmallOrder(signature: Uint8Array): boolean {
  return SMALL_ORDER.some((y) => {
    for (let i = 0; i < 31; i++) if (signature[i] !== y[i]) return false;
    return ((signature[31] ?? 0) & ~SIGN) === y[31];
  });
}
