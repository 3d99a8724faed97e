import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { printable } from '#evidence';
import { HttpClient, type HttpRequest } from '#platform/http-client';
import { type Connection } from './connection';
import { CliError } from '../cli.error';
import { shown } from '../output/shown';

/** Longest wait for the first byte of an answer. */
const ANSWER_TIMEOUT_MS = 30_000;
/** A command asks for a few things at once. */
const CONNECTIONS = 64;

export interface Answer {
  status: number;
  text: string;
}

/** Calls the service API over mutual TLS. An answer that is not a success becomes a CliError with its reason. */
export class KernelApiClient {
  private readonly http: HttpClient;

  /** @param who answers, for messages */
  constructor(
    private readonly connection: Connection,
    private readonly who = 'The kernel',
  ) {
    this.http = new HttpClient({
      origin: new URL(connection.url).origin,
      tls: {
        ca: readFileSync(connection.ca),
        cert: readFileSync(connection.cert),
        key: readFileSync(connection.key),
      },
      connections: CONNECTIONS,
      connectTimeoutMs: 10_000,
      // An export flows for as long as it takes; a stall of this length is a fault.
      idleTimeoutMs: ANSWER_TIMEOUT_MS,
    });
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<string> {
    return this.send({ method: 'GET', path, headers });
  }

  async getJson<T>(path: string): Promise<T> {
    return JSON.parse(await this.get(path)) as T;
  }

  /** The body as it arrives. */
  async stream(path: string): Promise<Readable> {
    const { status, body } = await this.reached(() => this.http.stream({ method: 'GET', path }));
    if (status >= 400) throw this.refusal(status, {}, await text(body));
    return Readable.from(this.arriving(body), { objectMode: false });
  }

  async post(path: string, body: string, headers: Record<string, string> = {}): Promise<string> {
    return this.send({
      method: 'POST',
      path,
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
  }

  async close(): Promise<void> {
    await this.http.destroy();
  }

  private async send(request: HttpRequest): Promise<string> {
    const { status, headers, bytes } = await this.reached(() =>
      this.http.exchange(request, { maxBytes: Infinity }),
    );
    if (status >= 400) throw this.refusal(status, headers, bytes.toString());
    return bytes.toString();
  }

  private refusal(status: number, headers: Readonly<Record<string, unknown>>, body: string): CliError {
    const refused = refusal(this.who, status, body);
    const seconds = headers['retry-after'];
    const { logFile } = this.connection;
    const more = [
      ...(typeof seconds === 'string' && /^\d{1,6}$/.test(seconds) ? [`Try again in ${seconds} s.`] : []),
      ...(status >= 500 && logFile !== undefined ? [`Its log: ${logFile}`] : []),
    ];
    if (more.length === 0) return refused;
    return new CliError(refused.code, [refused.message, ...more].join(' '), refused.details);
  }

  /** A connection that breaks is told as such, and not taken for a fault of the file that is being written. */
  private async *arriving(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* body;
    } catch (cause) {
      throw unreachable(this.connection.url, cause);
    }
  }

  private async reached<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (cause) {
      throw unreachable(this.connection.url, cause);
    }
  }
}

function unreachable(url: string, cause: unknown): CliError {
  const error = cause as NodeJS.ErrnoException;
  const hint =
    error.code === 'ECONNREFUSED'
      ? 'nothing listens there; is it running (./kernel status)?'
      : `${error.message || error.code || 'no answer'}.`;
  return new CliError('unreachable', `Cannot reach ${url}: ${hint}`, { url }, { cause });
}

/** RFC 9457 problem details, as the kernel answers them. */
interface Problem {
  title?: string;
  detail?: string;
  error?: string;
  error_id?: string;
  pointer?: string;
}

function refusal(who: string, status: number, body: string): CliError {
  let problem: Problem;
  try {
    problem = shown<Problem>(body);
  } catch {
    problem = { detail: printable(body.slice(0, 300)) };
  }
  const reason = problem.detail ?? problem.title ?? 'no reason given';
  const where =
    problem.pointer === undefined ? '' : ` at ${problem.pointer === '' ? 'the top' : problem.pointer}`;
  const words = [problem.error, problem.error_id === undefined ? undefined : `error_id ${problem.error_id}`];
  const known = words.filter((word) => word !== undefined).join(', ');
  return new CliError(
    'refused',
    `${who} answered ${status}${known === '' ? '' : ` (${known})`}: ${reason}${where}`,
    { status, problem },
  );
}
