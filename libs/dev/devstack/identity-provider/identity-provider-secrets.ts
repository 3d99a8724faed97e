import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { writePrivate } from '../certificates/private-file';

/** Secrets of the development identity provider, kept with the state folder: sessions outlive a restart. */
export interface IdentityProviderSecrets {
  readonly clientSecret: string;
  readonly cookieKey: string;
  /** Private keys (RFC 7517) that tokens are signed with. */
  readonly keys: readonly object[];
}

/** Those in the file, made at first use. */
export async function openIdentityProviderSecrets(file: string): Promise<IdentityProviderSecrets> {
  if (!existsSync(file)) await writePrivate(file, `${JSON.stringify(newSecrets())}\n`);
  return JSON.parse(await readFile(file, 'utf8')) as IdentityProviderSecrets;
}

function newSecrets(): IdentityProviderSecrets {
  return {
    clientSecret: randomBytes(32).toString('base64url'),
    cookieKey: randomBytes(32).toString('base64url'),
    keys: [newSigningKey()],
  };
}

/** A private JWK for ES256, with a key id that no other has. */
export function newSigningKey(): object {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    ...privateKey.export({ format: 'jwk' }),
    kid: randomBytes(8).toString('hex'),
    alg: 'ES256',
    use: 'sig',
  };
}
