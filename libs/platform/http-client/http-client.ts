import { isIP } from 'node:net';
import { type Readable } from 'node:stream';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import { type AddressPolicy, unbracketed } from './address-policy';

/** PEM. */
export interface ClientTls {
  /** The authorities of the server's certificate, where the system does not know them. */
  readonly ca?: string | Buffer | undefined;
  /** The client's own certificate and its key. */
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
}

export interface HttpClientOptions {
  /** scheme://host:port */
  origin: string;
  tls?: ClientTls;
  /** Most connections; a request that finds all of them busy waits. */
  connections: number;
  connectTimeoutMs: number;
  /** Longest wait for the head of an answer, and between two parts of its body. Default none: callers bring a signal. */
  idleTimeoutMs?: number;
  /** How long an unused connection is kept. Default 4 s. */
  keepAliveMs?: number;
  /** Addresses that a connection may be made to. Default: all. */
  addresses?: AddressPolicy;
}

export interface HttpRequest {
  method: Dispatcher.HttpMethod;
  /** Path with the query, as sent on the wire. */
  path: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | undefined;
}

export interface HttpAnswer {
  status: number;
  /** Headers that occur once; names in lower case. */
  headers: Record<string, string>;
  bytes: Buffer;
}

export interface ExchangeOptions {
  /** Ends the exchange at any stage; the exchange rejects with its reason. */
  signal?: AbortSignal;
  /** Called with a function that ends the exchange, once it has started: costs less than a signal. */
  onStart?: (abort: (reason: Error) => void) => void;
  /** The longest body that is accepted. */
  maxBytes: number;
  /** Once the status has come, no failure of the body is an error: the received part is the answer. */
  statusIsEnough?: boolean;
}

export interface StreamedAnswer {
  status: number;
  body: Readable;
}

/** Talks to one server over kept connections. Does not follow redirects. */
export class HttpClient {
  private pool: Pool;

  constructor(private readonly options: HttpClientOptions) {
    this.pool = this.open(options.tls ?? {});
  }

  /** Makes new requests use connections with this material; running ones end on theirs. */
  renew(tls: ClientTls): void {
    const before = this.pool;
    this.pool = this.open(tls);
    void before.close();
  }

  /**
   * Sends a request and reads the whole answer, by `dispatch`: the streams that undici's `request` makes around each
   * body cost a short exchange more than everything else in it.
   * @throws the reason of the signal, or the failure of the connection
   */
  exchange(request: HttpRequest, options: ExchangeOptions): Promise<HttpAnswer> {
    const { signal, onStart, maxBytes, statusIsEnough = false } = options;
    return new Promise((resolve, reject) => {
      const answer: HttpAnswer = { status: 0, headers: {}, bytes: Buffer.alloc(0) };
      const chunks: Buffer[] = [];
      let size = 0;
      let controller: Dispatcher.DispatchController | undefined;
      const end = (error?: Error): void => {
        signal?.removeEventListener('abort', abort);
        if (error !== undefined && !(statusIsEnough && answer.status !== 0)) return reject(error);
        answer.bytes = Buffer.concat(chunks);
        resolve(answer);
      };
      const abort = (): void => {
        const reason = signal?.reason as Error;
        controller?.abort(reason);
        // A request that has not started, because no connection is free or open, is ended when it would start.
        end(reason);
      };
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      this.pool.dispatch(
        { ...request, body: request.body ?? null },
        {
          onRequestStart(started) {
            controller = started;
            if (signal?.aborted) started.abort(signal.reason as Error);
            else onStart?.((reason) => started.abort(reason));
          },
          onResponseStart(_, status, headers) {
            answer.status = status;
            for (const [name, value] of Object.entries(headers)) {
              if (typeof value === 'string') answer.headers[name] = value;
            }
          },
          onResponseData(current, chunk) {
            size += chunk.length;
            if (size > maxBytes) current.abort(new Error(`the answer has more than ${maxBytes} bytes`));
            else chunks.push(chunk);
          },
          onResponseEnd: () => end(),
          onResponseError: (_, error) => end(error),
        },
      );
    });
  }

  /** The answer with its body as it arrives, however long it is. */
  async stream(request: HttpRequest): Promise<StreamedAnswer> {
    const { statusCode, body } = await this.pool.request({ ...request, body: request.body ?? null });
    return { status: statusCode, body };
  }

  /** Lets running requests end, then closes the connections. */
  close(): Promise<void> {
    return this.pool.close();
  }

  /** Ends running requests. */
  destroy(): Promise<void> {
    return this.pool.destroy();
  }

  private open({ ca, cert, key }: ClientTls): Pool {
    const { origin, connections, connectTimeoutMs, idleTimeoutMs = 0, keepAliveMs = 4_000 } = this.options;
    const { addresses } = this.options;
    const connect = {
      timeout: connectTimeoutMs,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    } as const;
    return new Pool(origin, {
      connections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      headersTimeout: idleTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      connect: addresses === undefined ? connect : guarded(connect, addresses),
    });
  }
}

/** Connects only where the policy lets it: by the name's addresses before, and by the socket's after it. */
function guarded(options: buildConnector.BuildOptions, addresses: AddressPolicy): buildConnector.connector {
  const connect = buildConnector({ ...options, lookup: addresses.lookup });
  return (target, done) => {
    const refuse = (work: () => void): Error | null => {
      try {
        work();
        return null;
      } catch (error) {
        return error as Error;
      }
    };
    // An address in the place of a name is connected to without a look-up.
    const host = unbracketed(target.hostname);
    const before = isIP(host) === 0 ? null : refuse(() => addresses.assert(host));
    if (before !== null) return done(before, null);
    connect(target, (...[error, socket]) => {
      if (error !== null) return done(error, null);
      const after = refuse(() => addresses.assert(socket.remoteAddress));
      if (after === null) return done(null, socket);
      socket.destroy();
      done(after, null);
    });
  };
}
