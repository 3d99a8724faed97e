import { type AddressPolicy, type ClientTls, HttpClient } from '#platform/http-client';
import { type WebhookEndpoint } from './webhook-endpoint';

export type Outcome =
  | { delivered: true; status: number }
  | {
      delivered: false;
      /** Null when there was no answer. */
      status: number | null;
      error: string;
      retryAfterMs: number | null;
      /** The receiver wants no more notifications (410). */
      gone: boolean;
    };

/** Only the status of the answer counts; a longer answer is cut off with its connection. */
const MAX_ANSWER_BYTES = 16_384;
const MAX_ERROR = 200;

/**
 * Client with an endpoint's connections: few, and none kept for long.
 * @param addresses where they may go; default: everywhere, for endpoints of the configuration
 */
export function clientFor(
  { url, ca }: Pick<WebhookEndpoint, 'url' | 'ca'>,
  timeoutMs: number,
  connections: number,
  addresses?: AddressPolicy,
): HttpClient {
  return new HttpClient({
    origin: new URL(url).origin,
    tls: trusting(ca),
    connections,
    connectTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    ...(addresses && { addresses }),
  });
}

/** For `HttpClient.renew`. @param ca authorities (PEM); null: the usual ones */
export function trusting(ca: string | Buffer | null): ClientTls {
  return ca === null ? {} : { ca };
}

export interface WebhookNotification {
  readonly id: string;
  readonly body: string;
  readonly contentType?: string;
  /** Header for the trace that it belongs to; not signed. */
  readonly traceparent?: string | undefined;
}

/**
 * Sends one notification (Standard Webhooks: webhook-id, webhook-timestamp, webhook-signature). Redirects are not
 * followed: a signed body goes where the configuration says, and nowhere else. Never throws.
 */
export async function postWebhook(
  { url, secrets }: Pick<WebhookEndpoint, 'url' | 'secrets'>,
  { id, body, contentType = 'application/json', traceparent }: WebhookNotification,
  { http, timeoutMs, signal }: { http: HttpClient; timeoutMs: number; signal: AbortSignal },
): Promise<Outcome> {
  const timestampS = Math.floor(Date.now() / 1_000);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const { pathname, search } = new URL(url);
    const { status, headers } = await http.exchange(
      {
        method: 'POST',
        path: pathname + search,
        headers: {
          'content-type': contentType,
          'user-agent': 'illuvrse-kernel',
          'webhook-id': id,
          'webhook-timestamp': String(timestampS),
          'webhook-signature': secrets.sign(id, timestampS, body),
          ...(traceparent !== undefined && { traceparent }),
        },
        body,
      },
      { signal: AbortSignal.any([timeout, signal]), maxBytes: MAX_ANSWER_BYTES, statusIsEnough: true },
    );
    if (status >= 200 && status < 300) return { delivered: true, status };
    const redirect = status >= 300 && status < 400;
    return {
      delivered: false,
      status,
      error: redirect ? `answered ${status}; redirects are not followed` : `answered ${status}`,
      retryAfterMs: retryAfter(headers['retry-after']),
      gone: status === 410,
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
function retryAfter(header: string | undefined): number | null {
  if (header === undefined) return null;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return ms > 0 ? ms : null;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return `${code === undefined ? '' : `${code}: `}${message}`.slice(0, MAX_ERROR);
}
