import { parse } from 'cookie';
import { unsign } from 'cookie-signature';

/** What express-session puts before a signed value. */
const SIGNED = 's:';

/**
 * The session's cookie. Over TLS its name begins with `__Host-`: browsers then take it only from this host itself, with
 * Secure and for every path, so that no sibling domain can plant one.
 */
export class SessionCookie {
  readonly name: string;

  constructor(
    readonly secure: boolean,
    /** The first signs, each is accepted. */
    readonly secrets: readonly Buffer[],
  ) {
    this.name = secure ? '__Host-kernel-session' : 'kernel-session';
  }

  /** Secrets as express-session takes them. */
  get texts(): string[] {
    return this.secrets.map((secret) => secret.toString('base64url'));
  }

  /** The token of a request; null when it has none, or one that this kernel did not give out. */
  tokenOf(header: string | undefined): string | null {
    if (header === undefined) return null;
    const value = parse(header)[this.name];
    if (value === undefined || !value.startsWith(SIGNED)) return null;
    for (const secret of this.texts) {
      const token = unsign(value.slice(SIGNED.length), secret);
      if (token !== false) return token;
    }
    return null;
  }
}
