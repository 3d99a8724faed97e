import { sha256Hex } from '#evidence-crypto';
import { type AuditEvent } from '../../chain/audit-event';
import { canonicalize } from '../../json/canonical-json';
import { seqIn } from '../../keys/key-span';
import { GOVERNANCE_SHARD } from '../../keys/key-registry';
import { type KeyRing } from '../../keys/key-ring';
import { type TrustedSigner } from '../../keys/signers';
import { type TrustRoot } from '../../keys/trust-root';
import { type EvidenceFaults } from './evidence-faults';

/**
 * Reports a pool that does not descend from the first pool of the trust root: whoever has an audit key can write a pool
 * of their own. That the founding names the same pool is checked where it is read.
 */
export function anchorPool(
  pool: readonly AuditEvent[],
  { firstPool }: Pick<TrustRoot, 'firstPool'>,
  faults: EvidenceFaults,
): void {
  const fault = (why: string): void => faults.add('anchor', `the pool is not anchored: ${why}`);
  const [registered] = pool;
  if (firstPool === undefined) return fault('the trust root does not name the first pool of the kernel');
  if (firstPool === null) return fault('by the trust root the kernel was founded without one');
  if (registered === undefined) return;
  const own = sha256Hex(canonicalize(registered.payload['pool'] ?? null));
  if (own !== firstPool.sha256) {
    fault(`the first pool of the file is ${own}, that of the trust root ${firstPool.sha256}`);
  }
}

/**
 * Reports signers of the trust root of which the file does not tell what the trust root does.
 * @param head position in shard 0 up to which the file has all events of the registry
 */
export function anchorSigners(
  ring: KeyRing,
  { signers }: Pick<TrustRoot, 'signers'>,
  head: number,
  faults: EvidenceFaults,
): void {
  const leftOut = (why: string): void => faults.add('signers', `signer events are left out: ${why}`);
  for (const { message } of ring.contradictions(head)) leftOut(message);
  for (const root of signers) {
    // Where the trust root has a span, the registry was compared with it above.
    if (root.span !== undefined) continue;
    const known = ring.registry.keys.get(root.signer_kid);
    if (known === undefined) leftOut(`the trust root has ${root.signer_kid}, and no event adds it`);
    else if (isWorse(root, known.entry.status)) {
      leftOut(
        `by the trust root ${root.signer_kid} is ${root.status}, and no event up to ${GOVERNANCE_SHARD}:${head} says so`,
      );
    }
  }
}

/** The signers as far as they are known together; doubt about a key that a sound checkpoint clears is none. */
export function clearedSigners(ring: KeyRing, size: number | null): readonly TrustedSigner[] {
  const signers = ring.signers();
  if (size === null) return signers;
  return signers.map((signer) => {
    const { span, signer_kid: kid } = signer;
    if (span === undefined || span.since === null) return signer;
    const stated = ring.registry.keys.get(kid)?.doubt?.by.heads ?? span.until ?? [];
    return size <= (seqIn(stated, GOVERNANCE_SHARD) ?? 0)
      ? { ...signer, span: { ...span, since: null } }
      : signer;
  });
}

function isWorse({ status }: TrustedSigner, known: TrustedSigner['status']): boolean {
  const order = ['active', 'retired', 'compromised'];
  return order.indexOf(status) > order.indexOf(known);
}
