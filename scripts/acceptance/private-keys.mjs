import { createPrivateKey, createPublicKey } from 'node:crypto';

const PEM = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/g;
/** What begins like a key, and is none that can be read: still nothing to have. */
const PEM_BEGINNING = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const JWK = /\{[^{}]*"kty"[^{}]*\}/g;

/** One text for a public key, in whatever form it comes. */
export function publicKeyText(key) {
  return createPublicKey(key).export({ type: 'spki', format: 'der' }).toString('base64');
}

function opened(key, what) {
  try {
    const privateKey = createPrivateKey(key);
    return {
      what: `a private key, ${privateKey.asymmetricKeyType}, ${what}`,
      publicKey: publicKeyText(privateKey),
    };
  } catch {
    return { what: `a private key that cannot be read, ${what}`, publicKey: null };
  }
}

/**
 * The private keys in some bytes: PEM, also several and among other text, JWK, PKCS#8 in DER, and each of these in base64 once more.
 * @returns {{ what: string, publicKey: string | null }[]} `publicKey` is null where the key cannot be read
 */
export function privateKeysIn(bytes, isInner = false) {
  const text = bytes.toString('latin1');
  const found = [...text.matchAll(PEM)].map(([pem]) => opened(pem, 'PEM'));
  if (found.length === 0 && PEM_BEGINNING.test(text))
    found.push({ what: 'the beginning of a private key', publicKey: null });
  for (const [json] of text.matchAll(JWK)) {
    try {
      const jwk = JSON.parse(json);
      if (typeof jwk.d === 'string') found.push(opened({ key: jwk, format: 'jwk' }, 'JWK'));
    } catch {
      // Not JSON after all.
    }
  }
  // ASN.1: a SEQUENCE. Certificates and public keys are some, too, and do not open as a private key.
  if (bytes[0] === 0x30) {
    const key = opened({ key: bytes, format: 'der', type: 'pkcs8' }, 'PKCS#8');
    if (key.publicKey !== null) found.push(key);
  }
  const inner = text.trim();
  if (!isInner && /^[A-Za-z0-9+/_-]{40,}={0,2}$/.test(inner.replaceAll(/\s/g, ''))) {
    found.push(...privateKeysIn(Buffer.from(inner, 'base64'), true));
  }
  return found;
}
