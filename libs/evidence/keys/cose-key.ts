import { p256 } from '@noble/curves/nist.js';
import { readCborMap } from './cbor';
import { EvidenceError } from '../evidence.error';
import { checkRawPublicKey } from './public-key';

/** A credential's public key, as an authenticator returns it (RFC 9053): ES256 on P-256, or Ed25519. */
export type CoseKey =
  | { algorithm: 'ES256'; x: Uint8Array; y: Uint8Array }
  /** `raw`: the 32 bytes of the key. */
  | { algorithm: 'EdDSA'; raw: Uint8Array };

const [KTY, ALG, CRV, X, Y] = [1, 3, -1, -2, -3];

/**
 * Reads a COSE key, and checks it: a point that is not on its curve, or a weak one, is refused.
 * @throws EvidenceError `invalid_public_key`, `weak_public_key`
 */
export function readCoseKey(bytes: Uint8Array): CoseKey {
  const map = readCborMap(bytes);
  const [kty, alg, crv, x, y] = [KTY, ALG, CRV, X, Y].map((label) => map.get(label));
  if (kty === 1 && alg === -8 && crv === 6 && x instanceof Uint8Array && map.size === 4) {
    checkRawPublicKey(x);
    return { algorithm: 'EdDSA', raw: x };
  }
  const isEs256 = kty === 2 && alg === -7 && crv === 1 && map.size === 5;
  if (isEs256 && x instanceof Uint8Array && y instanceof Uint8Array && x.length === 32 && y.length === 32) {
    try {
      p256.Point.fromBytes(Uint8Array.of(4, ...x, ...y)).assertValidity();
    } catch (cause) {
      throw new EvidenceError('weak_public_key', 'The public key is not a point of the curve P-256.', {
        cause,
      });
    }
    return { algorithm: 'ES256', x, y };
  }
  throw new EvidenceError(
    'invalid_public_key',
    'The credential must be an ES256 key on P-256 (COSE -7) or an Ed25519 key (COSE -8).',
  );
}
