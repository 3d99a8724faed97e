import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type RequestObserver, runInLogContext } from '#platform/process';
import { endServing } from './request-span';
import { type Contract, type PlacedRoute } from './contract/contract';
import { type Operation } from './contract/operation';
import { HttpEdgeError } from './http-edge.error';
import { type AccessRules } from './access/access-rules';
import { judgeBy } from './access/rules-of-listener';
import { type BodyBudget } from './input/read-body';
import { type EdgeRequest } from './input/input.guard';
import { decodePath } from './input/parse-parameters';
import { type StaticPages } from './pages/static-pages';
import { type ProblemWriter } from './problems/problem-writer';
import { type WriteGate } from './mode.guard';
import { attachContext, contextOf, RequestContext } from './request-context';
import { expectsContinue, originFormOf } from './request-form';

/** A plain token: nothing that could break out of a log line or a header. */
const REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** Routes outside the document share one label, or any caller could create metrics without limit. */
const UNKNOWN_ROUTE = 'unknown';
const SITE_ROUTE = 'site';
const KNOWN_METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Headers for an API that answers machines: nothing to sniff, frame, cache or leak. */
const SECURITY_HEADERS = new Map([
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'"],
  ['Referrer-Policy', 'no-referrer'],
  ['Strict-Transport-Security', 'max-age=31536000'],
  ['X-Content-Type-Options', 'nosniff'],
]);

export interface AdmissionOptions {
  readonly contract: Contract;
  readonly writer: ProblemWriter;
  readonly observer: RequestObserver;
  readonly budget: BodyBudget;
  readonly maxConcurrent: number;
  /** Runs the operation's handler. */
  readonly dispatch: (operation: Operation, request: IncomingMessage, response: ServerResponse) => void;
  /** Pages for everyone, beside the document. */
  readonly pages?: StaticPages | undefined;
}

/** One of an app's listeners, as admission tells them apart. */
export interface Door {
  /** Rules for who may use which route, where they are not those of the app. */
  readonly access?: AccessRules;
  /** Answers requests that the document does not describe; without it they get "not found". */
  readonly site?: RequestListener;
  /** Scheme under which the listener is reached. */
  readonly scheme: 'https' | 'http';
}

/** The listener for services: mutual TLS, and nothing but the document's operations. */
export const SERVICE_DOOR: Door = Object.freeze({ scheme: 'https' });

/** Headers of a listener that browsers must not be told to reach by TLS alone. */
const PLAIN_HEADERS = new Map(SECURITY_HEADERS);
PLAIN_HEADERS.delete('Strict-Transport-Security');

/** First to see a request: gives it an id and a context, finds its operation, and limits the number of requests. */
export class Admission {
  private running = 0;
  private draining: (() => void) | undefined;
  /** Set once the app's modules exist. */
  gate: WriteGate | undefined;

  constructor(private readonly options: AdmissionOptions) {}

  /** Makes every answer from now on close its connection; calls `onFinished` after each request that ends. */
  drain(onFinished: () => void): void {
    this.draining = onFinished;
  }

  get inFlight(): number {
    return this.running;
  }

  /** @returns what serves the requests of one listener */
  at(door: Door): RequestListener {
    return (request, response) => this.admit(request, response, door);
  }

