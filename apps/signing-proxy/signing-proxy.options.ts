import { type Logger } from '#platform/process';
import { type GuardOptions, type SigningBackend } from '#platform/signer';
import { type SigningClient } from './clients/signing-clients';
import { type MadeKeys } from './keys/made-keys';
import { type MarkStore } from './marks/mark-store';

export interface SigningProxyOptions {
  /** The kernel this proxy signs for; inputs of any other are refused. */
  origin: string;
  /** Number of shards of that kernel's chain; inputs of any other shard are refused. */
  shards: number;
  clients: readonly SigningClient[];
  backends: readonly SigningBackend[];
  /** Deadline and circuit breaker of each backend. */
  guard?: Omit<GuardOptions, 'observer'>;
  logger: Logger;
  /** Without them a database that was put back to an older state is not noticed. */
  marks?: MarkStore | undefined;
  /** Keys that were made at run time; without it none are. */
  made?: MadeKeys | undefined;
  /** Common names of the client certificates that may have keys made; none by default. */
  keyMakers?: readonly string[];
  /** Default {@link DEFAULT_MAX_MADE_KEYS}. */
  maxMadeKeys?: number;
  /** Common names of the client certificates that may open a restore window; none by default. */
  operators?: readonly string[];
}

export const SIGNING_PROXY_OPTIONS = Symbol('SigningProxyOptions');
