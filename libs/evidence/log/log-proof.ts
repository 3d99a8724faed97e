import { base64Decode, base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { parseSignedCheckpoint, type SignedCheckpoint } from './log-checkpoint';
import { leafHash, MAX_PATH, rootOf } from './merkle-tree';

/** Proof that an event is in a shard's tree (c2sp.org/tlog-proof), as text. */
export interface LogProof {
  /** Index from 0: the event's `seq` minus one. */
  index: number;
  path: Uint8Array[];
  checkpoint: SignedCheckpoint;
}

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const INDEX = /^index (0|[1-9][0-9]{0,15})$/;

export function logProofText(index: number, path: readonly Uint8Array[], checkpoint: string): string {
  const lines = [FIRST_LINE, `index ${index}`, ...path.map((hash) => base64Encode(hash)), ''];
  return `${lines.join('\n')}\n${checkpoint}`;
}

/** Reads a proof; extra data is not taken. @throws EvidenceError `invalid_log_proof`, `invalid_checkpoint` */
export function parseLogProof(text: string): LogProof {
  const refuse = (message: string) =>
    new EvidenceError('invalid_log_proof', `This is no proof of inclusion: ${message}.`);
  const end = text.indexOf('\n\n');
  const [first, second, ...hashes] = text.slice(0, Math.max(end, 0)).split('\n');
  if (first !== FIRST_LINE) throw refuse(`its first line is not ${FIRST_LINE}`);
  const index = Number(INDEX.exec(second ?? '')?.[1] ?? NaN);
  if (!Number.isSafeInteger(index)) throw refuse('its second line is no index');
  if (hashes.length > MAX_PATH) throw refuse(`its path has more than ${MAX_PATH} hashes`);
  const path = hashes.map((line) => {
    const hash = base64Decode(line);
    if (hash?.length !== 32) throw refuse('a line of its path is no SHA-256 in base64');
    return hash;
  });
  return { index, path, checkpoint: parseSignedCheckpoint(text.slice(end + 2)) };
}

/**
 * Whether the proof shows these bytes at its index of the tree of its checkpoint. Who signed the checkpoint is another
 * question (`whyCheckpointNotSigned`).
 */
export function includes(proof: LogProof, bytes: Uint8Array): boolean {
  const { index, path, checkpoint } = proof;
  const root = rootOf({ index, size: checkpoint.size, leaf: leafHash(bytes), path });
  return root !== null && root.every((byte, i) => byte === checkpoint.root[i]);
}
