import { ed25519 } from '@noble/curves/ed25519.js';
import { isSoundSignature } from './ed25519-signature';

const { Point } = ed25519;
const P = 2n ** 255n - 19n;
const little = (n: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(n.toString(16).padStart(64, '0'), 'hex')).reverse();
const signature = (r: bigint, s = 0n): Uint8Array => Uint8Array.from([...little(r), ...little(s)]);
const SIGN = 2n ** 255n;

describe('isSoundSignature', () => {
  it('knows every point of small order, with either sign', () => {
    const torsion = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');
    let point = Point.ZERO;
    for (let n = 0; n < 8; n++, point = point.add(torsion)) {
      const R = point.toBytes();
      for (const sign of [0x00, 0x80]) {
        const bytes = Uint8Array.from([...R, ...little(1n)]);
        bytes[31] = ((R[31] ?? 0) & 0x7f) | sign;
        expect(isSoundSignature(bytes)).toBe(false);
      }
    }
    expect(point.equals(Point.ZERO)).toBe(true);
  });

  it('takes an R up to the prime, and none from there on', () => {
    expect(isSoundSignature(signature(P - 2n))).toBe(true);
    expect(isSoundSignature(signature(P - 2n + SIGN))).toBe(true);
    expect(isSoundSignature(signature(2n))).toBe(true);
    // P - 1 is of order 2; the rest is not canonical.
    for (let r = P - 1n; r < SIGN; r++) {
      expect(isSoundSignature(signature(r))).toBe(false);
      expect(isSoundSignature(signature(r + SIGN))).toBe(false);
    }
  });

  it('takes an S below the order', () => {
    const L = Point.Fn.ORDER;
    for (const s of [0n, 1n, 2n ** 252n - 1n, 2n ** 252n, L - 1n])
      expect(isSoundSignature(signature(2n, s))).toBe(true);
    for (const s of [L, L + 1n, 2n ** 253n, 2n * L, 2n ** 256n - 1n]) {
      expect(isSoundSignature(signature(2n, s))).toBe(false);
    }
  });

  it('takes 64 bytes alone', () => {
    for (const length of [0, 32, 63, 65, 128])
      expect(isSoundSignature(new Uint8Array(length).fill(2))).toBe(false);
  });
});
