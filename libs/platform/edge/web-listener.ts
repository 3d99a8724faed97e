import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type Socket } from 'node:net';
import { type Logger, type RequestObserver } from '#platform/process';
import { type AccessRules } from './access/access-rules';
import { answerRawRefusals } from './raw-refusals';
import { type ServiceLimits } from './service-limits';

/** PEM, as text or bytes. */
export interface WebTls {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/**
 * A second listener of an app, for people: the same operations, under rules of its own, and pages. Without certificates of
 * clients; where browsers reach it over TLS, that ends here or at a proxy before it.
 */
export interface WebListener {
  /** Rules for who may use which route here. */
  readonly access: AccessRules;
  /**
   * Answers requests that the document does not describe, for instance sign-in and pages: an Express app, or a separate
   * Nest app on Nest's adapter for Express. Middleware, sessions and passport work there as usual; of the edge's checks
   * only those of HTTP itself and the limit on concurrent requests apply to it.
   */
  readonly site: RequestListener;
  /** Scheme, host and port under which browsers reach it. */
  readonly origin: string;
  /** Without it the listener speaks HTTP. */
  readonly tls?: WebTls | undefined;
}

export interface WebServer {
  /** Resolves with the port, once connections are accepted. */
  listen(port: number, host: string): Promise<number>;
  /** Activates another certificate; connections stay. */
  renewTls(tls: WebTls): void;
}

/** A listening server with its end. */
export interface OpenWebServer extends WebServer {
  readonly server: Server;
}

export interface WebServerOptions {
  readonly listener: Pick<WebListener, 'tls'>;
  readonly limits: ServiceLimits;
  /** How often Node looks for requests that take too long. */
  readonly checkMs: number;
  readonly admit: RequestListener;
  readonly logger: Logger;
  readonly observer: RequestObserver;
}

/** TLS as browsers know it: 1.2 with forward secrecy too, since a person cannot choose the TLS of their device. */
function tlsOptions({ cert, key }: WebTls) {
  return { cert, key, minVersion: 'TLSv1.2' } satisfies ServerOptions;
}

export function openWebServer({
  listener: { tls },
  limits,
  checkMs,
  admit,
  logger,
  observer,
}: WebServerOptions): OpenWebServer {
  const http = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: checkMs,
    noDelay: true,
    // Admission answers it, with a problem.
    requireHostHeader: false,
  };
  const server =
    tls === undefined
      ? createServer(http, admit)
      : createTlsServer({ ...http, ...tlsOptions(tls), handshakeTimeout: limits.handshakeTimeoutMs }, admit);
  server.on('checkContinue', admit);
  server.on('checkExpectation', admit);
  server.maxConnections = limits.connections;
  answerRawRefusals(server, logger, (status) => observer.refusedRaw(status));
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    observer.handshakeFailed(socket.remoteAddress, error);
  });
  return {
    server,
    listen: async (port, host) => {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve();
        });
      });
      return (server.address() as AddressInfo).port;
    },
    renewTls: (renewed) => {
      if ('setSecureContext' in server) server.setSecureContext(tlsOptions(renewed));
    },
  };
}
