import { readFileSync } from 'node:fs';
import { ConfigError, loadConfig } from '#libs/config';
import { createLogger } from '#libs/observability';
import { SignerError } from '#libs/signer';
import { openBackend } from './open-backend';
import { signingProxyConfig } from './signing-proxy.config';
import { startSigningProxy } from './start-signing-proxy';

async function main(): Promise<void> {
  const config = loadConfig(signingProxyConfig);
  const logger = createLogger({ app: 'signing-proxy', level: config.logLevel });
  const backend = await openBackend(config, logger);
  const proxy = await startSigningProxy({
    origin: config.origin,
    clients: config.signingClients,
    backends: [backend],
    logger,
    host: config.listenHost,
    port: config.listenPort,
    tls: {
      cert: readFileSync(config.tlsCertFile),
      key: readFileSync(config.tlsKeyFile),
      clientCa: readFileSync(config.tlsClientCaFile),
    },
    management: { host: config.managementHost, port: config.managementPort },
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

main().catch((error: unknown) => {
  // Known causes have a sentence for the operator; anything else keeps its stack.
  const known = error instanceof ConfigError || error instanceof SignerError;
  process.stderr.write(
    `signing-proxy: ${known ? error.message : ((error as Error).stack ?? String(error))}\n`,
  );
  process.exit(1);
});
