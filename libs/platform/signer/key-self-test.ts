import { type KeyObject } from 'node:crypto';
import nacl from 'tweetnacl';
import { importPublicKey, rawKeyOfPem, verifyEd25519 } from '#evidence';
import { SignerError, reasonOf } from './signer.error';

/**
 * Message that a key signs to prove itself. It starts with a domain of its own, so the signature can never be mistaken
 * for one over an event, a manifest or a checkpoint.
 */
export function selfTestMessage(kid: string): Buffer {
  return Buffer.from(`illuvrse-kernel/key-self-test/v1\n${kid}\n`, 'utf8');
}

/** Cheap enough to run on every health request: one signature, checked by node:crypto. */
function answersSelfTest(kid: string, publicKeyPem: string, signature: Uint8Array): boolean {
  return (
    signature.length === 64 && verifyEd25519(importPublicKey(publicKeyPem), selfTestMessage(kid), signature)
  );
}

/**
 * Returns the first key that does not sign its self-test, which makes a backend unhealthy.
 * @throws what `sign` throws
 */
export async function failingKey(
  keys: Iterable<{ kid: string; publicKeyPem: string }>,
  sign: (kid: string, messages: readonly Uint8Array[]) => Promise<readonly Uint8Array[]>,
): Promise<string | undefined> {
  for (const { kid, publicKeyPem } of keys) {
    const [signature] = await sign(kid, [selfTestMessage(kid)]);
    if (!signature || !answersSelfTest(kid, publicKeyPem, signature)) {
      return `key ${kid} does not sign correctly`;
    }
  }
  return undefined;
}

/**
 * The test every key passes when it is loaded: it signs a known message, and two independent implementations
 * (node:crypto and tweetnacl) have to agree that the signature is right for this message and wrong for another.
 * The public key itself must be sound: under a small-order key forged signatures verify too.
 * @throws SignerError `key_refused`
 */
export async function selfTestKey(key: {
  kid: string;
  publicKeyPem: string;
  sign: (message: Uint8Array) => Promise<Uint8Array>;
}): Promise<void> {
  const refuse = (what: string, cause?: unknown): never => {
    throw new SignerError(
      'key_refused',
      `Key ${key.kid} failed its self-test: ${what}. It is not used; replace the key or repair its backend.`,
      { kid: key.kid },
      { cause },
    );
  };
  let publicKey: KeyObject;
  try {
    publicKey = importPublicKey(key.publicKeyPem);
  } catch (error) {
    return refuse(`its public key is not acceptable (${reasonOf(error)})`, error);
  }
  const raw = rawKeyOfPem(key.publicKeyPem);
  const message = selfTestMessage(key.kid);
  const other = Buffer.concat([message, Buffer.from('\n')]);
  const signature = Uint8Array.from(await key.sign(message));
  if (signature.length !== 64) refuse(`a signature has ${signature.length} bytes instead of 64`);
  if (!verifyEd25519(publicKey, message, signature)) refuse('node:crypto rejects its signature');
  if (!nacl.sign.detached.verify(message, signature, raw)) {
    refuse('tweetnacl, the second opinion, rejects its signature');
  }
  if (verifyEd25519(publicKey, other, signature) || nacl.sign.detached.verify(other, signature, raw)) {
    refuse('its signature also verifies for another message');
  }
}
