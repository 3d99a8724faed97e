import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ApproverPool, type SignerPurpose } from '#evidence';
import {
  ARCHIVER_CLIENT_COMMON_NAME,
  AUDITOR_CLIENT_COMMON_NAME,
  DEVELOPMENT_CALLERS,
  type DevelopmentIdentities,
  developmentSpiffeId,
  KERNEL_CLIENT_COMMON_NAME,
  LOG_PUBLISHER_CLIENT_COMMON_NAME,
} from '../certificates/development-identities';

const HOST = '127.0.0.1';

/** The development kernel's keys; the first of each purpose has the name of the proxy's default. */
export const SIGNING_KEYS: readonly { kid: string; purpose: SignerPurpose }[] = [
  { kid: 'kernel-audit-ed25519-v1', purpose: 'audit' },
  { kid: 'kernel-manifest-ed25519-v1', purpose: 'manifest' },
  { kid: 'kernel-checkpoint-ed25519-v1', purpose: 'checkpoint' },
  // Not registered: to rotate to, and one more for the day on which a key is lost.
  { kid: 'kernel-audit-ed25519-v2', purpose: 'audit' },
  { kid: 'kernel-audit-ed25519-v3', purpose: 'audit' },
  { kid: 'kernel-manifest-ed25519-v2', purpose: 'manifest' },
];

export interface KernelEnvironment {
  origin: string;
  shards: number;
  /** The state folder, whose disk everything is on. */
  folder: string;
  databaseUrl: string;
  api: number;
  management: number;
  /** Port of the pages for people: where approvers use WebAuthn credentials. */
  web: number;
  /** Variables of the listener for people, where there is one. */
  people: Readonly<Record<string, string>>;
  /** The identity provider that approvers sign in at. */
  issuer: string | undefined;
  signingProxyUrl: string;
  /** The archive, beside which the log is read. */
  archive: Readonly<Record<string, string>>;
  identities: DevelopmentIdentities;
  rowKeyFile: string;
  openApiPath: string;
}

/** The whole environment of a kernel process: the variables of docs/configuration.md and nothing else. */
export function kernelEnvironment(k: KernelEnvironment): Record<string, string> {
  return {
    NODE_ENV: 'development',
    KERNEL_ORIGIN: k.origin,
    KERNEL_SHARDS: String(k.shards),
    DATABASE_URL: k.databaseUrl,
    KERNEL_ROW_KEY_FILE: k.rowKeyFile,
    KERNEL_API_HOST: HOST,
    KERNEL_API_PORT: String(k.api),
    KERNEL_MANAGEMENT_HOST: HOST,
    KERNEL_MANAGEMENT_PORT: String(k.management),
    KERNEL_DISK_FOLDER: k.folder,
    KERNEL_TLS_CERT_FILE: k.identities.kernelServer.cert,
    KERNEL_TLS_KEY_FILE: k.identities.kernelServer.key,
    KERNEL_TLS_CLIENT_CA_FILE: k.identities.caCert,
    KERNEL_TLS_CLIENT_CRL_FILE: k.identities.ca.crlFile,
    KERNEL_ROLE_BINDINGS: JSON.stringify(developmentRoleBindings()),
    KERNEL_WEBAUTHN_RP_ID: 'localhost',
    KERNEL_WEBAUTHN_ORIGINS: `http://localhost:${k.web}`,
    // Words of two or more parts, as organisations have them; a misspelt `code` is none.
    KERNEL_UPGRADE_TYPES: '[a-z][a-z0-9]*(_[a-z0-9]+)+',
    // Receivers of webhooks on this machine, with certificates of the development CA.
    KERNEL_WEBHOOK_NETWORKS: '127.0.0.0/8,::1/128',
    KERNEL_WEBHOOK_CA_FILE: k.identities.caCert,
    KERNEL_APPROVER_POOL: JSON.stringify(developmentPool(k.identities, k.issuer)),
    KMS_ENDPOINT: k.signingProxyUrl,
    KMS_CA_FILE: k.identities.caCert,
    KMS_CLIENT_CERT_FILE: k.identities.kernelClient.cert,
    KMS_CLIENT_KEY_FILE: k.identities.kernelClient.key,
    ...k.people,
    ...k.archive,
    OPENAPI_PATH: k.openApiPath,
  };
}

