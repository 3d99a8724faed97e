import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
/** NIST SP 800-38D: 96 bits, drawn at random for each text; a key seals far fewer than 2^32 of them. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals what a session holds: tokens of the identity provider are among it, and the database must not know them. */
export class SessionSeal {
  /** @param keys the first seals, each opens */
  constructor(private readonly keys: readonly Buffer[]) {}

  /** @param bound public part of the row, which the text cannot be moved away from */
  seal(text: string, bound: Uint8Array): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.keys[0] as Buffer, iv).setAAD(bound);
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, body, cipher.getAuthTag()]);
  }

  /** Null when none of the keys sealed this, for this row. */
  open(sealed: Uint8Array, bound: Uint8Array): string | null {
    if (sealed.length < IV_BYTES + TAG_BYTES) return null;
    const iv = sealed.subarray(0, IV_BYTES);
    const body = sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES);
    const tag = sealed.subarray(sealed.length - TAG_BYTES);
    for (const key of this.keys) {
      try {
        const decipher = createDecipheriv(ALGORITHM, key, iv, { authTagLength: TAG_BYTES })
          .setAAD(bound)
          .setAuthTag(tag);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        // Sealed under the other key, or not by us.
      }
    }
    return null;
  }
}
