import { whyCheckpointKeyDoesNotCount } from '../keys/checkpoint-key';
import { type TrustedSigner } from '../keys/signers';
import { type TrustRoot } from '../keys/trust-root';
import { checkpointKey, type SignedCheckpoint } from './log-checkpoint';
import { judgeByPolicy, type LogPolicy, type PolicyVerdict, witnessQuorum } from './log-policy';
import { signatureBy } from './note-key';
import { signedNote } from './signed-note';

/** Result of judging a checkpoint of a kernel by a trust root. */
export interface CheckpointVerdict {
  /** The key of the trust root whose signature counts; null when there is none. */
  kid: string | null;
  /** Witnesses that were asked for and have cosigned. */
  cosigned: PolicyVerdict['cosigned'];
  /** Empty when it is to be trusted; each starts with a stable word and a colon. */
  reasons: string[];
}

/**
 * The policy that a trust root makes by its member `log`; null when it asks for nobody.
 * @throws EvidenceError `invalid_log_policy`, `invalid_note_key`, `weak_public_key`
 */
export function policyOfRoot({ log }: Pick<TrustRoot, 'log'>): LogPolicy | null {
  return log === undefined || log.quorum === 0 ? null : witnessQuorum(log.witnesses, log.quorum);
}

/** Whether a policy asks for anybody's cosignature. */
export function asksForWitnesses(policy: LogPolicy | null): policy is LogPolicy {
  return policy !== null && !('none' in policy.quorum);
}

/**
 * Judges a checkpoint: of this kernel and a shard that it has, signed by a checkpoint key of the trust root that may
 * still say so, cosigned as the policy asks (docs/spec/transparency-log.md, sections 3 and 7).
 * @param trust its signers with their spans, as far as trust root and chain tell them
 * @param policy null: nobody has to cosign
 */
export function judgeCheckpoint(
  checkpoint: SignedCheckpoint,
  trust: Pick<TrustRoot, 'origin' | 'shards' | 'signers'>,
  policy: LogPolicy | null,
): CheckpointVerdict {
  const { origin, shard } = checkpoint;
  if (origin !== trust.origin) {
    return refused(`origin: the checkpoint is of the kernel ${origin}, not of ${trust.origin}`);
  }
  if (trust.shards !== undefined && shard >= trust.shards) {
    return refused(`unknown_shard: there is no shard ${shard}: the kernel has ${trust.shards}`);
  }
  const { kid, reason } = whoSigned(checkpoint, trust.signers);
  const reasons = reason === null ? [] : [reason];
  if (policy === null) return { kid, cosigned: [], reasons };
  const { cosigned, refusal } = judgeByPolicy(policy, signedNote(checkpoint));
  return { kid, cosigned, reasons: refusal === null ? reasons : [...reasons, refusal] };
}

/** The key whose signature counts, or why none does. One that is wrong spoils the others (c2sp.org/signed-note). */
function whoSigned(
  checkpoint: SignedCheckpoint,
  signers: readonly TrustedSigner[],
): { kid: string | null; reason: string | null } {
  const { shard, size } = checkpoint;
  const refusals: string[] = [];
  let kid: string | null = null;
  for (const signer of signers) {
    const { state } = signatureBy(checkpointKey(checkpoint, signer.public_key_pem), checkpoint);
    if (state === 'absent') continue;
    if (state === 'wrong') {
      return { kid: null, reason: `signature: not made by ${signer.signer_kid} over this checkpoint` };
    }
    const refusal = whyCheckpointKeyDoesNotCount(signer, { shard, seq: size }, signers);
    if (refusal === null) kid ??= signer.signer_kid;
    else refusals.push(refusal);
  }
  if (kid !== null) return { kid, reason: null };
  return { kid, reason: refusals[0] ?? 'unknown_key: no key of signers.json has signed the checkpoint' };
}

function refused(reason: string): CheckpointVerdict {
  return { kid: null, cosigned: [], reasons: [reason] };
}
