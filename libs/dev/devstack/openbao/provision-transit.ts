import { readFile } from 'node:fs/promises';
import { type OpenBaoServer } from './openbao-server';
import { type CertificateFiles, type DevelopmentCa } from '../certificates/development-ca';

const MOUNT = 'transit';
/** Name of the role of the cert auth method, and of its policy. */
const ROLE = 'kernel-signing-proxy';
const CLIENT_COMMON_NAME = 'signing-proxy';
const TOKEN_SECONDS = 3_600;

export interface ProvisionTransitOptions {
  /** Issues the client certificate, and is the only authority that cert auth takes one from. */
  ca: DevelopmentCa;
  /** Names of the keys. */
  kids: readonly string[];
  /** Prefixes of the names of keys that the client may make itself; default: none. */
  makes?: readonly string[];
}

/** What a signing proxy needs to use the keys. */
export interface ProvisionedTransit {
  address: string;
  /** PEM file. */
  caFile: string;
  role: string;
  /** Certificate of the client that may sign, with its key. */
  client: CertificateFiles;
}

/**
 * Provides a transit engine with these keys, of the type ed25519 and not exportable, and a client certificate whose
 * holder may read them and sign with them, and nothing else. It can be run on every start: existing keys stay as they
 * are.
 */
export async function provisionTransit(
  server: OpenBaoServer,
  { ca, kids, makes = [] }: ProvisionTransitOptions,
): Promise<ProvisionedTransit> {
  const mounts = (await server.ask('GET', 'sys/mounts')) as { data: Record<string, unknown> };
  if (mounts.data[`${MOUNT}/`] === undefined) {
    await server.ask('POST', `sys/mounts/${MOUNT}`, { type: 'transit' });
  }
  const methods = (await server.ask('GET', 'sys/auth')) as { data: Record<string, unknown> };
  if (methods.data['cert/'] === undefined) await server.ask('POST', 'sys/auth/cert', { type: 'cert' });
  for (const kid of kids) {
    await server.ask('POST', `${MOUNT}/keys/${kid}`, { type: 'ed25519', exportable: false });
  }
  await server.ask('POST', `sys/policies/acl/${ROLE}`, { policy: signingPolicy(kids, makes) });
  await server.ask('POST', `auth/cert/certs/${ROLE}`, {
    certificate: await readFile(ca.certFile, 'utf8'),
    allowed_common_names: [CLIENT_COMMON_NAME],
    token_policies: [ROLE],
    token_no_default_policy: true,
    token_period: TOKEN_SECONDS,
  });
  const client = await ca.ensure({
    name: 'openbao-client',
    commonName: CLIENT_COMMON_NAME,
    usage: 'client',
  });
  return { address: server.address, caFile: server.caFile, role: ROLE, client };
}

/** The policy of a signing proxy: its keys, those that it may make, and what it does with its own token. */
export function signingPolicy(kids: readonly string[], makes: readonly string[] = []): string {
  const rules = [
    ...kids.map((kid) => [`${MOUNT}/keys/${kid}`, 'read']),
    ...kids.map((kid) => [`${MOUNT}/sign/${kid}`, 'update']),
    ...makes.map((prefix) => [`${MOUNT}/keys/${prefix}*`, 'read', 'update']),
    ...makes.map((prefix) => [`${MOUNT}/sign/${prefix}*`, 'update']),
    ['auth/token/lookup-self', 'read'],
    ['auth/token/renew-self', 'update'],
    ['auth/token/revoke-self', 'update'],
  ];
  return rules.map(([path, ...may]) => `path "${path}" { capabilities = ${JSON.stringify(may)} }\n`).join('');
}

/** The variables that make a signing proxy use them. */
export function transitEnvironment(transit: ProvisionedTransit): Record<string, string> {
  return {
    KERNEL_SIGNER: 'vault-transit',
    KERNEL_VAULT_ADDRESS: transit.address,
    KERNEL_VAULT_CA_FILE: transit.caFile,
    KERNEL_VAULT_AUTH: 'cert',
    KERNEL_VAULT_ROLE: transit.role,
    KERNEL_VAULT_CLIENT_CERT_FILE: transit.client.cert,
    KERNEL_VAULT_CLIENT_KEY_FILE: transit.client.key,
  };
}
