import {
  certificateFile,
  type Config,
  type Logger,
  type MemberDefinition,
  readableFile,
  TlsFiles,
} from '#platform/process';
import { readRevocationLists, revocationListFile } from './revocation-lists';

/** The certificates of a server; spread into the app's own `defineConfig`. */
export const serverTlsSettings = (whose: string) =>
  ({
    KERNEL_TLS_CERT_FILE: { schema: certificateFile(), description: `${whose} certificate chain (PEM).` },
    KERNEL_TLS_KEY_FILE: { schema: readableFile(), description: 'Its private key (PEM).' },
    KERNEL_TLS_CLIENT_CA_FILE: {
      schema: certificateFile('authorities'),
      description:
        'The authorities (PEM) whose client certificates are accepted; all others fail the handshake.',
    },
    KERNEL_TLS_CLIENT_CRL_FILE: {
      schema: revocationListFile().optional(),
      description:
        'Revocation lists (PEM) of those authorities, one of each. Who is on one is refused, on open connections too; once a list has ended, all new connections of its authority are.',
    },
  }) as const satisfies Record<string, MemberDefinition>;

/** Opens the files that these settings name, for a server that follows them: pass their renewals to `renew`. */
export function openServerTls(
  use: string,
  {
    tlsCertFile,
    tlsKeyFile,
    tlsClientCaFile,
    tlsClientCrlFile,
  }: Config<ReturnType<typeof serverTlsSettings>>,
  logger: Logger,
) {
  const paths = { cert: tlsCertFile, key: tlsKeyFile, ca: tlsClientCaFile, crl: tlsClientCrlFile };
  return new TlsFiles({ use, paths, readLists: readRevocationLists, logger });
}