  private admit(request: IncomingMessage, response: ServerResponse, door: Door): void {
    const { access, site } = door;
    const context = new RequestContext(requestIdOf(request), request);
    attachContext(request, context);
    const edge: EdgeRequest['edge'] = { bodyBytes: 0, pathValues: [] };
    (request as EdgeRequest).edge = edge;
    if (access !== undefined) judgeBy(access, request);
    response.setHeaders(door.scheme === 'https' ? SECURITY_HEADERS : PLAIN_HEADERS);
    response.setHeader('X-Request-Id', context.requestId);
    if (this.gate !== undefined) response.setHeader('Kernel-Mode', this.gate.mode());
    if (this.draining !== undefined) response.setHeader('Connection', 'close');
    if (expectsContinue(request)) this.awaitBody(edge, response);
    response.on('close', this.onClose);
    this.options.observer.setInFlight(++this.running);

    const { span } = context;
    const serve = (): void => {
      const { pages, writer } = this.options;
      let operation: Operation;
      try {
        const match = this.place(request, response, door);
        if (match === undefined) {
          if (pages?.answer(request, response) === true) {
            edge.proceed?.();
            return;
          }
          if (site !== undefined) {
            edge.proceed?.();
            edge.site = true;
            return site(request, response);
          }
          throw new HttpEdgeError('not_found', 'There is no such route; the OpenAPI document lists them.');
        }
        operation = context.operation = match.operation;
        edge.pathValues = decodePath(operation, match.pathValues);
      } catch (error) {
        writer.write(error, request, response);
        return;
      }
      this.options.dispatch(operation, request, response);
    };
    runInLogContext(context, span === undefined ? serve : () => span.run(serve));
  }

  private place(request: IncomingMessage, response: ServerResponse, door: Door): PlacedRoute | undefined {
    if (this.running > this.options.maxConcurrent) {
      throw new HttpEdgeError('overloaded', 'As many requests are running as this process takes at a time.', {
        limit: this.options.maxConcurrent,
      });
    }
    const url = this.targetOf(request, response, door);
    if (url === '*') {
      response.setHeader('Allow', [...this.options.contract.methods].join(', '));
      throw new HttpEdgeError('method_not_allowed', 'There is nothing to ask of the server as a whole.');
    }
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const match = this.options.contract.match(request.method ?? '', path);
    if (match !== undefined && 'allowed' in match) {
      const methods = match.allowed.join(', ');
      response.setHeader('Allow', methods);
      throw new HttpEdgeError('method_not_allowed', `This route answers ${methods}.`);
    }
    return match;
  }

  /** The target in origin-form, in the request from then on too. @throws HttpEdgeError */
  private targetOf(request: IncomingMessage, response: ServerResponse, { scheme }: Door): string {
    try {
      return (request.url = originFormOf(request, scheme));
    } catch (error) {
      // What follows a message whose form is not understood may be part of it.
      response.setHeader('Connection', 'close');
      throw error;
    }
  }

  /** Has the body sent only when it is read; an answer before that ends the connection, on which it may still come. */
  private awaitBody(edge: EdgeRequest['edge'], response: ServerResponse): void {
    response.setHeader('Connection', 'close');
    edge.proceed = () => {
      delete edge.proceed;
      if (this.draining === undefined) response.removeHeader('Connection');
      response.writeContinue();
    };
  }

  /** One function for all responses instead of one for each; `this` is the response. */
  private readonly onClose = ((admission: Admission) =>
    function (this: ServerResponse): void {
      admission.finished(this);
    })(this);

  private finished(response: ServerResponse): void {
    const request = response.req as EdgeRequest;
    this.options.observer.setInFlight(--this.running);
    this.options.budget.give(request.edge.bodyBytes);
    request.edge.bodyBytes = 0;
    if (this.draining !== undefined) setImmediate(this.draining);
    const context = contextOf(request);
    if (context === undefined) return;
    const method = request.method ?? '';
    const record = {
      requestId: context.requestId,
      traceId: context.traceId,
      method: KNOWN_METHODS.has(method) ? method : 'other',
      route: context.operation?.path ?? (request.edge.site === true ? SITE_ROUTE : UNKNOWN_ROUTE),
      status: response.headersSent ? response.statusCode : 499,
      ms: performance.now() - context.startedAt,
      principalId: context.principalId,
      eventIds: context.eventIds,
      errorId: context.errorId,
      ...(!response.writableFinished && { aborted: true }),
    };
    const traceRecorded = endServing(context, request, record);
    this.options.observer.answered({ ...record, traceRecorded });
  }
}

function requestIdOf(request: IncomingMessage): string {
  const sent = request.headers['x-request-id'];
  return typeof sent === 'string' && REQUEST_ID.test(sent) ? sent : randomUUID();
}
