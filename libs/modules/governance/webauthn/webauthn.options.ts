/** Where credentials are registered and used. Bound by the app. */
export abstract class WebAuthnOptions {
  /** The relying party, a domain; null: no credentials are registered here. */
  abstract readonly rpId: string | null;
  /** The web origins of the pages that approvers sign on. */
  abstract readonly origins: readonly string[];
}
