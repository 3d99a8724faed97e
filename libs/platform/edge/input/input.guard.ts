import { type IncomingMessage } from 'node:http';
import { type TLSSocket } from 'node:tls';
import { type CanActivate, type ExecutionContext } from '@nestjs/common';
import { accessOf } from '../access/request-access';
import { parseStrictJson, type JsonValue } from '#evidence';
import { traced } from '#platform/tracing';
import { type RequestBody } from '../contract/operation';
import { describeErrors } from '../contract/describe-errors';
import { HttpEdgeError } from '../http-edge.error';
import { contextOf, type RequestContext } from '../request-context';
import { checkHeaders, parsePath, parseQuery } from './parse-parameters';
import { problemsWith } from './absent-members';
import { assertFits, readBody, type BodyAccount, type BodyBudget } from './read-body';

/** Earlier findings of the edge, and what it hands to the handler. */
export interface EdgeRequest extends IncomingMessage {
  socket: TLSSocket;
  edge: BodyAccount & {
    pathValues: readonly string[];
    /** Has the client send its body, where it waits to be told (RFC 9110 section 10.1.1). */
    proceed?: () => void;
    /** Whether pages answer it, and not an operation of the document. */
    site?: boolean;
  };
  params: Record<string, unknown>;
  query: Record<string, unknown>;
  body: JsonValue | undefined;
}

/** Reads the bytes of a body; an error from it is the answer. */
export type BodyReader = (bytes: Buffer) => unknown;

const JSON_CONTENT_TYPE = /^application\/json(\s*;\s*charset\s*=\s*"?utf-8"?)?\s*$/i;

/**
 * Parses and checks parameters, headers and body against the document; a handler may rely on what passes. Runs after
 * the PolicyGuard, so that no body is read for a caller who may not use the route.
 */
export class InputGuard implements CanActivate {
  constructor(
    private readonly budget: BodyBudget,
    private readonly bodyLimit: number,
  ) {}

  canActivate(execution: ExecutionContext): true | Promise<true> {
    return this.accept(execution.switchToHttp().getRequest<EdgeRequest>());
  }

  /** @param read replaces strict JSON and the document's schema */
  accept(request: EdgeRequest, read?: BodyReader): true | Promise<true> {
    return traced('validate', () => this.check(request, read));
  }

  private check(request: EdgeRequest, read: BodyReader | undefined): true | Promise<true> {
    const context = contextOf(request);
    const operation = context?.operation;
    if (context === undefined || operation === undefined) {
      throw new HttpEdgeError('not_found', 'There is no such route.');
    }
    const principal = accessOf(request)?.principal;
    if (principal !== undefined) context.principal = principal;

    const url = request.url ?? '';
    const mark = url.indexOf('?');
    request.params = parsePath(operation, request.edge.pathValues);
    request.query = parseQuery(operation, mark < 0 ? '' : url.slice(mark + 1));
    checkHeaders(operation, request.headers);
    const key = request.headers['idempotency-key'];
    if (typeof key === 'string') context.idempotencyKey = key;

    if (operation.body === undefined) {
      if (hasBody(request)) {
        throw new HttpEdgeError(
          'invalid_request',
          'This route takes no body; send the request without one.',
          {
            pointer: '',
          },
        );
      }
      return true;
    }
    return this.readInput(request, operation.body, context, read);
  }

  private async readInput(
    request: EdgeRequest,
    expected: RequestBody,
    context: RequestContext,
    read: BodyReader | undefined,
  ): Promise<true> {
    if (!hasBody(request)) {
      if (!expected.required) return true;
      throw new HttpEdgeError('invalid_request', 'The body is missing; send a JSON object.', { pointer: '' });
    }
    requireJson(request);
    const limit = Math.min(this.bodyLimit, expected.maxBytes);
    assertFits(request, limit);
    request.edge.proceed?.();
    const bytes = await readBody(request, limit, this.budget, request.edge);
    if (read !== undefined) {
      request.body = read(bytes) as JsonValue;
      return true;
    }
    const body = parseStrictJson(bytes, {
      maxDepth: expected.maxDepth,
      maxValues: expected.maxValues,
    });
    const problems = problemsWith(expected.validate, body);
    if (problems !== null) {
      const { pointer, detail } = describeErrors(problems);
      throw new HttpEdgeError('invalid_request', detail, { pointer, operation: context.operation?.id });
    }
    request.body = body;
    return true;
  }
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

function requireJson(request: IncomingMessage): void {
  const type = request.headers['content-type'];
  if (type !== 'application/json' && (type === undefined || !JSON_CONTENT_TYPE.test(type))) {
    throw new HttpEdgeError(
      'unsupported_media_type',
      'Send the body as Content-Type: application/json, in UTF-8.',
    );
  }
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new HttpEdgeError('unsupported_media_type', 'Send the body without a Content-Encoding.');
  }
}
