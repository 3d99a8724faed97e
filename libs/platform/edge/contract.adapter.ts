import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { type NestApplicationOptions } from '@nestjs/common';
import { AbstractHttpAdapter } from '@nestjs/core';
import { whilePermitted } from './access/while-permitted';
import { BytesAnswer, EventStreamAnswer, NdjsonAnswer } from './answers';
import { awaitedStatus, type DurabilityWatch } from './await-durability';
import { type Contract } from './contract/contract';
import { type Operation } from './contract/operation';
import { contextOf } from './request-context';

const NEWLINE = Buffer.from('\n');

export interface StreamOptions {
  /** A reader that takes nothing for this long counts as gone. */
  readonly stalledReaderMs: number;
  /** Called when an answer fails, possibly after its head is out. */
  readonly onFailure: (error: unknown, response: ServerResponse) => void;
}

/**
 * Serves an operation: Nest's wrapper of a controller's method (guards, parameters, the method, the answer), or a
 * direct route.
 */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
) => Promise<unknown>;

export interface ContractAdapterOptions extends StreamOptions {
  /** Sees every request first, and passes those that the document describes to `dispatch`. */
  readonly admit: RequestListener;
}

/**
 * Nest's HTTP adapter with the OpenAPI document as its router (docs/adr/0008): the document names the operation of a
 * request, and the adapter looks up the handler that Nest made for it. Middleware belongs to pages, which have a
 * listener of their own (`WebListener.site`); an app that asks for it here does not start, rather than have it
 * silently not run.
 */
export class ContractAdapter extends AbstractHttpAdapter<Server, IncomingMessage, ServerResponse> {
  /** Handlers by method and template as the document spells them: `POST /kernel/sign`, `GET /kernel/audit/{id}`. */
  private readonly routes = new Map<string, RouteHandler>();
  private operations: ReadonlyMap<Operation, RouteHandler> = new Map();
  /** For callers that wait until their events are published or archived; set once the app's modules exist. */
  durability: DurabilityWatch | undefined;
  private readonly stopping = new AbortController();

  constructor(private readonly edge: ContractAdapterOptions) {
    super();
  }

