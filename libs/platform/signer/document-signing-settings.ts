import { readFileSync } from 'node:fs';
import { certificateFile, type Config, type MemberDefinition, readableFile, url } from '#platform/process';
import { type DocumentPurpose } from './document-signer';
import { SigningProxyClient } from './signing-proxy.client';

/** How a worker reaches the signing proxy for its documents; spread into the app's own `defineConfig`. */
export const documentSigningSettings = (purpose: DocumentPurpose, what: string) =>
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

/** Documents are no caller's request: they can wait for a token that is busy. */
const SIGNING_TIMEOUT_MS = 10_000;

export function openDocumentProxy(
  config: Config<ReturnType<typeof documentSigningSettings>>,
): SigningProxyClient {
  return new SigningProxyClient({
    url: config.kmsEndpoint,
    ca: readFileSync(config.kmsCaFile),
    cert: readFileSync(config.kmsClientCertFile),
    key: readFileSync(config.kmsClientKeyFile),
    timeoutMs: SIGNING_TIMEOUT_MS,
  });
}
