import { Agent, request } from 'undici';
import { type WebhookEndpoint } from './webhook-endpoint';

export type Outcome =
  | { delivered: true; status: number }
  | {
      delivered: false;
      /** Null when there was no answer. */
      status: number | null;
      error: string;
      retryAfterMs: number | null;
      /** The receiver wants no more of it (410). */
      gone: boolean;
    };

/** Of the answer only the status counts; what is longer is cut off with its connection. */
const MAX_ANSWER_BYTES = 16_384;
const MAX_ERROR = 200;

/** An endpoint's connections: few, and none kept for long. */
export function agentFor({ ca }: WebhookEndpoint, timeoutMs: number, connections: number): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    keepAliveTimeout: 4_000,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    connect: { timeout: timeoutMs, ...(ca === null ? {} : { ca }) },
  });
}

/**
 * Sends one notification (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature). Redirects are not
 * followed: a signed body goes where the configuration says, and nowhere else. Never throws.
 */
export async function postWebhook(
  { url, secrets }: WebhookEndpoint,
  { id, body }: { id: string; body: string },
  { agent, timeoutMs, signal }: { agent: Agent; timeoutMs: number; signal: AbortSignal },
): Promise<Outcome> {
  const timestampS = Math.floor(Date.now() / 1_000);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const {
      statusCode,
      headers,
      body: answer,
    } = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'illuvrse-kernel',
        'webhook-id': id,
        'webhook-timestamp': String(timestampS),
        'webhook-signature': secrets.sign(id, timestampS, body),
      },
      body,
      signal: AbortSignal.any([timeout, signal]),
    });
    // The status has been said; how the rest of the answer ends changes nothing.
    await answer.dump({ limit: MAX_ANSWER_BYTES, signal: timeout }).catch(() => undefined);
    if (statusCode >= 200 && statusCode < 300) return { delivered: true, status: statusCode };
    const redirect = statusCode >= 300 && statusCode < 400;
    return {
      delivered: false,
      status: statusCode,
      error: redirect ? `answered ${statusCode}; redirects are not followed` : `answered ${statusCode}`,
      retryAfterMs: retryAfter(headers['retry-after']),
      gone: statusCode === 410,
    };
  } catch (error) {
    return {
      delivered: false,
      status: null,
      error: timeout.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error),
      retryAfterMs: null,
      gone: false,
    };
  }
}

/** Seconds, or a date (RFC 9110 section 10.2.3). */
function retryAfter(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string') return null;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : null;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `${code === undefined ? '' : `${code}: `}${message}`.slice(0, MAX_ERROR);
}
