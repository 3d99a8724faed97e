import { readFileSync } from 'node:fs';
import { EvidenceError, parseSignersFile, type SignerEntry } from '#evidence';
import { type Arguments } from './arguments';
import { UsageError } from './usage.error';

export interface TrustRoot {
  origin: string;
  signers: SignerEntry[];
}

/** What the verification trusts: the keys of signers.json and the name of the kernel. */
export function readTrustRoot({ signers: path, origin }: Pick<Arguments, 'signers' | 'origin'>): TrustRoot {
  const file = path === null ? { signers: [] } : readSignersFile(path);
  const named = origin ?? file.origin;
  if (named === undefined) {
    throw new UsageError(
      'The origin of the chain is not known: give --origin (such as kernel.example.com/prod), or a signers.json that has the member "origin".',
    );
  }
  if (origin !== null && file.origin !== undefined && file.origin !== origin) {
    throw new UsageError(`--origin ${origin} contradicts ${path}, which is for ${file.origin}.`);
  }
  return { origin: named, signers: file.signers };
}

function readSignersFile(path: string): { origin?: string; signers: SignerEntry[] } {
  let text: Uint8Array;
  try {
    text = readFileSync(path);
  } catch (error) {
    throw new UsageError(`--signers ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    return parseSignersFile(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new UsageError(
      `--signers ${path}: ${error.message}${error.pointer ? ` (at ${error.pointer})` : ''}`,
    );
  }
}
