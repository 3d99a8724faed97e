import { readFileSync } from 'node:fs';
import { Agent, type Dispatcher, request } from 'undici';
import { type Connection } from './connection';
import { CliError } from '../cli.error';

/** Longest wait for the first byte of an answer. */
const ANSWER_TIMEOUT_MS = 30_000;

export interface Answer {
  status: number;
  text: string;
}

/** Calls the service API over mutual TLS. An answer that is not a success becomes a CliError with its reason. */
export class KernelApiClient {
  private readonly agent: Agent;

  /** @param who answers, for messages */
  constructor(
    private readonly connection: Connection,
    private readonly who = 'The kernel',
  ) {
    this.agent = new Agent({
      connect: {
        ca: readFileSync(connection.ca),
        cert: readFileSync(connection.cert),
        key: readFileSync(connection.key),
        timeout: 10_000,
      },
      headersTimeout: ANSWER_TIMEOUT_MS,
      // An export flows for as long as it takes; a stall of this length is a fault.
      bodyTimeout: ANSWER_TIMEOUT_MS,
    });
  }

  async get(path: string): Promise<string> {
    const { body } = await this.send({ method: 'GET', path });
    return await body.text();
  }

  async getJson<T>(path: string): Promise<T> {
    return JSON.parse(await this.get(path)) as T;
  }

  /** The body as it arrives. */
  async stream(path: string): Promise<Dispatcher.ResponseData['body']> {
    return (await this.send({ method: 'GET', path })).body;
  }

  async post(path: string, body: string, headers: Record<string, string> = {}): Promise<string> {
    const response = await this.send({
      method: 'POST',
      path,
      body,
      headers: { 'content-type': 'application/json', ...headers },
    });
    return await response.body.text();
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async send(options: {
    method: 'GET' | 'POST';
    path: string;
    body?: string;
    headers?: Record<string, string>;
  }): Promise<Dispatcher.ResponseData> {
    let response: Dispatcher.ResponseData;
    try {
      response = await request(new URL(options.path, this.connection.url), {
        dispatcher: this.agent,
        method: options.method,
        body: options.body ?? null,
        ...(options.headers === undefined ? {} : { headers: options.headers }),
      });
    } catch (cause) {
      throw unreachable(this.connection.url, cause);
    }
    if (response.statusCode >= 400) throw refusal(this.who, response.statusCode, await response.body.text());
    return response;
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

function refusal(who: string, status: number, text: string): CliError {
  let problem: Problem;
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    problem = { detail: text.slice(0, 300) };
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
