import { RequestMethod } from '@nestjs/common';
import { MetadataScanner, ModulesContainer } from '@nestjs/core';
import { type INestApplication } from '@nestjs/common';
import { policyOf, type RoutePolicy } from './access/policy.decorator';
import { type Contract } from './contract/contract';
import { HttpEdgeError } from './http-edge.error';

/** Nest's own metadata keys for controllers and their methods. */
const PATH_METADATA = 'path';
const METHOD_METADATA = 'method';

export interface ControllerRoute {
  readonly method: string;
  /** Template as in OpenAPI: `/kernel/audit/{id}`. */
  readonly path: string;
  /** `AuditController.find` */
  readonly handler: string;
  readonly policy: RoutePolicy | undefined;
  readonly controller: object;
  readonly handlerFunction: object;
}

/** Every route that the app's controllers declare, with its policy. */
export function controllerRoutes(app: INestApplication): ControllerRoute[] {
  const scanner = new MetadataScanner();
  const routes: ControllerRoute[] = [];
  for (const module of app.get(ModulesContainer).values()) {
    for (const { metatype, instance } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const handler = prototype[name];
        if (handler === undefined) continue;
        const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
        if (method === undefined) continue;
        for (const base of pathsOf(metatype)) {
          for (const path of pathsOf(handler)) {
            routes.push({
              method: RequestMethod[method],
              path: template(base, path),
              handler: `${metatype.name}.${name}`,
              policy: policyOf(handler),
              controller: instance,
              handlerFunction: handler,
            });
          }
        }
      }
    }
  }
  return routes;
}

function pathsOf(target: object): string[] {
  return [Reflect.getMetadata(PATH_METADATA, target) as string | string[]].flat();
}

function template(base: string, path: string): string {
  const segments = `${base}/${path}`.split('/').filter((segment) => segment !== '');
  return `/${segments.map((segment) => segment.replace(/^:(.+)$/, '{$1}')).join('/')}`;
}

/**
 * The document and the controllers must describe the same routes with the same policies, and each route must be
 * reachable: a template that is registered before a concrete path would catch its requests.
 *
 * @throws HttpEdgeError `routes_differ` naming every difference.
 */
export function assertRouteParity(contract: Contract, routes: readonly ControllerRoute[]): void {
  const differences: string[] = [];
  const served = new Map(routes.map((route) => [`${route.method} ${route.path}`, route]));
  const described = new Map(contract.operations.map((o) => [`${o.method} ${o.path}`, o]));
  for (const [key, route] of served) {
    const operation = described.get(key);
    if (route.policy === undefined) differences.push(`${key} (${route.handler}) declares no policy`);
    if (operation === undefined) differences.push(`${key} (${route.handler}) is not in the document`);
    else if (route.policy !== undefined && route.policy !== operation.policy) {
      differences.push(
        `${key} (${route.handler}) has the policy "${route.policy}", the document says "${operation.policy}"`,
      );
    }
  }
  for (const [key, operation] of described) {
    if (!served.has(key))
      differences.push(`${key} (${operation.id}) is in the document, and no controller serves it`);
  }
  for (const [index, route] of routes.entries()) {
    const earlier = routes.slice(0, index).find((other) => shadows(other, route));
    if (earlier !== undefined) {
      differences.push(
        `${route.method} ${route.path} (${route.handler}) is never reached: ${earlier.handler} comes first`,
      );
    }
  }
  if (differences.length === 0) return;
  throw new HttpEdgeError(
    'routes_differ',
    `The routes served and the OpenAPI document differ; bring them together:\n  ${differences.join('\n  ')}`,
    { differences },
  );
}

function shadows(earlier: ControllerRoute, later: ControllerRoute): boolean {
  if (earlier.method !== later.method) return false;
  const [a, b] = [earlier.path.split('/'), later.path.split('/')];
  return a.length === b.length && a.every((segment, i) => segment.startsWith('{') || segment === b[i]);
}
