import { request } from 'node:https';
import { DevstackError } from '../devstack.error';

const TIMEOUT_MS = 10_000;

export interface OpenBaoAnswer {
  /** 0 when there was none. */
  status: number;
  /** Parsed JSON; null when there is no body. */
  body: unknown;
  /** Reason in the server's own words, when it is not a success. */
  why: string;
}

export type OpenBaoMethod = 'GET' | 'POST' | 'DELETE';

/** The HTTP API of an OpenBao server on the loopback address, with a connection for each request. */
export class OpenBaoApi {
  constructor(
    readonly address: string,
    /** PEM: the authority of its certificate. */
    private readonly ca: string,
  ) {}

  /** Returns whatever it answers; `status` 0 when nothing answers. @param path below /v1/ */
  async send(method: OpenBaoMethod, path: string, body?: object, token?: string): Promise<OpenBaoAnswer> {
    try {
      const { status, text } = await this.exchange(method, path, body, token);
      const parsed = text === '' ? null : (JSON.parse(text) as unknown);
      const { errors = [] } = (parsed ?? {}) as { errors?: string[] };
      return { status, body: parsed, why: errors.join('; ').replaceAll(/\s+/g, ' ').trim() };
    } catch (error) {
      return { status: 0, body: null, why: (error as Error).message };
    }
  }

  /** @throws DevstackError `process_failed` when it is refused */
  async ask(method: OpenBaoMethod, path: string, body?: object, token?: string): Promise<unknown> {
    const answer = await this.send(method, path, body, token);
    if (answer.status === 200 || answer.status === 204) return answer.body;
    throw new DevstackError(
      'process_failed',
      `OpenBao answered ${method} ${path} with ${answer.status}: ${answer.why === '' ? 'no reason' : answer.why}`,
      { path, status: answer.status },
    );
  }

  private exchange(
    method: OpenBaoMethod,
    path: string,
    body: object | undefined,
    token: string | undefined,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(token === undefined ? {} : { 'x-vault-token': token }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const asked = request(
        `${this.address}/v1/${path}`,
        { method, headers, ca: this.ca, agent: false, timeout: TIMEOUT_MS },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
          );
        },
      );
      asked.on('timeout', () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
      asked.on('error', reject);
      asked.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
