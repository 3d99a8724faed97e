/**
 * Protection of a private key, as its backend knows it:
 * `hsm`: in a PKCS#11 token that says its keys cannot leave it; `kms`: in a key management service, made there and not
 * exportable; `softhsm`: in a PKCS#11 token that is software and keeps its keys in files; `software`: in files;
 * `unstated`: another vendor's signing proxy does not say.
 */
export const KEY_PROTECTIONS = ['hsm', 'kms', 'softhsm', 'software', 'unstated'] as const;

export type KeyProtection = (typeof KEY_PROTECTIONS)[number];

export interface ProtectionRule {
  /** KERNEL_ALLOW_SOFTHSM: for rehearsals of production where there is no HSM. */
  allowSoftHsm: boolean;
}

const WHY_NOT: Record<KeyProtection, string | null> = {
  hsm: null,
  kms: null,
  softhsm:
    'is in SoftHSM, which keeps its keys in files: use a hardware token or a KMS, or say KERNEL_ALLOW_SOFTHSM=true where that is meant',
  software: 'is kept in files, where it can be copied: use a backend whose keys cannot leave it',
  unstated: 'is kept nobody knows where: its signing proxy has to state the "protection" of its keys',
};

/** Why a key is not kept in an HSM or a KMS, as one sentence, or null when it is. */
export function whyNotInKms(
  { kid, backend, protection }: { kid: string; backend: string; protection: KeyProtection },
  { allowSoftHsm }: ProtectionRule,
): string | null {
  const why = protection === 'softhsm' && allowSoftHsm ? null : WHY_NOT[protection];
  return why === null ? null : `Key ${kid} (${backend}) ${why}`;
}
