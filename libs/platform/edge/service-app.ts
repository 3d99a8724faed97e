import { type Server as HttpServer } from 'node:http';
import { type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { type DynamicModule, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type AccessRules } from './access/access-rules';
import { PolicyGuard } from './access/policy.guard';
import { NestLogger, RequestObserver, type Logger, type Registry } from '#platform/process';
import { Admission, SERVICE_DOOR } from './admission';
import { type DurabilityWatch } from './await-durability';
import { loadContract } from './contract/load-contract';
import { type Contract } from './contract/contract';
import { ContractAdapter } from './contract.adapter';
import { directRoutes } from './direct-route';
import { InputGuard } from './input/input.guard';
import { BodyBudget } from './input/read-body';
import { EDGE_PROBLEMS } from './problems/edge-problems';
import { ProblemMap, type ErrorProblems } from './problems/problem-map';
import { ProblemFilter } from './problems/problem.filter';
import { type ProblemObserver, ProblemWriter, type ProblemWording } from './problems/problem-writer';
import { ModeGuard, type WriteGate } from './mode.guard';
import { type StaticPages } from './pages/static-pages';
import { answerRawRefusals } from './raw-refusals';
import { assertRouteParity, controllerRoutes } from './route-parity';
import { DEFAULT_LIMITS, type ServiceLimits } from './service-limits';
import { ServerTls, serverTlsOptions, type ServiceTls } from './tls/server-tls';
import { openWebServer, type OpenWebServer, type WebListener, type WebServer } from './web-listener';

/** How often Node looks for requests that take too long. */
const TIMEOUT_CHECK_MS = 1_000;

export interface ServiceAppOptions {
  readonly tls: ServiceTls;
  /** Rules for who may use which route. */
  readonly access: AccessRules;
  /** The document that every request is checked against. */
  readonly openapiPath: string;
  readonly logger: Logger;
  /** Problems for the errors of the app's modules. */
  readonly problems?: readonly ErrorProblems[];
  /** Default: the kernel's. */
  readonly wording?: ProblemWording;
  readonly onProblem?: ProblemObserver;
  readonly limits?: Partial<ServiceLimits>;
  /** Pages that everyone with a connection may read (`apiPages`). */
  readonly pages?: StaticPages;
  /** Returns the listener for people, made of the app's modules. Without it there is none. */
  readonly web?: (app: INestApplication) => WebListener | undefined | Promise<WebListener | undefined>;
  /** Returns the gate that refuses writes by the mode, from the app's modules. */
  readonly gate?: (app: INestApplication) => WriteGate;
  /** Returns the watch that serves the header Kernel-Await, from the app's modules. */
  readonly durability?: (app: INestApplication) => DurabilityWatch;
  /** Default: the process-wide one. */
  readonly registry?: Registry;
}

export interface ServiceApp {
  readonly app: INestApplication;
  readonly contract: Contract;
  readonly server: Server;
  /** The listener for people. */
  readonly web: WebServer | undefined;
  /** Resolves with the port, once connections are accepted. */
  listen(port: number, host: string): Promise<number>;
  /**
   * Activates other certificates, authorities and revocation lists; connections stay, unless their certificate is
   * refused now.
   */
  renewTls(tls: ServiceTls): void;
  /**
   * Stops accepting, lets running requests finish for at most `drainMs` (default 10,000), then closes the
   * connections that are left and shuts the modules down.
   */
  close(drainMs?: number): Promise<void>;
}

/**
 * A Nest app behind mutual TLS 1.3, with everything that architecture.md calls the edge. Fails, before it listens,
 * when the OpenAPI document is missing or invalid or does not describe exactly the routes of the controllers.
 *
 * @throws HttpEdgeError `invalid_contract`, `routes_differ`
 */
export async function createServiceApp(
  module: Type | DynamicModule,
  options: ServiceAppOptions,
): Promise<ServiceApp> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const contract = loadContract(options.openapiPath, options.access.policies);
  const writer = new ProblemWriter(
    new ProblemMap([...EDGE_PROBLEMS, ...(options.problems ?? [])]),
    options.logger,
    options.wording,
    options.onProblem,
  );
  const observer = new RequestObserver(options.logger, options.registry);
  const budget = new BodyBudget(limits.heldBodyBytes);
  const adapter: ContractAdapter = new ContractAdapter({
    stalledReaderMs: limits.stalledReaderMs,
    onFailure: (error, response) => writer.write(error, response.req, response),
    admit: (request, response) => services(request, response),
  });
  const admission = new Admission({
    contract,
    writer,
    observer,
    budget,
    maxConcurrent: limits.concurrentRequests,
    dispatch: (operation, request, response) => adapter.dispatch(operation, request, response),
    pages: options.pages,
  });
  const services = admission.at(SERVICE_DOOR);
  const httpsOptions = {
    ...serverTlsOptions(options.tls),
    handshakeTimeout: limits.handshakeTimeoutMs,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    noDelay: true,
    // Admission answers it, with a problem.
    requireHostHeader: false,
  };
  const app = await NestFactory.create(module, adapter, {
    logger: new NestLogger(options.logger),
    abortOnError: false,
    bodyParser: false,
    httpsOptions,
  });
  let gate: WriteGate | undefined;
  let web: OpenWebServer | undefined;
  const guards = {
    policy: new PolicyGuard(options.access),
    mode: new ModeGuard(() => gate),
    input: new InputGuard(budget, limits.bodyBytes),
  };
  // In this order: caller, mode, input.
  app.useGlobalGuards(guards.policy, guards.mode, guards.input);
  app.useGlobalFilters(new ProblemFilter(writer));
  try {
    const routes = controllerRoutes(app);
    assertRouteParity(contract, routes);
    await app.init();
    adapter.bind(contract, directRoutes(routes, guards, adapter));
    adapter.durability = options.durability?.(app);
    gate = options.gate?.(app);
    admission.gate = gate;
    const listener = await options.web?.(app);
    if (listener !== undefined) {
      const scheme = listener.origin.startsWith('https:') ? 'https' : 'http';
      const { access, site } = listener;
      const admit = admission.at({ access, site, scheme });
      web = openWebServer({
        listener,
        limits,
        checkMs: TIMEOUT_CHECK_MS,
        admit,
        logger: options.logger,
        observer,
      });
    }
  } catch (error) {
    // The modules may already hold connections; the reason of the failed start matters more than a failure to close
    // them.
    await app.close().catch((reason: unknown) => options.logger.warn({ err: reason }, 'could not close'));
    throw error;
  }

  const server = app.getHttpServer() as Server;
  server.maxConnections = limits.connections;
  const tls = new ServerTls(server, options.tls, options.logger);
  answerRawRefusals(server, options.logger, (status) => observer.refusedRaw(status));
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    observer.handshakeFailed(socket.remoteAddress, error);
  });

  return {
    app,
    contract,
    server,
    web,
    renewTls: (renewed) => tls.renew(renewed),
    listen: async (port, host) => {
      await app.listen(port, host);
      return (server.address() as AddressInfo).port;
    },
    close: async (drainMs = 10_000) => {
      adapter.endStreams();
      await adapter.durability?.release();
      const servers: HttpServer[] = web === undefined ? [server] : [server, web.server];
      await close(app, servers, admission, drainMs);
    },
  };
}

async function close(
  app: INestApplication,
  servers: readonly HttpServer[],
  admission: Admission,
  drainMs: number,
): Promise<void> {
  // A keep-alive connection becomes idle only when its last answer is sent.
  admission.drain(() => {
    for (const server of servers) server.closeIdleConnections();
  });
  await Promise.all(servers.map((server) => closeServer(server, drainMs)));
  await app.close();
}

async function closeServer(server: HttpServer, drainMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), drainMs);
  await closed;
  clearTimeout(deadline);
}
