import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type NestApplicationOptions } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { BytesAnswer, NdjsonAnswer } from './answers';
import { awaitedStatus, type DurabilityWatch } from './await-durability';
import { type Operation } from './contract/operation';

const NEWLINE = Buffer.from('\n');

export interface StreamOptions {
  /** A reader that takes nothing for this long is gone. */
  readonly stalledReaderMs: number;
  /** Called when an answer fails, possibly after its head is out. */
  readonly onFailure: (error: unknown, response: ServerResponse) => void;
}

/** What Nest makes of a controller's method: guards, parameters, the method itself, the answer. */
type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => Promise<unknown>;

export interface EdgeAdapterOptions extends StreamOptions {
  /** Sees every request first, and hands on to `dispatch` those that the document describes. */
  readonly admit: RequestListener;
}

/**
 * Nest's adapter for Express 5, past Express where it costs: the document has named the operation of a request before
 * any router sees it, so its handler is looked up instead of tried for layer by layer (measured here 40 us a request
 * with Express's prototypes for request and response), and answers are written without ETag and content negotiation
 * (another 20 us). Nothing else would run for a request that Express routed; what tries to is refused.
 */
export class EdgeAdapter extends ExpressAdapter {
  /** By operation as the document spells it: `POST /kernel/sign`, `GET /kernel/audit/{id}`. */
  private readonly handlers = new Map<string, RouteHandler>();
  /** For callers who wait until what they wrote is published or archived; there once the app's modules are. */
  durability: DurabilityWatch | undefined;

  constructor(private readonly edge: EdgeAdapterOptions) {
    super();
  }

  // Nest registers each route by its verb. A verb that is not here is served by nothing, and dispatch says so.
  override get(path: unknown, handler?: unknown): void {
    this.register('GET', path, handler);
  }
  override post(path: unknown, handler?: unknown): void {
    this.register('POST', path, handler);
  }
  override put(path: unknown, handler?: unknown): void {
    this.register('PUT', path, handler);
  }
  override patch(path: unknown, handler?: unknown): void {
    this.register('PATCH', path, handler);
  }
  override delete(path: unknown, handler?: unknown): void {
    this.register('DELETE', path, handler);
  }

  private register(method: string, path: unknown, handler: unknown): void {
    const template = String(path).replace(/:([^/]+)/g, '{$1}');
    this.handlers.set(`${method} ${template}`, handler as RouteHandler);
  }

  /** Runs the handler of an operation. Whatever it throws has become a problem already, or else it is ours. */
  dispatch(operation: Operation, request: IncomingMessage, response: ServerResponse): void {
    const handler = this.handlers.get(`${operation.method} ${operation.path}`);
    const { onFailure } = this.edge;
    const failed = (error: unknown): void => onFailure(error, response);
    if (handler === undefined) failed(new TypeError(`nothing serves ${operation.method} ${operation.path}`));
    else
      handler(request, response, () => failed(new TypeError('a handler passed its request on'))).catch(
        failed,
      );
  }

  override initHttpServer(options: NestApplicationOptions): void {
    super.initHttpServer(options);
    this.httpServer.removeAllListeners('request');
    this.httpServer.on('request', this.edge.admit);
  }

  override use(): never {
    throw new TypeError(
      'The edge runs no middleware: guards, filters and libs/platform/edge take its place.',
    );
  }

  /** Admission answers what has no route, the ProblemFilter what fails. */
  override setNotFoundHandler(): this {
    return this;
  }

  override setErrorHandler(): this {
    return this;
  }

  override status(response: ServerResponse, statusCode: number): ServerResponse {
    response.statusCode = statusCode;
    return response;
  }

  override getHeader(response: ServerResponse, name: string): ReturnType<ServerResponse['getHeader']> {
    return response.getHeader(name);
  }

  override setHeader(response: ServerResponse, name: string, value: string): ServerResponse {
    return response.setHeader(name, value);
  }

  override appendHeader(response: ServerResponse, name: string, value: string): ServerResponse {
    return response.appendHeader(name, value);
  }

  override reply(response: ServerResponse, body: unknown, statusCode?: number): unknown {
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (body instanceof BytesAnswer) {
      const awaited = this.durability && awaitedStatus(response, body, this.durability);
      if (awaited !== undefined) {
        return awaited.then(
          (status) => sendBytes(response, body, status),
          (error: unknown) => this.edge.onFailure(error, response),
        );
      }
      return sendBytes(response, body, body.status);
    }
    if (body instanceof NdjsonAnswer) {
      const { stalledReaderMs, onFailure } = this.edge;
      return sendLines(response, body.pages, stalledReaderMs).catch((error: unknown) =>
        onFailure(error, response),
      );
    }
    if (body === undefined || body === null) return response.end();
    return send(response, 'application/json', JSON.stringify(body));
  }
}

function sendBytes(response: ServerResponse, answer: BytesAnswer, status: number): ServerResponse {
  response.statusCode = status;
  return send(response, answer.contentType, answer.body);
}

function send(response: ServerResponse, type: string, body: string | Uint8Array): ServerResponse {
  setContentType(response, type);
  // Node counts the bytes that it sends, and for HEAD those are none (RFC 9110 section 9.3.2).
  if (response.req.method === 'HEAD') response.setHeader('Content-Length', Buffer.byteLength(body));
  return response.end(body);
}

function setContentType(response: ServerResponse, type: string): void {
  if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', type);
}

/** Waits for a slow reader instead of buffering for it, and stops reading the source when the reader is gone. */
async function sendLines(
  response: ServerResponse,
  pages: AsyncIterable<readonly Uint8Array[]>,
  stalledReaderMs: number,
): Promise<void> {
  setContentType(response, 'application/x-ndjson');
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.setTimeout(stalledReaderMs, () => response.destroy());
  for await (const page of pages) {
    if (response.destroyed || gone.signal.aborted) return;
    const lines: Uint8Array[] = [];
    for (const document of page) lines.push(document, NEWLINE);
    if (response.write(Buffer.concat(lines))) continue;
    try {
      await once(response, 'drain', { signal: gone.signal });
    } catch {
      return;
    }
  }
  response.end();
}
