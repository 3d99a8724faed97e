export { SigningModule } from './signing.module';
export { ManifestSigner, SignerSource, SigningOptions } from './signing.ports';
export { SigningError, type SigningErrorCode } from './domain/signing.error';
