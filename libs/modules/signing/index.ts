/**
 * Signs callers' manifests and records each signature. It holds no key: libs/modules/key-registry says which one is in
 * force, and apps/signing-proxy signs with it.
 */
export { SigningModule } from './signing.module';
export { SigningError } from './domain/signing.error';
