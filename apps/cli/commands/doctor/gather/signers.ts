import { readFile } from 'node:fs/promises';
import { parseSignersFile, samePublicKey, type SignersFile } from '#evidence';
import { KernelApiClient } from '../../../api/kernel-api.client';
import { type SignersFact } from '../facts';

/** Compares a trust root with the kernel's registry. Keys that only the file knows are no fault: old evidence needs them. */
export async function compareSigners(
  file: string,
  api: { url: string; ca: string; cert: string; key: string },
): Promise<SignersFact> {
  const held = parseSignersFile(await readFile(file, 'utf8'));
  const client = new KernelApiClient(api);
  try {
    return {
      file,
      differences: differencesOf(held, parseSignersFile(await client.get('/kernel/keys/signers.json'))),
    };
  } finally {
    await client.close();
  }
}

export function differencesOf(held: SignersFile, registry: SignersFile): string[] {
  if (held.origin !== registry.origin) {
    return [`it belongs to ${held.origin}, and the kernel is ${registry.origin}`];
  }
  return registry.signers.flatMap((entry) => {
    const kid = entry.signer_kid;
    const mine = held.signers.find(({ signer_kid }) => signer_kid === kid);
    if (mine === undefined) return [`it lacks the key ${kid}`];
    if (!samePublicKey(mine.public_key_pem, entry.public_key_pem)) {
      return [`it has another public key under the name ${kid}`];
    }
    return mine.status === entry.status
      ? []
      : [`it says ${kid} is ${mine.status}, and the kernel says ${entry.status}`];
  });
}
