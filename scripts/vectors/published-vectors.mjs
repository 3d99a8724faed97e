// Our verdicts on the vectors that others have published.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { evidence, folder } from './vector-kernel.mjs';

/** Our verdict on each of the signatures in docs/spec/vectors/published. */
export async function publishedVectors() {
  const published = async (name) => JSON.parse(await readFile(join(folder, 'published', name), 'utf8'));
  const verdict = (publicKey, message, signature) => {
    try {
      const key = evidence.importPublicKey(Buffer.from(publicKey, 'hex'));
      return evidence.verifyEd25519(key, message, Buffer.from(signature, 'hex'))
        ? 'valid'
        : 'invalid_signature';
    } catch (error) {
      if (!(error instanceof evidence.EvidenceError)) throw error;
      return error.code;
    }
  };
  const wycheproof = (await published('wycheproof-ed25519.json')).testGroups.flatMap(({ publicKey, tests }) =>
    tests.map(({ tcId, msg, sig }) => [tcId, verdict(publicKey.pk, Buffer.from(msg, 'hex'), sig)]),
  );
  const edges = (await published('ed25519vectors.json')).map(({ A, R, S, M }) =>
    verdict(A, Buffer.from(M), R + S),
  );
  return {
    'published/ed25519-verdicts.json': { wycheproof: Object.fromEntries(wycheproof), ed25519vectors: edges },
  };
}
