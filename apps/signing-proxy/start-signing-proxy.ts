import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { NestLogger, startManagementServer } from '#platform/process';
import { KeyMaking } from './keys/key-making';
import { BackendsHealth } from './public/backends-health';
import { readJson } from './read-json';
import { SignDoor } from './sign/sign-door';
import { SigningMetrics } from './signing.metrics';
import { SigningProxyModule } from './signing-proxy.module';
import { type SigningProxyOptions } from './signing-proxy.options';
import { CertificateReload, secureContextOf, type TlsMaterial } from './tls/certificate-reload';

export interface SigningProxyServerOptions extends SigningProxyOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tls: TlsMaterial;
  /** Reads the same anew, to see whether it has changed; without it a restart is needed. */
  readTls?: () => TlsMaterial;
  management: { host: string; port: number };
}

export interface RunningSigningProxy {
  port: number;
  managementPort: number;
  server: Server;
  /** Looks now whether the TLS files have changed. */
  reloadTls(): void;
  /** Turns /ready red, finishes what is being signed, then closes ports and backends. */
  close(): Promise<void>;
}

/** Longer than the client's own 30 s, so that it is the client who closes idle connections and no request is lost to it. */
const KEEP_ALIVE_MS = 65_000;
/** A request is at most a few megabytes from near by. */
const REQUEST_TIMEOUT_MS = 10_000;
/** For what is being signed at the end; no caller waits that long. */
const DRAIN_MS = 5_000;
/** Each kernel process needs a handful. */
const MAX_CONNECTIONS = 1_000;

/** Starts the proxy on backends that are open already; it closes them when it is closed. */
export async function startSigningProxy(options: SigningProxyServerOptions): Promise<RunningSigningProxy> {
  const httpsOptions = {
    ...secureContextOf(options.tls),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: REQUEST_TIMEOUT_MS,
  };
  const app = await NestFactory.create<NestExpressApplication<Server>>(
    SigningProxyModule.forRoot(options),
    new ExpressAdapter(),
    {
      logger: new NestLogger(options.logger.child({}, { level: 'warn' })),
      abortOnError: false,
      bodyParser: false,
      httpsOptions,
    },
  );
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(readJson());
  const server = app.getHttpServer();
  let draining = false;
  const door = app.get(SignDoor);
  const nest = app.getHttpAdapter().getInstance() as (request: unknown, response: unknown) => void;
  server.removeAllListeners('request');
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    // A caller that always has something to sign would keep its connection, and with it the process, for ever.
    if (draining) response.setHeader('Connection', 'close');
    if (!door.opened(request, response)) nest(request, response);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const metrics = app.get(SigningMetrics);
  server.on('tlsClientError', (error) => {
    metrics.refused('tls_handshake');
    options.logger.debug({ reason: error.message }, 'TLS handshake failed');
  });
  const backends = app.get(BackendsHealth);
  await app
    .get(KeyMaking)
    .look()
    .catch(async (error: unknown) => {
      await app.close();
      throw error;
    });
  await app.listen(options.port, options.host);
  const management = await startManagementServer({
    ...options.management,
    logger: options.logger,
    checks: {
      'signing backends': async () => {
        const health = await backends.check();
        const failing = health.backends.filter(({ ok }) => !ok);
        if (failing.length > 0)
          throw new Error(failing.map(({ name, detail }) => `${name}: ${detail}`).join('; '));
        return Object.fromEntries(health.backends.map(({ name, detail }) => [name, detail]));
      },
      'high-water marks': async () => {
        await options.marks?.marks();
      },
    },
  });
  const { readTls, tls, logger } = options;
  const reload = readTls && new CertificateReload(server, readTls, tls, logger);
  return {
    port: (server.address() as AddressInfo).port,
    managementPort: management.port,
    server,
    reloadTls: () => reload?.look(),
    close: async () => {
      reload?.close();
      management.drain();
      draining = true;
      const deadline = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await app.close();
      clearTimeout(deadline);
      await Promise.all(options.backends.map((backend) => backend.close()));
      await options.marks?.close();
      await options.made?.close();
      await management.close();
    },
  };
}
