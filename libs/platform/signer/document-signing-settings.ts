import {
  certificateFile,
  type Config,
  type Logger,
  type MemberDefinition,
  readableFile,
  TlsFiles,
  url,
} from '#platform/process';
import { type DocumentPurpose } from './document-signer';
import { SigningProxyClient } from './signing-proxy.client';

/**
 * Settings with which a worker reaches the signing proxy for its documents; spread into the app's own `defineConfig`.
 */
export const documentSigningSettings = (purpose: DocumentPurpose | 'log-checkpoint', what: string) =>
  ({
    KMS_ENDPOINT: { schema: url('https'), description: `The signing proxy, for ${what}` },
    KMS_CA_FILE: {
      schema: certificateFile('authorities'),
      description: "The authority (PEM) of the signing proxy's certificate.",
    },
    KMS_CLIENT_CERT_FILE: {
      schema: certificateFile(),
      description: `This process's client certificate (PEM) for the signing proxy, which allows it ${purpose} and nothing else.`,
    },
    KMS_CLIENT_KEY_FILE: { schema: readableFile(), description: 'Its private key (PEM).' },
  }) as const satisfies Record<string, MemberDefinition>;

/** Documents are not a caller's request: they can wait for a busy token. */
const SIGNING_TIMEOUT_MS = 10_000;

type ProxySettings = Config<ReturnType<typeof documentSigningSettings>>;

/** A client of the signing proxy that follows its certificate files while they are renewed. */
export function openSigningProxyClient(
  config: ProxySettings,
  { logger, timeoutMs }: { logger: Logger; timeoutMs: number },
): SigningProxyClient {
  const tls = signingProxyTls(config, logger);
  return new SigningProxyClient({ url: config.kmsEndpoint, ...tls.current, renewals: tls, timeoutMs });
}

export function signingProxyTls(
  config: Pick<ProxySettings, 'kmsCaFile' | 'kmsClientCertFile' | 'kmsClientKeyFile'>,
  logger: Logger,
) {
  const paths = { ca: config.kmsCaFile, cert: config.kmsClientCertFile, key: config.kmsClientKeyFile };
  return new TlsFiles({ use: 'signing_proxy_client', paths, logger });
}

export function openDocumentProxy(config: ProxySettings, logger: Logger): SigningProxyClient {
  return openSigningProxyClient(config, { logger, timeoutMs: SIGNING_TIMEOUT_MS });
}
