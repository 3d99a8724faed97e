/** Signs callers' manifests and records each signature. Keys and their backends are libs/platform/signer, behind apps/signing-proxy; which key is in force says libs/modules/key-registry. */
export { SigningModule } from './signing.module';
export { SigningError, type SigningErrorCode } from './domain/signing.error';
