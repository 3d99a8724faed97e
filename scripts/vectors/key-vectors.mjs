// The vectors of public keys and signatures (docs/spec/signers.md).
import { createHash } from 'node:crypto';
import { possessionRefused } from './chain-vectors.mjs';
import {
  AUDIT_1,
  AUDIT_2,
  FOREIGN,
  ORIGIN,
  evidence,
  hex,
  malleate,
  possession,
  possessionInput,
  refusal,
} from './vector-kernel.mjs';

/** A signature whose R is the neutral element: only the owner of the key can make it, and some verifiers take it. */
function byNeutral({ seed, publicKey }, message) {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const number = (bytes) => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  const half = createHash('sha512').update(Buffer.from(seed, 'hex')).digest().subarray(0, 32);
  half[0] &= 248;
  half[31] = (half[31] & 127) | 64;
  const R = Buffer.alloc(32);
  R[0] = 1;
  const k = createHash('sha512').update(R).update(Buffer.from(publicKey, 'hex')).update(message).digest();
  const S = Buffer.from(((number(k) * number(half)) % L).toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([R, S]).toString('base64');
}

export function keyVectors() {
  const message = Buffer.from('illuvrse-kernel test vector message');
  const signature = AUDIT_1.sign(message);
  const changed = (change) => {
    const raw = Buffer.from(signature, 'base64');
    change(raw);
    return raw.toString('base64');
  };
  const le = (n) => Buffer.from(n.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex');
  const p = 2n ** 255n - 19n;
  const refused = [
    ['order 1, the neutral element', le(1n)],
    ['order 2', le(p - 1n)],
    ['order 4', le(0n)],
    ['order 4, other sign', le(2n ** 255n)],
    ['order 8', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'],
    ['order 8, other sign', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85'],
    ['order 8, other y', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['order 8, other y and sign', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa'],
    ['not canonical: y = p + 1, order 1', le(p + 1n)],
    ['not canonical: y = p, order 4', le(p)],
    ['not canonical: y = 1 with the sign bit', le(2n ** 255n + 1n)],
    ['not canonical: y = 2^255 - 1', le(2n ** 255n - 1n)],
    ['not on the curve: y = 2', le(2n)],
    [
      'not in the prime-order subgroup: 7 B plus a point of order 8',
      '16b981d0b88cdf3ab9fa87190822fe4905b475efda3aec7c34abfa92c19320f4',
    ],
  ];
  return {
    'public-keys.json': [
      { name: 'right', publicKey: AUDIT_1.publicKey, accepted: true },
      { name: 'right, another', publicKey: AUDIT_2.publicKey, accepted: true },
      ...refused.map(([name, publicKey]) => ({
        name,
        publicKey,
        accepted: false,
        code: refusal(() => evidence.checkRawPublicKey(Buffer.from(publicKey, 'hex'))).code,
      })),
    ],
    'signer-possession.json': {
      seed: AUDIT_2.seed,
      publicKey: AUDIT_2.publicKey,
      possession: {
        origin: ORIGIN,
        replaces: AUDIT_1.kid,
        kid: AUDIT_2.kid,
        publicKeySha256: evidence.sha256Hex(Buffer.from(AUDIT_2.publicKey, 'hex')),
      },
      input: Buffer.from(possessionInput(AUDIT_1, AUDIT_2)).toString(),
      signature: possession(AUDIT_1, AUDIT_2),
      refused: possessionRefused(),
    },
    'ed25519-signatures.json': {
      publicKey: AUDIT_1.publicKey,
      seed: AUDIT_1.seed,
      message: hex(message),
      signatures: [
        { name: 'right', signature, valid: true },
        { name: 'S + L', signature: malleate(signature), valid: false },
        {
          name: 'S = L',
          signature: withS(signature, 2n ** 252n + 27742317777372353535851937790883648493n),
          valid: false,
        },
        { name: 'S = 0', signature: withS(signature, 0n), valid: false },
        { name: 'high bits of S set', signature: changed((raw) => (raw[63] |= 0xe0)), valid: false },
        { name: 'one bit of R', signature: changed((raw) => (raw[0] ^= 1)), valid: false },
        { name: 'sign bit of R', signature: changed((raw) => (raw[31] ^= 0x80)), valid: false },
        { name: 'one bit of S', signature: changed((raw) => (raw[32] ^= 1)), valid: false },
        {
          name: 'R and S swapped',
          signature: changed((raw) => Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]).copy(raw)),
          valid: false,
        },
        { name: 'all zero', signature: Buffer.alloc(64).toString('base64'), valid: false },
        {
          name: 'R neutral, S = k a: the equation holds',
          signature: byNeutral(AUDIT_1, message),
          valid: false,
        },
        {
          name: 'R neutral, S = 0',
          signature: Buffer.concat([Buffer.from(le(1n), 'hex'), Buffer.alloc(32)]).toString('base64'),
          valid: false,
        },
        { name: 'by another key', signature: FOREIGN.sign(message), valid: false },
        { name: 'over another message', signature: AUDIT_1.sign(Buffer.from('other')), valid: false },
      ],
    },
  };
}

function withS(signature, s) {
  const raw = Buffer.from(signature, 'base64');
  for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
  return raw.toString('base64');
}
