import { readFileSync } from 'node:fs';
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
import { UsageError } from './usage.error';

/** What a signers.json says, or an option in its place. */
export interface TrustOptions {
  /** Path of the signers.json; null: no keys are needed. */
  signers: string | null;
  origin: string | null;
  shards: number | null;
  /** Null: not given. */
  firstPool: { pool: FirstPool | null } | null;
}

/**
 * What the verification trusts: the keys of signers.json, the name of the kernel, its number of shards and first pool.
 * @throws UsageError also when an option contradicts the file
 */
export function readTrustRoot({ signers: path, origin, shards, firstPool }: TrustOptions): TrustRoot {
  const file: SignersFile = path === null ? { signers: [] } : readSignersFile(path);
  const named = origin ?? file.origin;
  if (named === undefined) {
    throw new UsageError(
      'The origin of the chain is not known: give --origin (such as kernel.example.com/prod), or a signers.json that has the member "origin".',
    );
  }
  const contradicts = (option: string, value: unknown, own: unknown): UsageError =>
    new UsageError(`${option} ${String(value)} contradicts ${path}, which says ${String(own)}.`);
  if (origin !== null && file.origin !== undefined && file.origin !== origin) {
    throw contradicts('--origin', origin, file.origin);
  }
  if (shards !== null) {
    if (file.shards !== undefined && file.shards !== shards)
      throw contradicts('--shards', shards, file.shards);
    file.shards = shards;
  }
  if (firstPool !== null) {
    const [given, own] = [firstPool.pool?.sha256 ?? 'none', file.approverPool?.sha256 ?? 'none'];
    if (file.approverPool !== undefined && own !== given) throw contradicts('--first-pool', given, own);
    file.approverPool = firstPool.pool;
  }
  return trustRootOf(file, named);
}

/** `--first-pool`: the digest of the first pool in hex, `none`, or a file with the pool itself. */
export function readFirstPoolOption(text: string): { pool: FirstPool | null } {
  if (text === 'none') return { pool: null };
  if (/^[0-9a-f]{64}$/.test(text)) return { pool: { version: 1, sha256: text } };
  let file: Uint8Array;
  try {
    file = readFileSync(text);
  } catch {
    throw new UsageError(
      `--first-pool ${text} is neither 64 hexadecimal digits, "none" nor a file with the pool.`,
    );
  }
  try {
    return { pool: { version: 1, sha256: sha256Hex(canonicalize(parseStrictJson(file))) } };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(`--first-pool ${text}: ${error.message}`);
  }
}

/** The keys of a signers.json. @throws UsageError */
export function signersIn(path: string): SignersFile['signers'] {
  return readSignersFile(path).signers;
}

function readSignersFile(path: string): SignersFile {
  let text: Uint8Array;
  try {
    text = readFileSync(path);
  } catch (error) {
    throw new UsageError(`--signers ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    const file = parseSignersFile(text);
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
