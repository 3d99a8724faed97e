import { base64Encode } from '../json/base64';
import { EvidenceError } from '../evidence.error';
import { parseTreeHash, parseTreeSize } from './tree-head';

/** What a log asks of a witness: to cosign a checkpoint (c2sp.org/tlog-witness, `add-checkpoint`). */
export interface AddCheckpoint {
  /** Size of the last checkpoint that the witness cosigned, 0 for none. */
  oldSize: number;
  /** Proof of consistency from there. */
  consistency: readonly Uint8Array[];
  /** The signed note. */
  checkpoint: string;
}

/** Most lines of a consistency proof (c2sp.org/tlog-witness). */
export const MAX_CONSISTENCY_LINES = 63;
const OLD = /^old (.+)$/;

export function addCheckpointText({ oldSize, consistency, checkpoint }: AddCheckpoint): string {
  return `${[`old ${oldSize}`, ...consistency.map((hash) => base64Encode(hash)), ''].join('\n')}\n${checkpoint}`;
}

/** Reads a request; its checkpoint is not read. @throws EvidenceError `invalid_witness_request` */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const end = body.indexOf('\n\n');
  if (end < 0) throw refuse('no empty line comes before its checkpoint');
  const [first, ...lines] = body.slice(0, end).split('\n');
  const oldSize = parseTreeSize(OLD.exec(first ?? '')?.[1]);
  if (oldSize === null) throw refuse('its first line is not "old <size>"');
  if (lines.length > MAX_CONSISTENCY_LINES) {
    throw refuse(`its proof has more than ${MAX_CONSISTENCY_LINES} lines`);
  }
  const consistency = lines.map((line) => {
    const hash = parseTreeHash(line);
    if (hash === null) throw refuse('a line of its proof is no SHA-256 in base64');
    return hash;
  });
  return { oldSize, consistency, checkpoint: body.slice(end + 2) };
}

function refuse(message: string): EvidenceError {
  return new EvidenceError('invalid_witness_request', `This is no add-checkpoint request: ${message}.`);
}
