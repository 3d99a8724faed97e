/**
 * Signing backends (software, PKCS#11, AWS KMS, transit, another proxy) behind one port, and the client of the signing proxy.
 * It decides nothing: apps/signing-proxy decides who may have what signed, libs/modules/signing what is signed. It
 * holds no key.
 */
export {
  type BackendHealth,
  type CheckpointSignatureRequest,
  type KeyInfo,
  type KeyMaker,
  type KeyRequest,
  type SigningBackend,
  type SigningHints,
  isKeyName,
  signingKeys,
} from './signing-backend';
export { whyNotInKms } from './key-protection';
export {
  DEFAULT_BACKEND_TIMEOUT_MS,
  GuardedBackend,
  type GuardOptions,
  type SignOutcome,
} from './guarded-backend';
export { reasonOf, SignerError } from './signer.error';
export { SoftwareBackend } from './software/software.backend';
export { DEFAULT_PROCESSES, Pkcs11Backend } from './pkcs11/pkcs11.backend';
export { AwsKmsBackend, DEFAULT_KMS_CONCURRENCY } from './aws-kms/aws-kms.backend';
export { DEFAULT_VAULT_CONCURRENCY } from './vault-transit/vault-client';
export { DEFAULT_JWT_FILE, type VaultAuth } from './vault-transit/vault-session';
export { VaultTransitBackend } from './vault-transit/vault-transit.backend';
export { ProxyBackend } from './proxy/proxy.backend';
export { DEFAULT_SOFTHSM_MODULE, provisionSoftHsm, type ProvisionedToken } from './pkcs11/provision-softhsm';
export {
  DEFAULT_MAX_IN_FLIGHT,
  type ProxySignature,
  type SignatureRequest,
  SigningProxyClient,
} from './signing-proxy.client';
export { ManifestSigner, signManifest } from './manifest-signer';
export { signatureRecord } from './signature-record';
export { SignerSource } from './signer-source';
export { DocumentSigner, registeredCheckpointKey } from './document-signer';
export {
  documentSigningSettings,
  openDocumentProxy,
  openSigningProxyClient,
  signingProxyTls,
} from './document-signing-settings';
export {
  type BatchPurpose,
  HighWaterMark,
  KEY_PURPOSE_OF,
  type LastCheckpoint,
  MAX_AHEAD_OF_COMMITTED,
  MAX_PROXY_BATCH,
  MAX_SIGNING_INPUT_BYTES,
  type ProxyHealth,
  SIGNING_PURPOSES,
  type SigningPurpose,
  TreeHead,
} from './signing-contract';
