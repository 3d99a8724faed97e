import {
  canonicalize,
  EvidenceError,
  parseSignersFile,
  parseStrictJson,
  sha256Hex,
  trustRootOf,
  type FirstPool,
  type SignersFile,
  type TrustRoot,
} from '#evidence';
import { UsageError } from '../usage.error';

/** What is said of the kernel beside a signers.json, or in its place; null: nothing. */
export interface TrustAdditions {
  origin: string | null;
  shards: number | null;
  firstPool: { pool: FirstPool | null } | null;
}

/**
 * What the verification trusts: the keys of signers.json, the name of the kernel, its number of shards and first pool.
 * @param file null: no keys are needed
 * @throws UsageError also when something that is said contradicts the file
 */
export function combineTrust(
  file: { path: string; content: SignersFile } | null,
  { origin, shards, firstPool }: TrustAdditions,
): TrustRoot {
  const content: SignersFile = { ...(file?.content ?? { signers: [] }) };
  const named = origin ?? content.origin;
  if (named === undefined) {
    throw new UsageError(
      'The origin of the chain is not known: give --origin (such as kernel.example.com/prod), or a signers.json that has the member "origin".',
    );
  }
  const contradicts = (option: string, value: unknown, own: unknown): UsageError =>
    new UsageError(`${option} ${String(value)} contradicts ${file?.path}, which says ${String(own)}.`);
  if (origin !== null && content.origin !== undefined && content.origin !== origin) {
    throw contradicts('--origin', origin, content.origin);
  }
  if (shards !== null) {
    if (content.shards !== undefined && content.shards !== shards)
      throw contradicts('--shards', shards, content.shards);
    content.shards = shards;
  }
  if (firstPool !== null) {
    const [given, own] = [firstPool.pool?.sha256 ?? 'none', content.approverPool?.sha256 ?? 'none'];
    if (content.approverPool !== undefined && own !== given) throw contradicts('--first-pool', given, own);
    content.approverPool = firstPool.pool;
  }
  return trustRootOf(content, named);
}

/** The first pool, by a file with it. @throws UsageError */
export function firstPoolOf(path: string, file: Uint8Array): FirstPool {
  try {
    return { version: 1, sha256: sha256Hex(canonicalize(parseStrictJson(file))) };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`--first-pool ${path}: ${error.message}`);
  }
}

/** A signers.json with keys. @throws UsageError */
export function signersFileOf(path: string, bytes: Uint8Array): SignersFile {
  try {
    const file = parseSignersFile(bytes);
    // As it is committed in tools/: keys are no part of the sources.
    if (file.signers.length === 0) {
      throw new UsageError(
        `--signers ${path} has no keys yet: fill it with ./kernel keys signers > FILE, or scripts/update-signers-from-kms.sh.`,
      );
    }
    return file;
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(
      `--signers ${path}: ${error.message}${error.pointer ? ` (at ${error.pointer})` : ''}`,
    );
  }
}
