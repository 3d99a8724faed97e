import { readFileSync } from 'node:fs';
import { type FirstPool, type SignersFile, type TrustRoot } from '#evidence';
import { UsageError } from './usage.error';
import { combineTrust, firstPoolOf, signersFileOf, type TrustAdditions } from './verdict/trust';

/** What a signers.json says, or an option in its place. */
export interface TrustOptions extends TrustAdditions {
  /** Path of the signers.json; null: no keys are needed. */
  signers: string | null;
}

/**
 * What the verification trusts.
 * @throws UsageError also when an option contradicts the file
 */
export function readTrustRoot({ signers: path, ...additions }: TrustOptions): TrustRoot {
  return combineTrust(path === null ? null : { path, content: readSignersFile(path) }, additions);
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
  return { pool: firstPoolOf(text, file) };
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
  return signersFileOf(path, text);
}
