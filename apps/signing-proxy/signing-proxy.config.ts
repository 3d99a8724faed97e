import { z } from 'zod';
import { serverTlsSettings } from '#platform/edge';
import {
  certificateFile,
  type ConfigOf,
  defineConfig,
  flag,
  json,
  matching,
  oneOf,
  path,
  port,
  processSettings,
  readableFile,
  text,
  url,
  wholeNumber,
} from '#platform/process';
import {
  DEFAULT_BACKEND_TIMEOUT_MS,
  DEFAULT_JWT_FILE,
  DEFAULT_KMS_CONCURRENCY,
  DEFAULT_PROCESSES,
  DEFAULT_VAULT_CONCURRENCY,
  signingKeys,
} from '#platform/signer';
import { DEFAULT_MAX_MADE_KEYS } from './keys/key-making';
import { signingClients } from './clients/signing-clients';

/** Every setting of the signing proxy; docs/configuration.md is generated from it. */
export const signingProxyConfig = defineConfig({
  KERNEL_ORIGIN: {
    schema: matching(/^[a-z0-9]([a-z0-9._/-]{0,253}[a-z0-9])?$/, 'a name such as kernel.example.com/prod'),
    description:
      "The kernel this proxy signs for, exactly as in the kernel's own setting. Inputs of any other are refused.",
  },
  KERNEL_SHARDS: {
    schema: wholeNumber({ min: 1, max: 256 }),
    description:
      "How many chains the events are spread over, as in the kernel's own setting. Nothing is signed for any other shard.",
    default: 1,
  },
  KERNEL_LISTEN_HOST: {
    schema: text(),
    description: 'Address on which the proxy listens.',
    default: '0.0.0.0',
  },
  KERNEL_LISTEN_PORT: {
    schema: port(),
    description: 'Port of the proxy (HTTPS, mutual TLS).',
    default: 8445,
  },
  ...serverTlsSettings("The proxy's"),
  KERNEL_SIGNING_CLIENTS: {
    schema: json(
      signingClients,
      'a list such as [{"cn":"kernel","purposes":["audit-event","manifest","signer-possession"]},{"cn":"log-publisher","purposes":["log-checkpoint"]}]',
    ),
    description:
      'Which client certificates, by common name, may have what signed, and with `perSecond` how many signatures a second. A client that is not named may read public keys only.',
    fromFile: true,
  },
  KERNEL_SIGNING_OPERATORS: {
    schema: json(z.array(z.string().min(1).max(64)), 'a list of common names such as ["ops.example.com"]'),
    description:
      'Which client certificates, by common name, may open a restore window, so that the chain continues from a database that was restored to an older state. Not the kernel.',
    default: '[]',
  },
  KERNEL_SIGNING_KEY_MAKERS: {
    schema: json(z.array(z.string().min(1).max(64)), 'a list of common names such as ["kernel"]'),
    description:
      'Which client certificates, by common name, may have new keys made (POST /v1/keys): the kernel, where ./kernel keys create and rotate --create are wanted. A key that was made signs nothing until it is registered.',
    default: '[]',
  },
  KERNEL_SIGNING_MAX_MADE_KEYS: {
    schema: wholeNumber({ min: 1, max: 256 }),
    description: 'How many keys may be made at run time, in all.',
    default: DEFAULT_MAX_MADE_KEYS,
  },
  KERNEL_SIGNING_MARKS_DIR: {
    schema: path().optional(),
    description:
      'Folder of the high-water marks of a single proxy: positions on which signed events build, and below which nothing is signed. On a disk that is not restored together with the database.',
  },
  KERNEL_SIGNING_MARKS_DATABASE_URL: {
    schema: url('postgres', 'postgresql').optional(),
    description:
      'PostgreSQL for the high-water marks of all replicas of the proxy. Not the event store, and not restored together with it. One of the two is needed in production.',
    secret: true,
    rotates: true,
  },
  KERNEL_SIGNING_KEYS: {
    schema: json(signingKeys, 'a list such as [{"kid":"kernel-audit-ed25519-v1","purposes":["audit"]}]'),
    description:
      'The keys to hold and what each may sign. With PKCS#11 the kid is the label of the key; with aws-kms "keyId" names it (default alias/<kid>), with vault-transit "keyId" and "keyVersion" (default the kid, and its only version). Add one for "checkpoint", which signs the manifests of archived days and the reports of audits, once the token holds it.',
    default:
      '[{"kid":"kernel-audit-ed25519-v1","purposes":["audit"]},{"kid":"kernel-manifest-ed25519-v1","purposes":["manifest"]}]',
    fromFile: true,
  },
  KERNEL_SIGNER: {
    schema: oneOf('software', 'pkcs11', 'aws-kms', 'vault-transit', 'proxy'),
    description:
      'Where the private keys live. The software signer keeps them in files, for development only; proxy has another signing proxy at KMS_ENDPOINT sign.',
    default: 'software',
    inProduction: 'required',
  },
  REQUIRE_KMS: {
    schema: flag().optional(),
    description:
      'Hold keys in an HSM or a KMS only, and do not start with any other. Always so in production, where false is refused.',
  },
  KERNEL_ALLOW_SOFTHSM: {
    schema: flag(),
    description:
      'Take a SoftHSM token for an HSM, in production and with REQUIRE_KMS too. It keeps its keys in files: for rehearsals.',
    default: false,
  },
  KERNEL_SIGNER_TIMEOUT_MS: {
    schema: wholeNumber({ min: 50, max: 10_000 }),
    description:
      'How long the backend may take for the signatures of one request. Keep it below KMS_TIMEOUT_MS of the callers, so that they learn why.',
    default: DEFAULT_BACKEND_TIMEOUT_MS,
    unit: 'ms',
  },
  KERNEL_SOFTWARE_KEY_DIR: {
    schema: path().optional(),
    description: 'Folder of the software signer. It and its files must be accessible to their owner alone.',
    inProduction: 'refused',
  },
  KERNEL_PKCS11_MODULE: {
    schema: readableFile().optional(),
    description:
      "The token vendor's shared library. What it reads from the environment itself (SoftHSM: SOFTHSM2_CONF) it gets.",
  },
  KERNEL_PKCS11_TOKEN_LABEL: {
    schema: text().optional(),
    description: 'Label of the token that holds the keys.',
  },
  KERNEL_PKCS11_PIN_FILE: {
    schema: path().optional(),
    description: 'File with the PIN of the token, readable by its owner alone (mode 0600).',
  },
  KERNEL_PKCS11_PROCESSES: {
    schema: wholeNumber({ min: 1, max: 64 }),
    description:
      'Token processes, each with a session of its own. More than the token or the machine can serve is slower.',
    default: DEFAULT_PROCESSES,
  },
  KERNEL_AWS_KMS_REGION: {
    schema: matching(/^[a-z0-9-]{1,32}$/, 'a region such as eu-central-1').optional(),
    description:
      "AWS region of the keys. Left out, the SDK's own order applies (AWS_REGION, profile). Credentials come by the SDK's chain too.",
  },
  KERNEL_AWS_KMS_ENDPOINT: {
    schema: url('https', 'http').optional(),
    description: "URL of KMS in place of the region's own, such as a VPC endpoint. In production https only.",
  },
  KERNEL_AWS_KMS_CONCURRENCY: {
    schema: wholeNumber({ min: 1, max: 500 }),
    description:
      'Signatures asked of KMS at the same time. Each is a call of its own; the quota of the account bounds them too.',
    default: DEFAULT_KMS_CONCURRENCY,
  },
  KERNEL_VAULT_ADDRESS: {
    schema: url('https', 'http').optional(),
    description: 'Vault or OpenBao, as https://host:port. In production https only.',
  },
  KERNEL_VAULT_NAMESPACE: { schema: text().optional(), description: 'Namespace, where Vault has them.' },
  KERNEL_VAULT_CA_FILE: {
    schema: certificateFile('authorities').optional(),
    description: "The authorities (PEM) of Vault's certificate, where the system does not know them.",
  },
  KERNEL_VAULT_TRANSIT_MOUNT: {
    schema: text(),
    description: 'Where the transit engine is mounted.',
    default: 'transit',
  },
  KERNEL_VAULT_CONCURRENCY: {
    schema: wholeNumber({ min: 1, max: 100 }),
    description: 'Requests to Vault at the same time. A batch is one.',
    default: DEFAULT_VAULT_CONCURRENCY,
  },
  KERNEL_VAULT_AUTH: {
    schema: oneOf('kubernetes', 'cert', 'token-file').optional(),
    description:
      'How the proxy logs in: by the service account of its pod, by a client certificate, or with a token in a file that another program keeps fresh.',
  },
  KERNEL_VAULT_AUTH_MOUNT: {
    schema: text().optional(),
    description: 'Where the auth method is mounted. Default: kubernetes or cert.',
  },
  KERNEL_VAULT_ROLE: {
    schema: text().optional(),
    description: 'Role to log in with: needed for kubernetes, and for cert where several fit.',
  },
  KERNEL_VAULT_JWT_FILE: {
    schema: path(),
    description: "The service account's token, for kubernetes.",
    default: DEFAULT_JWT_FILE,
  },
  KERNEL_VAULT_CLIENT_CERT_FILE: {
    schema: certificateFile().optional(),
    description: 'Client certificate (PEM), for cert.',
  },
  KERNEL_VAULT_CLIENT_KEY_FILE: { schema: readableFile().optional(), description: 'Its private key (PEM).' },
  KERNEL_VAULT_TOKEN_FILE: {
    schema: path().optional(),
    description:
      'File with the token, for token-file; not readable by everyone. It is read again whenever a token is needed.',
  },
  KMS_ENDPOINT: {
    schema: url('https').optional(),
    description:
      'With KERNEL_SIGNER=proxy: the server that answers as openapi/signing-proxy.yaml says and holds the keys.',
  },
  KMS_CA_FILE: {
    schema: certificateFile('authorities').optional(),
    description: 'The authority (PEM) of its certificate.',
  },
  KMS_CLIENT_CERT_FILE: {
    schema: certificateFile().optional(),
    description: "This proxy's client certificate (PEM) for it.",
  },
  KMS_CLIENT_KEY_FILE: { schema: readableFile().optional(), description: 'Its private key (PEM).' },
  ...processSettings(8450),
  KERNEL_LOG_LEVEL: {
    schema: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    description: 'Least severe log line that is written. Signatures are logged at info.',
    default: 'info',
  },
});

export type SigningProxyConfig = ConfigOf<typeof signingProxyConfig>;
