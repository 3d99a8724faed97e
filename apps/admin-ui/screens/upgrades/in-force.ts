import { type JsonObject, type JsonValue } from '#evidence';
import { type UpgradeSummary } from '../../api/queries';
import { type Approvers } from './upgrade-queries';
import { isInEffect } from './what-may-be-done';

/** What a manifest is compared with. */
export interface Comparison {
  /** What stands on the left, as words. */
  readonly against: string;
  readonly before: JsonValue;
  readonly after: JsonValue;
}

/** What is known of what is in force. */
export interface InForce {
  readonly pool: Approvers | undefined;
  readonly signers: readonly JsonObject[] | undefined;
  /** The newest upgrades of the same type. */
  readonly upgrades: readonly UpgradeSummary[] | undefined;
}

/** A pool as a manifest has it: without what only the kernel says of it. */
export function poolDocument({
  threshold,
  approvers,
}: Pick<Approvers, 'threshold' | 'approvers'>): JsonObject {
  const people = approvers.map(({ revokedKeys: _, ...person }) => person);
  return { threshold, approvers: people };
}

/**
 * What a manifest changes against what is in force, or was before it was applied in an emergency: the same pair that the
 * command line compares. Null when there is nothing to compare with.
 * @param isClosed it was decided: what is in force now is no longer what it was decided against
 */
export function comparison(manifest: JsonObject, known: InForce, isClosed = false): Comparison | null {
  const { type, upgradeId } = manifest;
  const { pool, signers } = known;
  switch (type) {
    case 'approver_pool': {
      if (pool === undefined || isClosed) return null;
      const before = pool.provisional === upgradeId ? pool.settled : null;
      return {
        against: before === null ? 'the pool in force' : 'the pool before the emergency',
        before: poolDocument(before ?? pool),
        after: manifest['pool'] ?? null,
      };
    }
    case 'policy': {
      if (pool === undefined || isClosed) return null;
      return {
        against: 'the policy that a quorum agreed to last',
        before: { ...pool.policy },
        after: manifest['policy'] ?? null,
      };
    }
    case 'signer_rotation': {
      const { from } = manifest;
      const old = signers?.find(({ signer_kid: kid }) => kid === from);
      if (old === undefined || typeof from !== 'string') return null;
      return {
        against: `the key ${from}`,
        before: old,
        after: manifest['signer'] ?? null,
      };
    }
    default: {
      const last = lastApplied(manifest, known.upgrades ?? [], isClosed);
      if (last === undefined) return null;
      return {
        against: `${last.upgradeId}, applied before for the same target`,
        before: last.manifest as JsonObject,
        after: manifest,
      };
    }
  }
}

/** The upgrade of the same type and target that was last applied; for one that is decided, among those proposed before it. */
function lastApplied(
  manifest: JsonObject,
  upgrades: readonly UpgradeSummary[],
  isClosed: boolean,
): UpgradeSummary | undefined {
  const target = JSON.stringify(manifest['target'] ?? null);
  const own = upgrades.findIndex(({ upgradeId }) => upgradeId === manifest['upgradeId']);
  const candidates = isClosed ? (own === -1 ? [] : upgrades.slice(own + 1)) : upgrades;
  return candidates.find(
    (upgrade) =>
      upgrade.upgradeId !== manifest['upgradeId'] &&
      isInEffect(upgrade) &&
      upgrade.status !== 'failed' &&
      upgrade.status !== 'rollback_required' &&
      upgrade.type === manifest['type'] &&
      JSON.stringify(upgrade.manifest['target'] ?? null) === target,
  );
}