export interface SigningProxyEnvironment {
  origin: string;
  shards: number;
  /** As of the kernel. */
  folder: string;
  port: number;
  management: number;
  identities: DevelopmentIdentities;
  /** Folder of the high-water marks. */
  marksDir: string;
  /** Where the private keys are: KERNEL_SIGNER and what it needs (stack-signer.ts). */
  signer: Readonly<Record<string, string>>;
}

/** The whole environment of a signing proxy process. */
export function signingProxyEnvironment(p: SigningProxyEnvironment): Record<string, string> {
  return {
    NODE_ENV: 'development',
    KERNEL_ORIGIN: p.origin,
    KERNEL_SHARDS: String(p.shards),
    KERNEL_LISTEN_HOST: HOST,
    KERNEL_LISTEN_PORT: String(p.port),
    KERNEL_MANAGEMENT_HOST: HOST,
    KERNEL_MANAGEMENT_PORT: String(p.management),
    KERNEL_DISK_FOLDER: p.folder,
    KERNEL_TLS_CERT_FILE: p.identities.proxyServer.cert,
    KERNEL_TLS_KEY_FILE: p.identities.proxyServer.key,
    KERNEL_TLS_CLIENT_CA_FILE: p.identities.caCert,
    KERNEL_TLS_CLIENT_CRL_FILE: p.identities.ca.crlFile,
    KERNEL_SIGNING_CLIENTS: JSON.stringify([
      {
        cn: KERNEL_CLIENT_COMMON_NAME,
        purposes: ['audit-event', 'manifest', 'signer-possession'],
      },
      { cn: LOG_PUBLISHER_CLIENT_COMMON_NAME, purposes: ['log-checkpoint'] },
      { cn: ARCHIVER_CLIENT_COMMON_NAME, purposes: ['archive-day'] },
      { cn: AUDITOR_CLIENT_COMMON_NAME, purposes: ['audit-report'] },
    ]),
    KERNEL_SIGNING_OPERATORS: JSON.stringify([DEVELOPMENT_CALLERS.SUPERADMIN.commonName]),
    KERNEL_SIGNING_KEY_MAKERS: JSON.stringify([KERNEL_CLIENT_COMMON_NAME]),
    KERNEL_SIGNING_MARKS_DIR: p.marksDir,
    KERNEL_SIGNING_KEYS: JSON.stringify(
      SIGNING_KEYS.map(({ kid, purpose }) => ({ kid, purposes: [purpose] })),
    ),
    ...p.signer,
  };
}

/** Number of development approvers who have to agree. */
const DEVELOPMENT_THRESHOLD = 3;

/**
 * The development pool: five people, each with an Ed25519 key in a file, a client certificate of their own and a button at
 * the identity provider.
 */
export function developmentPool({ approvers }: DevelopmentIdentities, issuer?: string): ApproverPool {
  return {
    threshold: DEVELOPMENT_THRESHOLD,
    approvers: approvers.map(({ id, commonName, approvalKey }) => ({
      id,
      name: `Development approver ${id}`,
      contact: null,
      principals: [developmentSpiffeId(commonName), ...(issuer === undefined ? [] : [`${issuer}#${id}`])],
      keys: [
        {
          keyId: `${id}-key-1`,
          algorithm: 'ed25519',
          publicKeyPem: createPublicKey(readFileSync(approvalKey, 'utf8'))
            .export({ type: 'spki', format: 'pem' })
            .toString(),
        },
      ],
    })),
  };
}

/** Role bindings of the development stack: the callers with a role, by their SPIFFE ids. */
export function developmentRoleBindings(): Record<string, string>[] {
  return Object.values(DEVELOPMENT_CALLERS)
    .filter((caller) => 'role' in caller)
    .map((caller) => ({
      spiffe: developmentSpiffeId(caller.commonName),
      role: caller.role,
      ...('division' in caller ? { division: caller.division } : {}),
    }));
}
