/** Which keys sign for this kernel and which ever did, as the chain has it: register, rotate, retire, compromise; and what signs with the key in force. The keys themselves lie behind apps/signing-proxy. */
export { BackendKeys } from './backend-keys';
export { KeyRegistryModule } from './key-registry.module';
export { WriteHold } from './key-registry.ports';
export { KeyRegistryError, type KeyRegistryErrorCode } from './domain/key-registry.error';
export { KmsRequirement } from './kms-requirement';
export { ProxyCheckpointSigner, ProxyManifestSigner, RegisteredKeyEventSigner } from './proxy-signers';
export { RegisteredSigners } from './registered-signers';
export { SigningKeys } from './signing-keys';
