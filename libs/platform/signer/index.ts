/**
 * Signing backends (software, PKCS#11, AWS KMS, transit, another proxy) behind one port, and the client of the signing proxy.
 * It holds no key and decides nothing: who may have what signed is apps/signing-proxy, what is signed libs/modules/signing.
 */
export {
  type BackendHealth,
  type KeyInfo,
  type KeyMaker,
  type KeyRequest,
  type SigningBackend,
  isKeyName,
  signingKeys,
} from './signing-backend';
export { KEY_PROTECTIONS, type KeyProtection, type ProtectionRule, whyNotInKms } from './key-protection';
export {
  DEFAULT_BACKEND_TIMEOUT_MS,
  GuardedBackend,
  type GuardObserver,
  type GuardOptions,
  type SignOutcome,
} from './guarded-backend';
export { reasonOf, SignerError, type SignerErrorCode } from './signer.error';
export { SoftwareBackend, type SoftwareBackendOptions } from './software/software.backend';
export {
  DEFAULT_OPERATION_TIMEOUT_MS,
  DEFAULT_PROCESSES,
  Pkcs11Backend,
  type Pkcs11BackendOptions,
} from './pkcs11/pkcs11.backend';
export { AwsKmsBackend, type AwsKmsBackendOptions, DEFAULT_KMS_CONCURRENCY } from './aws-kms/aws-kms.backend';
export { DEFAULT_VAULT_CONCURRENCY } from './vault-transit/vault-client';
export { DEFAULT_JWT_FILE, type VaultAuth } from './vault-transit/vault-session';
export { VaultTransitBackend, type VaultTransitBackendOptions } from './vault-transit/vault-transit.backend';
export { ProxyBackend, type ProxyBackendOptions } from './proxy/proxy.backend';
export {
  DEFAULT_SOFTHSM_MODULE,
  provisionSoftHsm,
  type ProvisionedToken,
  type ProvisionSoftHsmOptions,
} from './pkcs11/provision-softhsm';
export {
  DEFAULT_MAX_BATCH,
  DEFAULT_MAX_IN_FLIGHT,
  DEFAULT_MAX_QUEUED,
  DEFAULT_TIMEOUT_MS,
  type ProxySignature,
  type SignatureRequest,
  SigningProxyClient,
  type SigningProxyClientOptions,
} from './signing-proxy.client';
export { ManifestSigner, type SignedManifest, signManifest, type StatementToSign } from './manifest-signer';
export { type SignatureRecord, signatureRecord } from './signature-record';
export { SignerSource } from './signer-source';
export { type DocumentPurpose, DocumentSigner } from './document-signer';
export {
  documentSigningSettings,
  openDocumentProxy,
  openSigningProxyClient,
  signingProxyTls,
} from './document-signing-settings';
export {
  HealthAnswer,
  HighWaterMark,
  KEY_PURPOSE_OF,
  MAX_AHEAD_OF_COMMITTED,
  KeysAnswer,
  MAX_PROXY_BATCH,
  MAX_SIGNING_INPUT_BYTES,
  type ProxyHealth,
  SIGNING_PURPOSES,
  type SigningPurpose,
} from './signing-contract';
