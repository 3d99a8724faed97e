export { KeyAgeWatch } from './key-age-watch';
export { KeyRegistryModule } from './key-registry.module';
export {
  BackendKeys,
  KeyRegistryOptions,
  ModeSource,
  RegistrationStores,
  RegistryChanges,
  WriteHold,
} from './key-registry.ports';
export { KeyRegistryError, type KeyRegistryErrorCode } from './domain/key-registry.error';
export { type BackendKey } from './domain/registration';
export { RegisteredSigners } from './registered-signers';
export { SigningKeys } from './signing-keys';
