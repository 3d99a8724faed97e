import { type HttpAnswer, HttpClient } from '#platform/http-client';
import { type TlsRenewals } from '#platform/process';
import { SignerError, reasonOf } from '../signer.error';

/** PEM. */
export interface VaultTls {
  /** The authorities of the server's certificate, where the system does not know them. */
  ca?: string | Buffer | undefined;
  /** The client certificate and its key, for cert auth. */
  cert?: string | Buffer | undefined;
  key?: string | Buffer | undefined;
}

export interface VaultConnection extends VaultTls {
  /** https://host:port of Vault or OpenBao; http for development servers only. */
  address: string;
  namespace?: string | undefined;
  /** Source of these, when they are renewed; closed with the client. */
  renewals?: TlsRenewals<VaultTls> | undefined;
  /** Limit of one request. Default {@link REQUEST_TIMEOUT_MS}. */
  requestTimeoutMs?: number;
  /** Concurrent requests. Default {@link DEFAULT_VAULT_CONCURRENCY}. */
  concurrency?: number | undefined;
}

/** A batch is one request, and Vault signs it on one core: a few go side by side. */
export const DEFAULT_VAULT_CONCURRENCY = 8;
/** Below the second that a batch has, so that a hanging request can be made once more. */
const REQUEST_TIMEOUT_MS = 600;
/** 256 signatures are 40 kB; anything much larger is something else. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Sealed, standby and overloaded servers, and those whose replica is behind (Vault HTTP API, "HTTP status codes"). */
const PASSING = new Set([412, 429, 472, 473, 500, 502, 503, 504]);

/** Vault's answer, or the lack of one. Never contains the token. */
export class VaultFailure extends Error {
  override readonly name = 'VaultFailure';

  constructor(
    message: string,
    /** Undefined when there was no answer. */
    readonly status: number | undefined,
    /** Another attempt may succeed. */
    readonly passing: boolean,
    /** Wait that the server asks for. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

export class VaultClient {
  private readonly http: HttpClient;
  private readonly timeoutMs: number;

  constructor(private readonly connection: VaultConnection) {
    const { address } = connection;
    this.timeoutMs = connection.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    const { protocol, origin, pathname } = new URL(address);
    if (!['https:', 'http:'].includes(protocol) || pathname !== '/') {
      throw new SignerError(
        'misconfigured',
        `The address of Vault is https://host:port and no path, not ${address}`,
      );
    }
    this.http = new HttpClient({
      origin,
      tls: connection,
      connections: connection.concurrency ?? DEFAULT_VAULT_CONCURRENCY,
      connectTimeoutMs: this.timeoutMs,
      keepAliveMs: 30_000,
    });
    connection.renewals?.onRenewal((tls) => this.http.renew(tls));
  }

  /**
   * @param path below /v1/
   * @returns the JSON answer, null for 204
   * @throws VaultFailure
   */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    { token, body, signal }: { token?: string; body?: unknown; signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    const { namespace } = this.connection;
    const timeout = AbortSignal.timeout(this.timeoutMs);
    let answered: HttpAnswer;
    try {
      const request = {
        path: `/v1/${path}`,
        method,
        headers: {
          'x-vault-request': 'true',
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
      };
      answered = await this.http.exchange(request, {
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
        maxBytes: MAX_ANSWER_BYTES,
      });
    } catch (error) {
      signal?.throwIfAborted();
      const why = timeout.aborted ? `no answer within ${this.timeoutMs} ms` : reasonOf(error);
      throw new VaultFailure(`Vault cannot be reached: ${why}`, undefined, true);
    }
    const { status, headers, bytes } = answered;
    if (status === 204) return null;
    const answer = parsed(bytes.toString());
    if (status === 200 && answer !== undefined) return answer;
    const seconds = Number(headers['retry-after'] ?? NaN);
    throw new VaultFailure(
      status === 200
        ? 'Vault answered with something that is no JSON'
        : `Vault answered ${status}${wordsOf(answer)}`,
      status,
      status === 200 || PASSING.has(status),
      Number.isFinite(seconds) ? seconds * 1_000 : 0,
    );
  }

  close(): Promise<void> {
    this.connection.renewals?.close();
    return this.http.destroy();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `{ "errors": ["1 error occurred:\n\t* permission denied\n\n"] }` as `: permission denied`. */
function wordsOf(answer: unknown): string {
  const errors = (answer as { errors?: unknown } | null | undefined)?.errors;
  if (!Array.isArray(errors)) return '';
  const words = errors
    .filter((error) => typeof error === 'string')
    .join('; ')
    .replaceAll(/\s+/g, ' ')
    .replace(/^1 error occurred: \* /, '')
    .trim();
  return words === '' ? '' : `: ${words.slice(0, 300)}`;
}
