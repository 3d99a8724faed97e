import 'reflect-metadata';
import { type ServerResponse } from 'node:http';
import { type HttpServer } from '@nestjs/common';
import { type PolicyGuard } from './access/policy.guard';
import { accessOf, type RequestAccess } from './access/request-access';
import { type RouteHandler } from './contract.adapter';
import { type BodyReader, type EdgeRequest, type InputGuard } from './input/input.guard';
import { type ModeGuard } from './mode.guard';
import { contextOf, type RequestContext } from './request-context';
import { type ControllerRoute } from './route-parity';

const DIRECT = Symbol('direct route');
/** Nest's own metadata keys for @HttpCode and @Header. */
const STATUS_METADATA = '__httpCode__';
const HEADERS_METADATA = '__headers__';

export interface DirectOptions {
  /**
   * Replaces strict JSON and the document's schema; together with the handler it has to refuse all that the schema
   * refuses.
   */
  readonly read?: BodyReader;
}

/** Argument of a direct route. */
export interface DirectCall {
  /** The caller, and what they may touch; undefined on a public route for a caller without a name. */
  readonly access: RequestAccess | undefined;
  readonly context: RequestContext;
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/**
 * Method decorator for a route with thousands of requests a second: policy, mode and input are checked as on every
 * route, but Nest's own pipeline (parameters, pipes, interceptors), which costs 12 us a request, is skipped. The method
 * takes one DirectCall; @HttpCode and @Header apply.
 */
export const Direct =
  (options: DirectOptions = {}): MethodDecorator =>
  (_target, _name, descriptor) =>
    Reflect.defineMetadata(DIRECT, options, descriptor.value as object);

export interface RouteGuards {
  readonly policy: PolicyGuard;
  readonly mode: ModeGuard;
  readonly input: InputGuard;
}

/** The controllers' direct routes, by method and template as the document spells them. */
export function directRoutes(
  routes: readonly ControllerRoute[],
  guards: RouteGuards,
  adapter: Pick<HttpServer<EdgeRequest, ServerResponse>, 'reply'>,
): Map<string, RouteHandler> {
  const found = new Map<string, RouteHandler>();
  for (const { method, path, policy, controller, handlerFunction } of routes) {
    const options = Reflect.getMetadata(DIRECT, handlerFunction) as DirectOptions | undefined;
    if (options === undefined || policy === undefined) continue;
    const status = (Reflect.getMetadata(STATUS_METADATA, handlerFunction) as number | undefined) ?? 200;
    const headers = (Reflect.getMetadata(HEADERS_METADATA, handlerFunction) ?? []) as {
      name: string;
      value: string;
    }[];
    const handle = handlerFunction as (call: DirectCall) => unknown;
    found.set(`${method} ${path}`, async (incoming, response) => {
      const request = incoming as EdgeRequest;
      await guards.policy.admit(request, policy);
      guards.mode.admit(request);
      await guards.input.accept(request, options.read);
      const { params, query, body } = request;
      const context = contextOf(request) as RequestContext;
      const answer = await handle.call(controller, {
        access: accessOf(request),
        context,
        params,
        query,
        body,
      });
      for (const { name, value } of headers) response.setHeader(name, value);
      await adapter.reply(response, answer, status);
    });
  }
  return found;
}