  // Nest registers each route by its verb; a route with any other verb stops the start.
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
    this.routes.set(`${method} ${template}`, handler as RouteHandler);
  }

  /** Binds each operation of the document to its direct route, where one exists, else to Nest's handler. */
  bind(contract: Contract, direct: ReadonlyMap<string, RouteHandler>): void {
    this.operations = new Map(
      contract.operations.map((operation) => {
        const key = `${operation.method} ${operation.path}`;
        const handler = direct.get(key) ?? this.routes.get(key);
        if (handler === undefined) throw new TypeError(`nothing serves ${key}`);
        return [operation, handler];
      }),
    );
  }

  /** Runs the handler of an operation. An error from it has already become a problem, or else it is our fault. */
  dispatch(operation: Operation, request: IncomingMessage, response: ServerResponse): void {
    const failed = (error: unknown): void => this.edge.onFailure(error, response);
    const handler = this.operations.get(operation);
    if (handler === undefined) failed(new TypeError(`nothing serves ${operation.id}`));
    else
      handler(request, response, () => failed(new TypeError('a handler passed its request on'))).catch(
        failed,
      );
  }

  /** Ends what would never end by itself: event streams. Their readers go on at another process. */
  endStreams(): void {
    this.stopping.abort();
  }

  initHttpServer(options: NestApplicationOptions): void {
    this.httpServer = createServer(options.httpsOptions as ServerOptions, this.edge.admit);
    // Node would tell a client to send its body before anyone has looked at the request, and would answer an unknown
    // expectation without a problem.
    this.httpServer.on('checkContinue', this.edge.admit);
    this.httpServer.on('checkExpectation', this.edge.admit);
  }

  override listen(...args: unknown[]): Server {
    return this.httpServer.listen(...(args as [port: number, host: string, listening: () => void]));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.httpServer.close(() => resolve()));
  }

  getType(): string {
    return 'contract';
  }

  getRequestMethod(request: IncomingMessage): string | undefined {
    return request.method;
  }

  getRequestUrl(request: IncomingMessage): string | undefined {
    return request.url;
  }

  getRequestHostname(request: IncomingMessage): string | undefined {
    return request.headers.host;
  }

  isHeadersSent(response: ServerResponse): boolean {
    return response.headersSent;
  }

  status(response: ServerResponse, statusCode: number): ServerResponse {
    response.statusCode = statusCode;
    return response;
  }

  getHeader(response: ServerResponse, name: string): ReturnType<ServerResponse['getHeader']> {
    return response.getHeader(name);
  }

  setHeader(response: ServerResponse, name: string, value: string): ServerResponse {
    return response.setHeader(name, value);
  }

  appendHeader(response: ServerResponse, name: string, value: string): ServerResponse {
    return response.appendHeader(name, value);
  }

  redirect(response: ServerResponse, statusCode: number, url: string): ServerResponse {
    return response.writeHead(statusCode, { Location: url }).end();
  }

  end(response: ServerResponse, message?: string): ServerResponse {
    return response.end(message);
  }

  /** Admission answers requests without a route, the ProblemFilter failures. */
  setNotFoundHandler(): void {}
  setErrorHandler(): void {}
  /** The InputGuard reads bodies. */
  registerParserMiddleware(): void {}

  override use(): never {
    throw notHere('middleware');
  }
  createMiddlewareFactory(): never {
    throw notHere('middleware');
  }
  useStaticAssets(): never {
    throw notHere('static files');
  }
  setViewEngine(): never {
    throw notHere('views');
  }
  render(): never {
    throw notHere('views');
  }
  enableCors(): never {
    throw notHere('cross-origin requests');
  }
  applyVersionFilter(): never {
    throw notHere('versions by header');
  }

  reply(response: ServerResponse, body: unknown, statusCode?: number): unknown {
    if (statusCode !== undefined) response.statusCode = statusCode;
    if (body instanceof BytesAnswer) {
      if (body.eventIds.length > 0) contextOf(response.req)?.noteEvents(body.eventIds);
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
    if (body instanceof EventStreamAnswer) {
      const { stalledReaderMs, onFailure } = this.edge;
      return sendFrames(response, body, stalledReaderMs, this.stopping.signal).catch((error: unknown) =>
        onFailure(error, response),
      );
    }
    if (body === undefined || body === null) return response.end();
    return send(response, 'application/json', JSON.stringify(body));
  }
}

/** Waits for a slow reader, and drops one that takes nothing. */
async function sendFrames(
  response: ServerResponse,
  { frames }: EventStreamAnswer,
  stalledReaderMs: number,
  stopping: AbortSignal,
): Promise<void> {
  setContentType(response, 'text/event-stream');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const ended = AbortSignal.any([gone.signal, stopping, whilePermitted(response.req, gone.signal)]);
  const source = frames(ended)[Symbol.asyncIterator]();
  // The source is begun and ended all the same: it may hold something for its reader.
  if (response.destroyed || response.req.method === 'HEAD') {
    gone.abort();
    await source.next();
    await source.return?.();
    response.end();
    return;
  }
  // Proxies must not collect it; the connection serves nothing else after it.
  response.setHeader('X-Accel-Buffering', 'no');
  response.setTimeout(stalledReaderMs, () => response.destroy());
  response.flushHeaders();
  for await (const frame of { [Symbol.asyncIterator]: () => source }) {
    if (ended.aborted) break;
    if (response.write(frame)) continue;
    try {
      await once(response, 'drain', { signal: gone.signal });
    } catch {
      return;
    }
  }
  response.end();
}

function notHere(what: string): TypeError {
  return new TypeError(`The service API has no ${what}; give pages a listener of their own (site).`);
}

function sendBytes(response: ServerResponse, answer: BytesAnswer, status: number): ServerResponse {
  response.statusCode = status;
  // RFC 9110 section 8.6: a length in it would be taken for that of what the caller has.
  if (status === 304) return response.end();
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
