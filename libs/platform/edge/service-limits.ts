export interface ServiceLimits {
  /** Largest body. */
  readonly bodyBytes: number;
  /** Largest request line and headers together. */
  readonly headerBytes: number;
  /** Requests that run at the same time; more are refused with 503. */
  readonly concurrentRequests: number;
  /** Bodies held at the same time, over all requests. */
  readonly heldBodyBytes: number;
  readonly connections: number;
  /** Limit for the head of a request to arrive. */
  readonly headersTimeoutMs: number;
  /** Limit for a whole request to arrive; answers may take longer. */
  readonly requestTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** How long a streamed answer waits for its reader to take more. */
  readonly stalledReaderMs: number;
  /** How long an idle connection is kept. Longer than load balancers keep theirs (60 s is usual). */
  readonly keepAliveTimeoutMs: number;
}

/** Generous for honest callers, and each of them bounded. */
export const DEFAULT_LIMITS: ServiceLimits = Object.freeze({
  bodyBytes: 2 * 1024 * 1024,
  headerBytes: 16 * 1024,
  concurrentRequests: 2_000,
  heldBodyBytes: 256 * 1024 * 1024,
  connections: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  stalledReaderMs: 60_000,
  keepAliveTimeoutMs: 65_000,
});
