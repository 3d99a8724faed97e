/** Holds the signing backends, the only process that reaches the keys; signs what parses as its purpose. */
import { openServerTls } from '#platform/edge';
import { managementOf, runApp, sizeThreadPool } from '#platform/process';
import { SignerError } from '#platform/signer';
import { openMadeKeys } from './keys/open-made-keys';
import { openMarks } from './marks/open-marks';
import { openBackend } from './open-backend';
import { signingProxyConfig } from './signing-proxy.config';
import { startSigningProxy } from './start-signing-proxy';

sizeThreadPool();
runApp({
  name: 'signing-proxy',
  config: signingProxyConfig,
  explained: [SignerError],
  async start(config, { logger, onStop }) {
    const backend = await openBackend(config, logger);
    let close = (): Promise<unknown> => backend.close();
    onStop(() => close());
    const marks = await openMarks(config);
    close = () => Promise.all([backend.close(), marks?.close()]);
    const made = await openMadeKeys(config);
    close = () => Promise.all([backend.close(), marks?.close(), made?.close()]);
    const tls = openServerTls('signing_proxy', config, logger);
    onStop(async () => tls.close());
    const proxy = await startSigningProxy({
      origin: config.origin,
      shards: config.shards,
      clients: config.signingClients,
      backends: [backend],
      marks,
      operators: config.signingOperators,
      made,
      keyMakers: config.signingKeyMakers,
      maxMadeKeys: config.signingMaxMadeKeys,
      logger,
      host: config.listenHost,
      port: config.listenPort,
      tls: tls.current,
      management: managementOf(config),
      guard: { timeoutMs: config.signerTimeoutMs },
    });
    // Closes the backend, the marks and the list of keys too, after the requests that are under way.
    close = () => proxy.close();
    tls.onRenewal((renewed) => proxy.renewTls(renewed));
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
      logger.warn(
        'No high-water marks are kept: a database that is put back to an older state is not noticed',
      );
    }
  },
});
