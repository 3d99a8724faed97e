import { Agent, fetch as undiciFetch, type RequestInfo, type RequestInit } from 'undici';

export interface BoundedFetch {
  /** The standard's `fetch`, for libraries that take one. */
  readonly fetch: typeof globalThis.fetch;
  close(): Promise<void>;
}

/**
 * `fetch` with limits that the other side cannot stretch, and the authorities of one server. It follows no redirect: a
 * library that asks for one would be led elsewhere.
 */
export function boundedFetch(options: {
  /** PEM; default: the authorities that Node.js knows. */
  ca?: string | undefined;
  timeoutMs: number;
  maxBytes: number;
}): BoundedFetch {
  const { ca, timeoutMs, maxBytes } = options;
  const agent = new Agent({
    connections: 8,
    connect: { timeout: timeoutMs, ...(ca !== undefined && { ca }) },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxBytes,
  });
  const bounded = (url: RequestInfo, init: RequestInit = {}) =>
    undiciFetch(url, { ...init, dispatcher: agent, redirect: 'manual' });
  return {
    // The standard's types come twice, from undici and from Node.js, which carries an undici of its own.
    fetch: bounded as unknown as typeof globalThis.fetch,
    close: () => agent.close(),
  };
}
