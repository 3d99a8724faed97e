/**
 * Signs callers' manifests and records each signature. It holds no key: which one is in force says
 * libs/modules/key-registry, and apps/signing-proxy signs with it.
 */
export { SigningModule } from './signing.module';
export { SigningError } from './domain/signing.error';
