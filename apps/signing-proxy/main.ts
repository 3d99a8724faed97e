import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig } from '#libs/config';
import { createLogger } from '#libs/observability';
import { SignerError } from '#libs/signer';
import { openMarks } from './marks/open-marks';
import { openBackend } from './open-backend';
import { signingProxyConfig } from './signing-proxy.config';
import { startSigningProxy } from './start-signing-proxy';
import { type TlsMaterial } from './tls/certificate-reload';

async function main(): Promise<void> {
  const config = loadConfig(signingProxyConfig);
  const logger = createLogger({ app: 'signing-proxy', level: config.logLevel });
  const backend = await openBackend(config, logger);
  const marks = await openMarks(config);
  const readTls = (): TlsMaterial => ({
    cert: readFileSync(config.tlsCertFile),
    key: readFileSync(config.tlsKeyFile),
    clientCa: readFileSync(config.tlsClientCaFile),
  });
  const proxy = await startSigningProxy({
    origin: config.origin,
    clients: config.signingClients,
    backends: [backend],
    marks,
    operators: config.signingOperators,
    logger,
    host: config.listenHost,
    port: config.listenPort,
    tls: readTls(),
    readTls,
    management: { host: config.managementHost, port: config.managementPort },
    guard: { timeoutMs: config.signerTimeoutMs },
  });
  logger.info(
    {
      port: proxy.port,
      managementPort: proxy.managementPort,
      backend: backend.name,
      kids: backend.keys().map(({ kid }) => kid),
    },
    'signing proxy is up',
  );
  if (backend.name === 'software') {
    logger.warn('Private keys are in files on this machine: for development only');
  }
  if (marks === undefined) {
    logger.warn('No high-water marks are kept: a database that is put back to an older state is not noticed');
  }
  process.on('SIGHUP', () => proxy.reloadTls());
  let closing = false;
  const stop = (signal: string): void => {
    if (closing) return;
    closing = true;
    logger.info({ signal }, 'shutting down');
    proxy.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'shutting down failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** Known causes have a sentence for the operator; anything else keeps its stack. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof SignerError) return error.message;
  const { syscall, code, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  if (syscall === 'listen') {
    return `it cannot listen on ${address}, port ${port} (${code}); stop what listens there or choose another port`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch((error: unknown) => {
  process.stderr.write(`signing-proxy: ${explain(error)}\n`);
  process.exit(1);
});
