import {
  keyMaterial,
  type ApproverPool,
  type JsonObject,
  POOL_STREAM,
  samePublicKey,
  type PoolState,
  type SignerEntry,
} from '#evidence';
import { ableApprovers } from './able-approvers';
import { GovernanceError } from './governance.error';
import { POLICY_STREAM, type GovernancePolicy, type PolicyState } from './governance.policy';
import { type InKernelEffect } from './in-kernel-effect';
import { type UpgradeState } from './upgrade.state';

/** The state by which upgrades are judged and which they can change. */
export interface Governance {
  pool: PoolState;
  policy: PolicyState;
  signers: readonly SignerEntry[];
  /** Number of events that made the key registry, the founding included. */
  signerEvents: number;
}

/** An effect with the events that bring it about. */
export interface PlannedEffect {
  effect: InKernelEffect;
  stream: string;
  type: string;
  payload: JsonObject;
}

/**
 * Plans the change that applying the upgrade makes inside the kernel; null when it changes something outside.
 * @param undone the upgrade that a rollback undoes
 * @throws GovernanceError `superseded`, `unsettled`, `not_applied`, `invalid_manifest`
 */
export function planEffect(
  state: Pick<UpgradeState, 'upgradeId' | 'manifest' | 'pool'>,
  governance: Governance,
  undone: UpgradeState | null,
  { provisional, now }: { provisional: boolean; now: number },
): PlannedEffect | null {
  const { upgradeId, manifest } = state;
  const { change } = manifest;
  switch (change.kind) {
    case 'outside':
      return null;
    case 'approver_pool': {
      const { inForce } = governance.pool;
      settledPool(governance.pool, null);
      if (inForce.version !== state.pool.version) {
        throw superseded(
          `the pool is at version ${inForce.version}, the proposal was made on ${state.pool.version}`,
        );
      }
      usablePool(change.pool, governance.pool);
      return poolChange(governance.pool, change.pool, upgradeId, provisional);
    }
    case 'policy':
      settledPolicy(governance.policy, null);
      return policyChange(governance.policy, change.policy, upgradeId, provisional);
    case 'signer_rotation': {
      const { from, to } = change;
      rotatable(from, to, governance.signers);
      return {
        effect: { kind: 'signer_rotation', from, to: to.signer_kid },
        stream: `signer/${to.signer_kid}`,
        type: 'signer.rotated',
        payload: { from, to: { ...to }, upgradeId },
      };
    }
    case 'rollback':
      if (undone === null) throw notApplied(change.undoes);
      return planUndo(undone, upgradeId, governance, now);
  }
}

/**
 * Plans the reversal of an applied upgrade's effect; null when it had none inside the kernel.
 * @throws GovernanceError `not_applied`, `superseded`, `unsettled`, `below_threshold`, `last_key`
 */
export function planUndo(
  undone: UpgradeState,
  upgradeId: string,
  governance: Governance,
  now: number,
): PlannedEffect | null {
  if (!isUndoable(undone)) throw notApplied(undone.upgradeId);
  const effect = undone.application?.effect ?? null;
  switch (effect?.kind) {
    case undefined:
      return null;
    case 'approver_pool': {
      const { pool } = governance;
      settledPool(pool, undone.upgradeId);
      if (pool.inForce.version !== effect.version || pool.previous === null) {
        throw superseded(`the pool is at version ${pool.inForce.version}, not at ${effect.version} any more`);
      }
      const { previous } = pool;
      if (pool.provisional === null) assertAble(previous, pool);
      return poolChange(pool, previous.pool, upgradeId, false);
    }
    case 'policy': {
      const { policy } = governance;
      settledPolicy(policy, undone.upgradeId);
      if (policy.version !== effect.version) {
        throw superseded(`the policy is at version ${policy.version}, not at ${effect.version} any more`);
      }
      return policyChange(policy, policy.previous, upgradeId, false);
    }
    case 'signer_rotation':
      replaced(effect.to, governance.signers);
      return {
        effect: { kind: 'signer_retirement', kid: effect.to },
        stream: `signer/${effect.to}`,
        type: 'signer.retired',
        payload: { signer_kid: effect.to, retiredAt: new Date(now).toISOString(), upgradeId },
      };
    case 'signer_retirement':
      throw superseded(`the key ${effect.kid} is retired and cannot come back; rotate to a new one`);
  }
}

/** Plans the event that makes a provisional effect permanent; null when none is needed. */
export function planConfirmation(state: UpgradeState): PlannedEffect | null {
  const effect = state.application?.effect;
  if (effect?.kind !== 'approver_pool' && effect?.kind !== 'policy') return null;
  const { upgradeId } = state;
  return {
    effect,
    stream: effect.kind === 'policy' ? POLICY_STREAM : POOL_STREAM,
    type: `${effect.kind}.confirmed`,
    payload: { version: effect.version, upgradeId },
  };
}

/** Upgrades that took effect and were not undone. */
export function isUndoable({ status }: UpgradeState): boolean {
  return ['applied', 'emergency_applied', 'ratified', 'completed', 'failed', 'rollback_required'].includes(
    status,
  );
}

/**
 * Refuses a pool that names a revoked key, which would look stronger than it is, and one in which fewer people than
 * the threshold could ever sign.
 */
