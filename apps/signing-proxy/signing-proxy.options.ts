import { type Logger } from '#libs/observability';
import { type GuardOptions, type SigningBackend } from '#libs/signer';
import { type SigningClient } from './clients/signing-clients';

export interface SigningProxyOptions {
  /** The kernel this proxy signs for; inputs of any other are refused. */
  origin: string;
  clients: readonly SigningClient[];
  backends: readonly SigningBackend[];
  /** Deadline and circuit breaker of each backend. */
  guard?: Omit<GuardOptions, 'observer'>;
  logger: Logger;
}

export const SIGNING_PROXY_OPTIONS = Symbol('SigningProxyOptions');
