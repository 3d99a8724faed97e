import { developmentSpiffeId } from '#dev/devstack';
import { type ProvisionedToken } from '#platform/signer';

export type Ports = Readonly<Record<string, { serves: number; management: number }>>;
export type Settings = Readonly<Record<string, string>>;

const ORIGIN = 'kernel.test/image';
export const SIGNING_KEYS = [
  { kid: 'kernel-audit-ed25519-v1', purpose: 'audit' },
  { kid: 'kernel-manifest-ed25519-v1', purpose: 'manifest' },
  { kid: 'kernel-checkpoint-ed25519-v1', purpose: 'checkpoint' },
] as const;

/** The settings of a process, without those that the image has (NODE_ENV=production, OPENAPI_PATH). */
export function settingsOf(
  name: string,
  { ports, token }: { ports: Ports; token: ProvisionedToken },
): Settings {
  const { serves = 0, management = 0 } = ports[name] ?? {};
  const managed = { KERNEL_MANAGEMENT_HOST: '127.0.0.1', KERNEL_MANAGEMENT_PORT: String(management) };
  const tls = {
    KERNEL_TLS_CERT_FILE: '/etc/kernel/tls/tls.crt',
    KERNEL_TLS_KEY_FILE: '/etc/kernel/tls/tls.key',
    KERNEL_TLS_CLIENT_CA_FILE: '/etc/kernel/tls/ca.crt',
  };
  const signing = {
    KMS_ENDPOINT: `https://127.0.0.1:${ports['signing-proxy']?.serves}`,
    KMS_CA_FILE: '/etc/kernel/client/ca.crt',
    KMS_CLIENT_CERT_FILE: '/etc/kernel/client/tls.crt',
    KMS_CLIENT_KEY_FILE: '/etc/kernel/client/tls.key',
  };
  const database = { KERNEL_ORIGIN: ORIGIN, DATABASE_URL_FILE: '/etc/kernel/secrets/DATABASE_URL' };
  // No Kafka and no S3 here, so the workers are not in production, where nothing else is accepted.
  const worker = { ...database, ...managed, NODE_ENV: 'development' };
  const stream = { KERNEL_STREAM: 'postgres' };
  const archive = { KERNEL_ARCHIVE: 'fs', KERNEL_ARCHIVE_DIR: '/var/lib/kernel/archive' };
  switch (name) {
    case 'migrate':
      return {
        KERNEL_ORIGIN: ORIGIN,
        DATABASE_OWNER_URL_FILE: '/etc/kernel/secrets/DATABASE_OWNER_URL',
        KERNEL_RUNTIME_ROLE: 'image_runtime',
        KERNEL_WORKER_ROLE: 'image_worker',
      };
    case 'kernel':
      return {
        ...database,
        ...managed,
        ...tls,
        ...signing,
        KERNEL_ROW_KEY_FILE: '/etc/kernel/secrets/KERNEL_ROW_KEY',
        KERNEL_API_HOST: '127.0.0.1',
        KERNEL_API_PORT: String(serves),
        KERNEL_ROLE_BINDINGS: JSON.stringify([
          { spiffe: developmentSpiffeId('dev-operator'), role: 'Operator' },
        ]),
        KERNEL_ALLOW_SOFTHSM: 'true',
      };
    case 'signing-proxy':
      return {
        ...managed,
        ...tls,
        KERNEL_ORIGIN: ORIGIN,
        KERNEL_LISTEN_HOST: '127.0.0.1',
        KERNEL_LISTEN_PORT: String(serves),
        KERNEL_SIGNING_CLIENTS: JSON.stringify([
          { cn: 'kernel', purposes: ['audit-event', 'manifest', 'signer-possession'] },
          { cn: 'log-publisher', purposes: ['log-checkpoint'] },
          { cn: 'archiver', purposes: ['archive-day'] },
          { cn: 'auditor', purposes: ['audit-report'] },
        ]),
        KERNEL_SIGNING_KEYS: JSON.stringify(
          SIGNING_KEYS.map(({ kid, purpose }) => ({ kid, purposes: [purpose] })),
        ),
        KERNEL_SIGNING_MARKS_DIR: '/var/lib/kernel/marks',
        KERNEL_SIGNER: 'pkcs11',
        KERNEL_PKCS11_MODULE: token.modulePath,
        KERNEL_PKCS11_TOKEN_LABEL: token.tokenLabel,
        KERNEL_PKCS11_PIN_FILE: token.pinFile,
        KERNEL_ALLOW_SOFTHSM: 'true',
        ...token.environment,
      };
    case 'witness':
      return { KERNEL_WITNESS_DIR: '/var/lib/kernel/witness' };
    case 'outbox-relay':
    case 'indexer':
      return { ...worker, ...stream };
    case 'auditor':
      return { ...worker, ...archive, ...signing };
    case 'log-publisher':
      return {
        ...worker,
        ...stream,
        ...archive,
        ...signing,
        KERNEL_LOG_LISTEN_HOST: '127.0.0.1',
        KERNEL_LOG_LISTEN_PORT: String(serves),
      };
    default:
      return { ...worker, ...stream, ...archive, ...signing };
  }
}
