import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type CertificateFiles } from '#dev/devstack';
import { Agent, type Dispatcher, request } from 'undici';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** The body exactly as it came. */
  bytes: Buffer;
  text: string;
  /** The body parsed as JSON; throws when it is none. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into answers of every shape
  json: any;
}

export interface RequestOptions {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, for what no serialiser would write. */
  body?: string | Uint8Array;
  headers?: Record<string, string>;
  /** Value of the Idempotency-Key header; `true` makes one up. */
  idempotencyKey?: string | true;
  signal?: AbortSignal;
}

/** A caller of a service API with one identity, or none. Connections are kept and shared. */
export class MtlsClient {
  private readonly agent: Agent;

  constructor(
    readonly url: string,
    options: {
      ca: string;
      /** Undefined: no client certificate. */
      identity: CertificateFiles | undefined;
      /** Most connections at a time; default 64. */
      connections?: number;
      /** Where the name in the URL is; default: what the system says. */
      address?: string;
    },
  ) {
    const { address } = options;
    this.agent = new Agent({
      connections: options.connections ?? 64,
      connect: {
        ca: readFileSync(options.ca),
        ...(address !== undefined && {
          lookup: (_host, { all }, done) =>
            all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4),
        }),
        ...(options.identity === undefined
          ? {}
          : { cert: readFileSync(options.identity.cert), key: readFileSync(options.identity.key) }),
      },
    });
  }

  get(path: string, options: RequestOptions = {}): Promise<HttpAnswer> {
    return this.request('GET', path, options);
  }

  post(path: string, json: unknown, options: RequestOptions = {}): Promise<HttpAnswer> {
    return this.request('POST', path, { json, ...options });
  }

  async request(
    method: Dispatcher.HttpMethod,
    path: string,
    options: RequestOptions = {},
  ): Promise<HttpAnswer> {
    const body = options.body ?? (options.json === undefined ? null : JSON.stringify(options.json));
    const headers: Record<string, string> = { ...options.headers };
    if (body !== null) headers['content-type'] ??= 'application/json';
    if (options.idempotencyKey !== undefined) {
      headers['idempotency-key'] = options.idempotencyKey === true ? randomUUID() : options.idempotencyKey;
    }
    const answer = await request(new URL(path, this.url), {
      dispatcher: this.agent,
      method,
      body,
      headers,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const bytes = Buffer.from(await answer.body.arrayBuffer());
    return {
      status: answer.statusCode,
      headers: answer.headers,
      bytes,
      text: bytes.toString('utf8'),
      get json() {
        return JSON.parse(bytes.toString('utf8')) as unknown;
      },
    };
  }

  /** The head of an answer, and its body as it comes: for exports, and for answers that do not end by themselves. */
  stream(
    path: string,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    return request(new URL(path, this.url), {
      dispatcher: this.agent,
      method: 'GET',
      headers,
      bodyTimeout: 0,
      ...(signal && { signal }),
    });
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }
}
