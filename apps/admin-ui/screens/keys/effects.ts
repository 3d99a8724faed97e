import { type components } from '#openapi/kernel';
import { type KeyPurpose } from './key-facts';

type KeyCandidates = components['schemas']['KeyCandidates'];

/**
 * What the steps do, in the sentences that `./kernel keys … --dry-run` prints: the API has no dry run of its own.
 */
export function rotationEffects(
  { inForce, directRotation }: KeyCandidates,
  purpose: KeyPurpose,
  to: string,
): string[] {
  return [
    `The ${purpose} key ${inForce[purpose] ?? '(none)'} is replaced by ${to}; a shard never goes back to an earlier key.`,
    directRotation.includes(purpose)
      ? 'It is done at once (KERNEL_DIRECT_KEY_ROTATION).'
      : 'An upgrade is proposed, and applied by itself when its approvers have signed.',
    'Both keys are valid until the old one is retired; what it signed stays valid.',
    'Verifiers elsewhere need the new signers.json before the first event by the new key.',
  ];
}

export function retirementEffects(kid: string): string[] {
  return [
    `${kid} signs nothing any more and never comes back; what it signed stays valid.`,
    'A process that has not changed over to the new key yet fails until it has.',
  ];
}

export function compromiseEffects({
  kid,
  since,
  emergencyKid,
  isAuditKey,
  stayReadOnly,
}: {
  kid: string;
  since: string;
  emergencyKid: string | null;
  isAuditKey: boolean;
  stayReadOnly: boolean;
}): string[] {
  const stays = stayReadOnly ? ', and the kernel stays read-only' : '';
  return [
    `${kid} is cut off at once and for ever: nothing that it signed from ${since} on counts by itself.`,
    `${emergencyKid ?? 'The first candidate that fits'} signs in its place${isAuditKey ? `; writes wait meanwhile${stays}` : stays}.`,
    'The new key signs a statement of what the old one signed since then and the kernel stands by.',
    'Everyone who verifies needs the new signers.json: until they have it, they reject what the new key signs.',
  ];
}

export interface RotationManifest {
  upgradeId: string;
  type: string;
  rationale: string;
  from: string;
  signer: KeyCandidates['candidates'][number];
  autoApply: true;
}

/** The manifest of the upgrade that rotates a key; the approvers sign its digest. */
export function rotationManifest(
  { inForce, candidates }: KeyCandidates,
  purpose: KeyPurpose,
  to: string,
  rationale: string,
): RotationManifest | null {
  const from = inForce[purpose];
  const signer = candidates.find(({ signer_kid }) => signer_kid === to);
  if (from === undefined || signer === undefined) return null;
  return {
    upgradeId: rotationUpgradeId(to),
    type: 'signer_rotation',
    rationale: rationale.trim() === '' ? `${to} in the place of ${from} for ${purpose}` : rationale.trim(),
    from,
    signer,
    autoApply: true,
  };
}

/** As `./kernel keys rotate` names it, so that either finds what the other proposed. */
export function rotationUpgradeId(to: string): string {
  return `rotate-${to}`;
}
