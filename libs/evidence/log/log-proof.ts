import { base64Decode, base64Encode } from '../json/base64';
import { sameBytes } from '../json/same-bytes';
import { EvidenceError } from '../evidence.error';
import { parseSignedCheckpoint, type SignedCheckpoint } from './log-checkpoint';
import { leafHash, MAX_PATH, rootOf } from './merkle-tree';
import { parseTreeHash, parseTreeSize } from './tree-head';

/** Proof that an event is in a shard's tree (c2sp.org/tlog-proof), as text. */
export interface LogProof {
  /** Index from 0: the event's `seq` minus one. */
  index: number;
  path: Uint8Array[];
  checkpoint: SignedCheckpoint;
  /** Bytes that some application has put beside it. Nothing authenticates them: they are for nothing but hints. */
  extra: Uint8Array | null;
}

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const EXTRA = /^extra (.*)$/;
const INDEX = /^index (.+)$/;
/** Largest extra data that is read, in letters of base64. */
const MAX_EXTRA = 65_536;

/** A proof with its signed checkpoint. Ours have no extra data. */
export function logProofText(index: number, path: readonly Uint8Array[], checkpoint: string): string {
  const lines = [FIRST_LINE, `index ${index}`, ...path.map((hash) => base64Encode(hash)), ''];
  return `${lines.join('\n')}\n${checkpoint}`;
}

/** Reads a proof of one of our logs. @throws EvidenceError `invalid_log_proof`, `invalid_checkpoint` */
export function parseLogProof(text: string): LogProof {
  const refuse = (message: string) =>
    new EvidenceError('invalid_log_proof', `This is no proof of inclusion: ${message}.`);
  const end = text.indexOf('\n\n');
  const [first, ...lines] = text.slice(0, Math.max(end, 0)).split('\n');
  if (first !== FIRST_LINE) throw refuse(`its first line is not ${FIRST_LINE}`);
  const base64 = EXTRA.exec(lines[0] ?? '')?.[1];
  const extra = base64 === undefined || base64.length > MAX_EXTRA ? null : base64Decode(base64);
  if (base64 !== undefined && extra === null) {
    throw refuse(`its extra data is not base64, or has more than ${MAX_EXTRA} letters`);
  }
  const [indexLine, ...hashes] = base64 === undefined ? lines : lines.slice(1);
  const index = parseTreeSize(INDEX.exec(indexLine ?? '')?.[1]);
  if (index === null) throw refuse('the line that should give the index does not');
  if (hashes.length > MAX_PATH) throw refuse(`its path has more than ${MAX_PATH} hashes`);
  const path = hashes.map((line) => {
    const hash = parseTreeHash(line);
    if (hash === null) throw refuse('a line of its path is no SHA-256 in base64');
    return hash;
  });
  return { index, path, checkpoint: parseSignedCheckpoint(text.slice(end + 2)), extra };
}

/**
 * Whether the proof shows these bytes at its index of the tree of its checkpoint. Who signed the checkpoint is another
 * question (`judgeCheckpoint`).
 */
export function includes(proof: LogProof, bytes: Uint8Array): boolean {
  const { index, path, checkpoint } = proof;
  const root = rootOf({ index, size: checkpoint.size, leaf: leafHash(bytes), path });
  return root !== null && sameBytes(root, checkpoint.root);
}
