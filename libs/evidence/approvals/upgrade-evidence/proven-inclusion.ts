import { EvidenceError } from '../../evidence.error';
import { parseEvent } from '../../chain/parse-event';
import { type ProvenCheckpoint } from '../../keys/key-ring';
import { GOVERNANCE_SHARD } from '../../keys/key-registry';
import { type TrustRoot } from '../../keys/trust-root';
import { checkpointKey, logName, type SignedCheckpoint } from '../../log/log-checkpoint';
import { includes, parseLogProof } from '../../log/log-proof';
import { signatureBy } from '../../log/note-key';
import { type EvidenceFaults } from './evidence-faults';
import { provenEvents, type UpgradeEvidence } from './upgrade-evidence';

const encoder = new TextEncoder();

/** The checkpoint whose tree has every event of a file. */
export interface Inclusion {
  checkpoint: SignedCheckpoint;
  /** The same for the doubt that it may clear; null when no checkpoint key of the trust root has signed it. */
  proven: ProvenCheckpoint | null;
}

/**
 * Checks that every event of the file is in the tree of one checkpoint of shard 0. Whether that is to be trusted is asked
 * when the registry is read: `judgeCheckpoint`.
 * @returns null when something is wrong, which is then a fault, or when there are no proofs
 */
export function proveInclusion(
  file: UpgradeEvidence,
  { origin, signers }: Pick<TrustRoot, 'origin' | 'signers'>,
  faults: EvidenceFaults,
): Inclusion | null {
  const checkpoint = commonCheckpoint(file, origin, faults);
  if (checkpoint === null) return null;
  const signer = signers.find(
    (one) =>
      one.purposes.includes('checkpoint') &&
      signatureBy(checkpointKey(checkpoint, one.public_key_pem), checkpoint).state === 'signed',
  );
  const { shard, size } = checkpoint;
  return { checkpoint, proven: signer === undefined ? null : { shard, size, kid: signer.signer_kid } };
}

function commonCheckpoint(
  file: UpgradeEvidence,
  origin: string,
  faults: EvidenceFaults,
): SignedCheckpoint | null {
  const before = faults.list.length;
  const lines = provenEvents(file);
  let first: SignedCheckpoint | null = null;
  for (const [at, text] of file.proofs.entries()) {
    const line = lines[at] ?? '';
    try {
      const proof = parseLogProof(text);
      const { shard, seq } = parseEvent(line);
      const { checkpoint, index } = proof;
      first ??= checkpoint;
      const fault = (message: string) => faults.at({ shard, seq }, 'inclusion', message);
      if (checkpoint.text !== first.text) fault('its proof is of another checkpoint than the first one');
      if (checkpoint.origin !== origin || checkpoint.shard !== shard || shard !== GOVERNANCE_SHARD) {
        fault(`its proof is of the log ${logName(checkpoint.origin, checkpoint.shard)}`);
      }
      if (index !== seq - 1) fault(`its proof is for the index ${index}`);
      else if (!includes(proof, encoder.encode(line))) {
        fault('its proof does not lead to the root of the checkpoint');
      }
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error;
      faults.add('inclusion', `proof ${at}: ${error.code}: ${error.message}`);
    }
  }
  return faults.list.length === before ? first : null;
}
