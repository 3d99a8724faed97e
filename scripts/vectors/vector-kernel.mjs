// What the vectors share: libs/evidence, keys whose seeds are public, and the kernel that they are of.
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

export const root = join(import.meta.dirname, '..', '..');
/** docs/spec/vectors */
export const folder = join(root, 'docs', 'spec', 'vectors');
/** The door of libs/evidence. */
export const evidence = await bundle("export * from './libs/evidence/index.ts';");

/** Bundles TypeScript of the repository into a temporary module, so that no build has to run first. */
export async function bundle(contents) {
  const dir = await mkdtemp(join(tmpdir(), 'vectors-'));
  const outfile = join(dir, 'bundle.cjs');
  try {
    await build({
      absWorkingDir: root,
      stdin: { contents, resolveDir: root, loader: 'ts' },
      bundle: true,
      alias: {
        '#evidence': './libs/evidence/index.ts',
        '#evidence-crypto': './libs/evidence/crypto/node-crypto.ts',
      },
      platform: 'node',
      outfile,
    });
    return (await import(pathToFileURL(outfile).href)).default;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key whose seed is the SHA-256 of a published sentence: nothing about it is secret. */
export function keyOf(kid, purposes = ['audit', 'manifest']) {
  const sentence = `illuvrse-kernel test vector key ${kid}`;
  const seed = createHash('sha256').update(sentence).digest();
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const raw = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).subarray(12);
  return {
    kid,
    seed: seed.toString('hex'),
    publicKey: raw.toString('hex'),
    sign: (input) => sign(null, input, privateKey).toString('base64'),
    entry: {
      signer_kid: kid,
      algorithm: 'ed25519',
      public_key_pem: evidence.pemOfRawKey(raw),
      deployedAt: '2026-01-01T00:00:00.000Z',
      description: 'Test vector key, its seed is public',
      purposes,
      status: 'active',
      retiredAt: null,
      compromisedAt: null,
    },
  };
}

export const AUDIT_1 = keyOf('vector-audit-1');
export const AUDIT_2 = keyOf('vector-audit-2', ['audit']);
export const MANIFEST_ONLY = keyOf('vector-manifest-1', ['manifest']);
export const FOREIGN = keyOf('vector-foreign');
export const CHECKPOINT = keyOf('vector-checkpoint-1', ['checkpoint']);
export const CHECKPOINT_LOST = keyOf('vector-checkpoint-2', ['checkpoint']);
export const CHECKPOINT_RETIRED = keyOf('vector-checkpoint-0', ['checkpoint']);
export const ORIGIN = 'kernel.example.com/vectors';
/** Shards of the kernel of the vectors; most of them use only the first. */
export const SHARDS = 2;

export const hex = (data) => Buffer.from(data).toString('hex');
export const refusal = (action) => {
  try {
    action();
  } catch (error) {
    if (error instanceof evidence.EvidenceError) return { code: error.code, pointer: error.pointer ?? null };
    throw error;
  }
  throw new Error('a case that must be refused was accepted');
};

export function lacking(value, name) {
  const rest = { ...value };
  delete rest[name];
  return rest;
}

/** S + L instead of S: the same signature to a verifier that does not check the range (RFC 8032 section 5.1.7). */
export function malleate(signature) {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const raw = Buffer.from(signature, 'base64');
  let s = BigInt(`0x${Buffer.from(raw.subarray(32)).reverse().toString('hex')}`) + L;
  for (let i = 32; i < 64; i++, s >>= 8n) raw[i] = Number(s & 255n);
  return raw.toString('base64');
}

/** The span of a key: positions of the shards 0, 1, ... */
export function spanOf(after, until = null, since = null) {
  const list = (positions) => positions?.map((seq, shard) => ({ shard, seq })) ?? null;
  return { after: list(after), until: list(until), since: list(since) };
}

export function possessionInput(from, to, origin = ORIGIN) {
  const publicKeySha256 = evidence.sha256Hex(Buffer.from(to.publicKey, 'hex'));
  return evidence.signerPossessionInput({ origin, replaces: from.kid, kid: to.kid, publicKeySha256 });
}

/** The counter-signature with which `to` replaces `from`. */
export function possession(from, to, origin = ORIGIN) {
  return to.sign(possessionInput(from, to, origin));
}