export function usablePool(pool: ApproverPool, state: PoolState): void {
  pool.approvers.forEach((approver, i) =>
    approver.keys.forEach((key, n) => {
      if (!state.revoked.has(keyMaterial(key))) return;
      throw new GovernanceError(
        'invalid_manifest',
        `The key ${key.keyId} of ${approver.id} was revoked and cannot come back.`,
        { pointer: `/manifest/pool/approvers/${i}/keys/${n}` },
      );
    }),
  );
  const able = ableApprovers(pool, state.revoked).length;
  if (able >= pool.threshold) return;
  throw new GovernanceError(
    'invalid_manifest',
    `The threshold is ${pool.threshold}, and only ${able} of these approvers have a principal to call with.`,
    { pointer: '/manifest/pool/threshold' },
  );
}

/** A pool that comes back has the keys that were revoked since, and must still be able to decide without them. */
function assertAble({ version, pool }: PoolState['inForce'], { revoked }: PoolState): void {
  const remaining = ableApprovers(pool, revoked).length;
  if (remaining >= pool.threshold) return;
  throw new GovernanceError(
    'below_threshold',
    `Only ${remaining} approvers of the pool at version ${version} have a key that is not revoked, and ${pool.threshold} have to sign; propose a new pool.`,
    { threshold: pool.threshold, remaining },
  );
}

/**
 * Asserts that a key can end: for each of its purposes an active key was registered after it. A shard never goes back
 * to an earlier key (docs/adr/0132), and a purpose without a key is one in which nothing is signed ever again.
 * @throws GovernanceError `last_key`, `superseded` when it has ended already
 */
export function replaced(kid: string, signers: readonly SignerEntry[]): void {
  const at = signers.findIndex(({ signer_kid }) => signer_kid === kid);
  const key = signers[at];
  if (key === undefined || key.status !== 'active') {
    throw superseded(`the key ${kid} is ${key?.status ?? 'not registered'} and signs nothing any more`);
  }
  const later = signers.slice(at + 1).filter(({ status }) => status === 'active');
  const purposes = key.purposes.filter((purpose) => !later.some((one) => one.purposes.includes(purpose)));
  if (purposes.length === 0) return;
  throw new GovernanceError(
    'last_key',
    `${kid} is the key in force for ${purposes.join(' and ')}, and no earlier key comes back: rotate to a new one by an upgrade of type signer_rotation, then undo this.`,
    { kid, purposes },
  );
}

export function rotatable(from: string, to: SignerEntry, signers: readonly SignerEntry[]): void {
  const old = signers.find(({ signer_kid }) => signer_kid === from);
  const refuse = (pointer: string, message: string) =>
    new GovernanceError('invalid_manifest', message, { pointer: `/manifest${pointer}` });
  if (old?.status !== 'active') throw refuse('/from', `There is no active signer "${from}" to replace.`);
  if (signers.some(({ signer_kid }) => signer_kid === to.signer_kid)) {
    throw refuse(
      '/signer/signer_kid',
      `"${to.signer_kid}" is registered already; a new key needs a new name.`,
    );
  }
  const same = signers.find((one) => samePublicKey(one.public_key_pem, to.public_key_pem));
  if (same !== undefined) {
    throw refuse(
      '/signer/public_key_pem',
      `It is the same key as "${same.signer_kid}" under another name; make a new key.`,
    );
  }
  if (to.status !== 'active' || !old.purposes.every((purpose) => to.purposes.includes(purpose))) {
    throw refuse(
      '/signer/purposes',
      `The new key must be active, for ${old.purposes.join(' and ')} as the old one.`,
    );
  }
}

function poolChange(
  state: PoolState,
  pool: ApproverPool,
  upgradeId: string,
  provisional: boolean,
): PlannedEffect {
  const version = state.inForce.version + 1;
  return {
    effect: { kind: 'approver_pool', version },
    stream: POOL_STREAM,
    type: 'approver_pool.changed',
    payload: { version, pool: pool as unknown as JsonObject, upgradeId, provisional },
  };
}

function policyChange(
  state: PolicyState,
  policy: GovernancePolicy,
  upgradeId: string,
  provisional: boolean,
): PlannedEffect {
  const version = state.version + 1;
  return {
    effect: { kind: 'policy', version },
    stream: POLICY_STREAM,
    type: 'policy.changed',
    payload: { version, policy: { ...policy }, upgradeId, provisional },
  };
}

function settledPool({ provisional }: PoolState, but: string | null): void {
  if (provisional !== null && provisional !== but) throw unsettled('pool', provisional);
}

function settledPolicy({ provisional }: PolicyState, but: string | null): void {
  if (provisional !== null && provisional !== but) throw unsettled('policy', provisional);
}

function unsettled(what: string, upgradeId: string): GovernanceError {
  return new GovernanceError(
    'unsettled',
    `The ${what} in force was changed in an emergency by ${upgradeId}; that must be ratified or undone first.`,
    { unsettled: upgradeId },
  );
}

function superseded(why: string): GovernanceError {
  return new GovernanceError('superseded', `This does not fit any more: ${why}. Propose it anew.`);
}

function notApplied(upgradeId: string): GovernanceError {
  return new GovernanceError('not_applied', `${upgradeId} is not in effect, so there is nothing to undo.`);
}
