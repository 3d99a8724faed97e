import { type Server } from 'node:https';
import {
  type Contract,
  createServiceApp,
  type ProblemObserver,
  type ServiceApp,
  type ServiceTls,
} from '#platform/edge';
import { type ManagementPlace, startManagementServer } from '#platform/process';
import { ClientAccess } from './clients/client-access';
import { KeyMaking } from './keys/key-making';
import { BackendsHealth } from './public/backends-health';
import { PROXY_PROBLEMS, PROXY_WORDING } from './proxy-problems';
import { SigningRefusal } from './refusal';
import { SigningMetrics } from './signing.metrics';
import { SigningProxyModule } from './signing-proxy.module';
import { type SigningProxyOptions } from './signing-proxy.options';

export interface SigningProxyServerOptions extends SigningProxyOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  tls: ServiceTls;
  management: ManagementPlace;
}

export interface RunningSigningProxy {
  port: number;
  managementPort: number;
  server: Server;
  contract: Contract;
  /** Puts other certificates, authorities and revocation lists into force; connections stay, unless theirs is refused now. */
  renewTls(tls: ServiceTls): void;
  /** Turns /ready red, finishes what is being signed, then closes ports and backends. */
  close(): Promise<void>;
}

/** The program and its contract are of one release. */
const CONTRACT = require.resolve('#openapi/signing-proxy.yaml');

/** A request is at most a few megabytes, from nearby. */
const REQUEST_TIMEOUT_MS = 10_000;
/** The document sets a lower limit for each route. */
const BODY_LIMIT_BYTES = 4 * 1024 * 1024;
/** All bodies that are held at one time: many times what may be in progress at once. */
const HELD_BODIES_BYTES = 64 * 1024 * 1024;
/** Time for what is being signed at the end; no caller waits that long. */
const DRAIN_MS = 5_000;
/** Each kernel process needs a handful. */
const MAX_CONNECTIONS = 1_000;

/** Starts the proxy on backends that are open already; it closes them when it is closed. */
export async function startSigningProxy(options: SigningProxyServerOptions): Promise<RunningSigningProxy> {
  const access = new ClientAccess(options);
  const service: ServiceApp = await createServiceApp(SigningProxyModule.forRoot(options), {
    tls: options.tls,
    access,
    openapiPath: CONTRACT,
    // Each batch has a line of its own: one more for its request would cost as much as a signature.
    logger: options.logger.child({}, { level: 'warn' }),
    problems: PROXY_PROBLEMS,
    wording: PROXY_WORDING,
    onProblem: (...problem) => refused(...problem),
    limits: {
      bodyBytes: BODY_LIMIT_BYTES,
      heldBodyBytes: HELD_BODIES_BYTES,
      connections: MAX_CONNECTIONS,
      headersTimeoutMs: REQUEST_TIMEOUT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    },
  });
  const { app, server } = service;
  const metrics = app.get(SigningMetrics);
  const refused = refusalObserver(options, access, metrics);
  server.on('tlsClientError', (error) => {
    metrics.refused('tls_handshake');
    options.logger.debug({ reason: error.message }, 'TLS handshake failed');
  });
  const backends = app.get(BackendsHealth);
  await app
    .get(KeyMaking)
    .look()
    .catch(async (error: unknown) => {
      await service.close();
      throw error;
    });
  const port = await service.listen(options.port, options.host);
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
  return {
    port,
    managementPort: management.port,
    server,
    contract: service.contract,
    renewTls: (renewed) => service.renewTls(renewed),
    close: async () => {
      management.drain();
      await service.close(DRAIN_MS);
      await Promise.all(options.backends.map((backend) => backend.close()));
      await options.marks?.close();
      await options.made?.close();
      await management.close();
    },
  };
}

/** A line in the log and a count for each refusal. The edge has logged anything else as a fault. */
function refusalObserver(
  { clients, logger }: SigningProxyOptions,
  access: ClientAccess,
  metrics: SigningMetrics,
): ProblemObserver {
  const nameOf = (request: Parameters<ProblemObserver>[2]): string | undefined => {
    try {
      return access.identify(request).commonName;
    } catch {
      return undefined;
    }
  };
  return (reason, error, request) => {
    if (reason === 'internal_error') return;
    const client = nameOf(request);
    // Names that the configuration does not know would make labels without end.
    metrics.refused(reason, clients.some(({ cn }) => cn === client) ? client : undefined);
    logger.warn(
      {
        client,
        reason,
        ...(error instanceof SigningRefusal && error.details),
        detail: error instanceof Error ? error.message : String(error),
      },
      'refused',
    );
  };
}
