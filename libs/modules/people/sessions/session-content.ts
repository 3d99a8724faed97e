import 'express-session';
import { type PendingSignIn, type Person, type SessionTimes } from '../domain/person-session';

/** Tokens of the provider that a session needs later; sealed at rest, in no log and in no answer. */
export interface ProviderTokens {
  /** To end the provider's own session. */
  readonly idToken: string;
  readonly refreshToken: string | null;
  /** When to ask the provider again whether the person may still do what they may, in ms since 1970. */
  readonly refreshAt: number | null;
}

declare module 'express-session' {
  interface SessionData {
    /** Public id and times; made with the session's first write. */
    row?: SessionTimes & { readonly id: string };
    /** By their state. */
    signIns?: Record<string, PendingSignIn>;
    person?: Person;
    tokens?: ProviderTokens;
  }
}

/** What a session's row holds, as far as it is read without express-session. */
export interface SessionContent {
  readonly person?: Person;
  readonly tokens?: ProviderTokens;
}
