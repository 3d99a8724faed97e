import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import * as browserCrypto from './browser-crypto';
import * as nodeCrypto from './node-crypto';

/** The exports of `#evidence-crypto` under each condition of package.json. */
interface EvidenceCrypto<Key> {
  sha256(data: Uint8Array): Uint8Array;
  sha256Hex(data: string | Uint8Array): string;
  importKey(raw: Uint8Array): Key;
  verifyEd25519(key: Key, message: Uint8Array, signature: Uint8Array): boolean;
  verifyEd25519Async(key: Key, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
  verifyEs256(x: Uint8Array, y: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
}

const { Point } = ed25519;
const MESSAGE = Buffer.from('a message');
const little = (n: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(n.toString(16).padStart(64, '0'), 'hex')).reverse();
const numberOf = (bytes: Uint8Array): bigint =>
  BigInt(`0x${Buffer.from(bytes.toReversed()).toString('hex')}`);

/** A signature whose R is `nonce B + extra`, by a secret scalar: with `extra`, an honest signer never makes one. */
function crafted(
  secret: bigint,
  nonce: bigint,
  extra = Point.ZERO,
): { raw: Uint8Array; signature: Uint8Array } {
  const raw = Point.BASE.multiply(secret).toBytes();
  const R = Point.BASE.multiplyUnsafe(nonce).add(extra).toBytes();
  const k = Point.Fn.create(numberOf(createHash('sha512').update(R).update(raw).update(MESSAGE).digest()));
  const S = Point.Fn.create(nonce + k * secret);
  return { raw, signature: Uint8Array.from([...R, ...little(S)]) };
}

/** A point of order 8 (the torsion subgroup's generator, as RFC 8032 would encode it). */
const TORSION = Point.fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a');

/** All encodings that decode to a point of small order somewhere, canonical or not (C2SP/CCTV, ed25519). */
const SMALL_ORDER_ENCODINGS = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

behaves('node:crypto', nodeCrypto);
behaves('WebCrypto and noble', browserCrypto);

function behaves<Key>(name: string, crypto: EvidenceCrypto<Key>): void {
  describe(`the cryptography of the formats: ${name}`, () => {
    const judge = async (raw: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> => {
      const key = crypto.importKey(raw);
      const verdict = crypto.verifyEd25519(key, message, signature);
      expect(await crypto.verifyEd25519Async(key, message, signature)).toBe(verdict);
      return verdict;
    };

    it('hashes texts and bytes', () => {
      for (const text of ['', 'abc', 'ä€😀', 'x'.repeat(100_000)]) {
        const expected = createHash('sha256').update(text).digest();
        expect(crypto.sha256Hex(text)).toBe(expected.toString('hex'));
        expect(crypto.sha256Hex(Buffer.from(text))).toBe(expected.toString('hex'));
        expect(Buffer.from(crypto.sha256(Buffer.from(text)))).toEqual(expected);
      }
    });

    it('judges the published Ed25519 signatures', async () => {
      const file = join(__dirname, '../../../docs/spec/vectors/ed25519-signatures.json');
      const vector = JSON.parse(readFileSync(file, 'utf8')) as {
        publicKey: string;
        message: string;
        signatures: { signature: string; valid: boolean }[];
      };
      const [raw, message] = [Buffer.from(vector.publicKey, 'hex'), Buffer.from(vector.message, 'hex')];
      for (const { signature, valid } of vector.signatures) {
        expect(await judge(raw, message, Buffer.from(signature, 'base64'))).toBe(valid);
      }
    });

    it('takes what was signed, and nothing of which a bit differs', async () => {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
      for (const length of [0, 1, 32, 4_000]) {
        const message = randomBytes(length);
        const signature = sign(null, message, privateKey);
        expect(await judge(raw, message, signature)).toBe(true);
        expect(await judge(raw, Buffer.concat([message, Buffer.of(0)]), signature)).toBe(false);
        for (const bit of [0, 77, 254, 256, 400, 511]) {
          const other = Buffer.from(signature);
          other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(await judge(raw, message, other)).toBe(false);
        }
        expect(await judge(raw, message, signature.subarray(0, 63))).toBe(false);
      }
    });

    it('judges without a cofactor, and takes no R of small order', async () => {
      const [secret, nonce] = [123_456_789n, 987_654_321n];
      const honest = crafted(secret, nonce);
      expect(await judge(honest.raw, MESSAGE, honest.signature)).toBe(true);
      const torsion = crafted(secret, nonce, TORSION);
      // A verifier with the cofactor accepts it.
      expect(ed25519.verify(torsion.signature, MESSAGE, torsion.raw, { zip215: false })).toBe(true);
      expect(await judge(torsion.raw, MESSAGE, torsion.signature)).toBe(false);
      for (const extra of [Point.ZERO, TORSION]) {
        const small = crafted(secret, 0n, extra);
        expect(await judge(small.raw, MESSAGE, small.signature)).toBe(false);
      }
    });

    it.each(SMALL_ORDER_ENCODINGS)(
      'takes no signature whose R is the point of small order %s',
      async (encoded) => {
        const { raw } = crafted(123_456_789n, 1n);
        const R = Buffer.from(encoded, 'hex');
        // S = k a: the equation holds for the neutral element, and once the part of small order is multiplied away for all.
        const k = Point.Fn.create(
          numberOf(createHash('sha512').update(R).update(raw).update(MESSAGE).digest()),
        );
        const signature = Uint8Array.from([...R, ...little(Point.Fn.create(k * 123_456_789n))]);
        expect(await judge(raw, MESSAGE, signature)).toBe(false);
      },
    );

    it('takes no S that is not below the order', async () => {
      const { raw, signature } = crafted(123_456_789n, 987_654_321n);
      const [R, S] = [signature.slice(0, 32), numberOf(signature.slice(32))];
      for (const more of [1n, 2n, 15n]) {
        const other = Uint8Array.from([...R, ...little(S + more * Point.Fn.ORDER)]);
        expect(await judge(raw, MESSAGE, other)).toBe(false);
      }
      expect(await judge(raw, MESSAGE, Uint8Array.from([...R, ...little(Point.Fn.ORDER)]))).toBe(false);
    });

    it('judges ES256, with either S and in DER alone', () => {
      const { secretKey, publicKey } = p256.keygen();
      const point = p256.Point.fromBytes(publicKey).toBytes(false);
      const [x, y] = [point.slice(1, 33), point.slice(33)];
      const signature = p256.Signature.fromBytes(p256.sign(MESSAGE, secretKey));
      const other = new p256.Signature(signature.r, p256.Point.Fn.neg(signature.s));
      for (const one of [signature, other]) {
        const der = one.toBytes('der');
        expect(crypto.verifyEs256(x, y, MESSAGE, der)).toBe(true);
        expect(crypto.verifyEs256(x, y, Buffer.from('another message'), der)).toBe(false);
        expect(crypto.verifyEs256(x, y, MESSAGE, Uint8Array.of(...der, 0))).toBe(false);
        expect(crypto.verifyEs256(x, y, MESSAGE, one.toBytes('compact'))).toBe(false);
      }
      expect(crypto.verifyEs256(x, y, MESSAGE, new Uint8Array())).toBe(false);
    });
  });
}

describe('WebCrypto without Ed25519', () => {
  it('is stood in for by noble', async () => {
    const { raw, signature } = crafted(5n, 7n);
    const importKey = jest
      .spyOn(crypto.subtle, 'importKey')
      .mockRejectedValue(new DOMException('', 'NotSupportedError'));
    try {
      const key = browserCrypto.importKey(raw);
      expect(await browserCrypto.verifyEd25519Async(key, MESSAGE, signature)).toBe(true);
      expect(await browserCrypto.verifyEd25519Async(key, Buffer.from('x'), signature)).toBe(false);
      expect(importKey).toHaveBeenCalledTimes(1);
    } finally {
      importKey.mockRestore();
    }
  });
});
