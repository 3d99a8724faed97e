import {
  type ApproverPool,
  EvidenceError,
  type JsonObject,
  type JsonValue,
  readApproverPool,
  readSigner,
  type SignerEntry,
} from '#evidence';
import { GovernanceError } from './governance.error';
import { type GovernancePolicy, readPolicy } from './governance.policy';

export const UPGRADE_TYPES = [
  'code',
  'manifest',
  'policy',
  'rollback',
  'approver_pool',
  'signer_rotation',
] as const;
/** One of the kernel's own types, or a kind of change that only the organisation knows. */
export type UpgradeType = string;
/** The form of any type. Which ones may be proposed is for the configuration to say: what is in the chain stays valid. */
const TYPE = /^[a-z][a-z0-9_.-]{0,63}$/;

/** The part of a manifest that the kernel itself uses; the rest is for the people who read it. */
export interface UpgradeManifest {
  upgradeId: string;
  type: UpgradeType;
  rationale: string;
  patchSha256: string | null;
  /** Checks that must have passed before it is applied. */
  preconditions: string[];
  /** Whether the coordinator applies it as soon as it may be. */
  autoApply: boolean;
  change:
    | { kind: 'outside' }
    | { kind: 'approver_pool'; pool: ApproverPool }
    | { kind: 'policy'; policy: GovernancePolicy }
    | { kind: 'signer_rotation'; from: string; to: SignerEntry }
    | { kind: 'rollback'; undoes: string };
}

/** Letters, digits and the characters that file names, URLs and stream names take without escapes. */
const UPGRADE_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const CHECK_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;
const MAX_CHECKS = 32;
const MAX_RATIONALE = 4_000;

/** @throws GovernanceError `invalid_manifest` with the pointer into the manifest */
export function readUpgradeManifest(manifest: JsonObject): UpgradeManifest {
  const { upgradeId, type, rationale, patchSha256, preconditions, autoApply } = manifest;
  if (typeof upgradeId !== 'string' || !UPGRADE_ID.test(upgradeId)) {
    throw invalid('/upgradeId', 'upgradeId is 1 to 128 letters, digits and "._:-"');
  }
  if (typeof type !== 'string' || !TYPE.test(type)) {
    throw invalid('/type', `type is one of ${UPGRADE_TYPES.join(', ')}, or one of the organisation's own`);
  }
  if (typeof rationale !== 'string' || rationale.trim() === '' || rationale.length > MAX_RATIONALE) {
    throw invalid('/rationale', `rationale says why, in 1 to ${MAX_RATIONALE} characters`);
  }
  if (patchSha256 !== undefined && patchSha256 !== null) {
    if (typeof patchSha256 !== 'string' || !SHA256.test(patchSha256)) {
      throw invalid('/patchSha256', 'patchSha256 is 64 lower-case hexadecimal digits');
    }
  }
  if (autoApply !== undefined && typeof autoApply !== 'boolean') {
    throw invalid('/autoApply', 'autoApply is true or false');
  }
  return {
    upgradeId,
    type,
    rationale,
    patchSha256: patchSha256 ?? null,
    preconditions: readPreconditions(preconditions),
    autoApply: autoApply ?? false,
    change: readChange(type, manifest),
  };
}

function readPreconditions(value: JsonValue | undefined): string[] {
  if (value === undefined) return [];
  const names = Array.isArray(value) && value.length <= MAX_CHECKS ? value : null;
  const fits = names?.every((name) => typeof name === 'string' && CHECK_NAME.test(name)) ?? false;
  if (!fits || new Set(names).size !== names?.length) {
    throw invalid('/preconditions', `preconditions are at most ${MAX_CHECKS} different names of checks`);
  }
  return names as string[];
}

function readChange(type: UpgradeType, manifest: JsonObject): UpgradeManifest['change'] {
  switch (type) {
    case 'code':
    case 'manifest': {
      const { target } = manifest;
      if (target === undefined || target === null || target === '') {
        throw invalid('/target', `target says what a ${type} upgrade changes`);
      }
      return { kind: 'outside' };
    }
    case 'approver_pool':
      return { kind: 'approver_pool', pool: within('/pool', () => readApproverPool(manifest['pool'])) };
    case 'policy': {
      const policy = readPolicy(manifest['policy']);
      if (policy === null) {
        throw invalid(
          '/policy',
          'policy is { approvalTtlHours, proposalTtlHours, ratificationHours }, each a whole number of hours',
        );
      }
      return { kind: 'policy', policy };
    }
    case 'signer_rotation': {
      const { from, signer } = manifest;
      if (typeof from !== 'string') throw invalid('/from', 'from is the signer_kid that is replaced');
      return { kind: 'signer_rotation', from, to: within('/signer', () => readSigner(signer)) };
    }
    case 'rollback': {
      const { undoes } = manifest;
      if (typeof undoes !== 'string' || !UPGRADE_ID.test(undoes)) {
        throw invalid('/undoes', 'undoes is the id of the upgrade that is rolled back');
      }
      return { kind: 'rollback', undoes };
    }
    // A change of the organisation's own, outside the kernel as code is; what it changes may be in members of its own.
    default:
      return { kind: 'outside' };
  }
}

/**
 * Refuses a type that is neither the kernel's nor one that the configuration allows: a misspelt one must not be taken for
 * a change outside the kernel.
 */
export function assertKnownType({ type }: UpgradeManifest, own: RegExp | null): void {
  if ((UPGRADE_TYPES as readonly string[]).includes(type) || own?.test(type) === true) return;
  throw invalid(
    '/type',
    `type is one of ${UPGRADE_TYPES.join(', ')}${own === null ? ' (KERNEL_UPGRADE_TYPES allows others)' : `, or matches ${own.source}`}`,
  );
}

function within<T>(base: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw new GovernanceError(
      'invalid_manifest',
      error.message,
      { pointer: `/manifest${base}${error.pointer ?? ''}` },
      { cause: error },
    );
  }
}

export function invalid(pointer: string, message: string): GovernanceError {
  return new GovernanceError('invalid_manifest', `The manifest does not fit: ${message}.`, {
    pointer: `/manifest${pointer}`,
  });
}
