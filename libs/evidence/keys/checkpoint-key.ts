import { seqIn, type ShardPosition } from './key-span';
import { samePublicKey } from './key-registry';
import { type TrustedSigner } from './signers';

/**
 * Why a checkpoint key must not say something about the chain any more; null when it may. What it signs names no time
 * that anyone vouches for: whoever has the key could have signed it today.
 * @param position the latest event of which it speaks; null when it tells none
 * @param signers all keys that are trusted
 */
export function whyCheckpointKeyDoesNotCount(
  { signer_kid: kid, purposes, status, span, public_key_pem }: TrustedSigner,
  position: ShardPosition | null,
  signers: readonly TrustedSigner[],
): string | null {
  if (!purposes.includes('checkpoint')) return `key_not_valid: ${kid} is not a checkpoint key`;
  // One key under two names is lost under both.
  const lost = signers.find(
    (one) => one.status === 'compromised' && samePublicKey(one.public_key_pem, public_key_pem),
  );
  if (lost !== undefined) return `key_not_valid: ${lost.signer_kid} is compromised`;
  if (position === null) {
    if (status === 'active' && (span === undefined || span.until === null)) return null;
    return `key_not_valid: ${kid} has ended, and nothing shows that it signed this before`;
  }
  const { shard, seq } = position;
  if (span !== undefined && seqIn(span.after, shard) === undefined) {
    return `key_not_valid: ${kid} signs nothing about shard ${shard}`;
  }
  const end = seqIn(span?.until ?? [], shard);
  if (end === undefined) {
    if (status === 'active') return null;
    return `key_not_valid: ${kid} is ${status}, and signers.json has no span that says where it ended`;
  }
  if (seq <= end) return null;
  return `key_not_valid: ${kid} ended at ${shard}:${end}, before ${shard}:${seq} of which it speaks`;
}
