/**
 * Knows which keys sign for this kernel and which ever did: registers, rotates, retires and cuts them off, and signs
 * with the key in force. Private keys are never here: apps/signing-proxy has them, libs/platform/signer reaches them.
 */
export { BackendKeys } from './backend-keys';
export { KeyRegistryModule } from './key-registry.module';
export { WriteHold } from './key-registry.ports';
export { assertFoundedAs } from './founding';
export { KeyRegistryError } from './domain/key-registry.error';
export { KmsRequirement } from './kms-requirement';
export { ProxyManifestSigner, RegisteredKeyEventSigner } from './proxy-signers';
export { RegisteredSigners } from './registered-signers';
export { SigningKeys } from './signing-keys';
