export type KeyRegistryErrorCode = 'signer_not_found';

export class KeyRegistryError extends Error {
  override readonly name = 'KeyRegistryError';
  constructor(
    readonly code: KeyRegistryErrorCode,
    message: string,
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }
}
