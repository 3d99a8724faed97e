import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CertificateFiles, DevelopmentCa } from './development-ca';
import { writePrivate } from './private-file';
import { DevstackError } from '../devstack.error';

/** The callers of the development stack; the upper-case name is part of the variables in kernel.env. */
export const DEVELOPMENT_CALLERS = {
  OPERATOR: { commonName: 'dev-operator', role: 'Operator' },
  SUPERADMIN: { commonName: 'dev-superadmin', role: 'SuperAdmin' },
  DIVISION_LEAD: { commonName: 'dev-division-lead', role: 'DivisionLead', division: 'product' },
  AUDITOR: { commonName: 'dev-auditor', role: 'Auditor' },
  NOROLE: { commonName: 'dev-norole' },
} as const satisfies Record<string, { commonName: string; role?: string; division?: string }>;

export type DevelopmentCaller = keyof typeof DEVELOPMENT_CALLERS;

/** Processes as the signing proxy knows them. */
export const KERNEL_CLIENT_COMMON_NAME = 'kernel';
export const ARCHIVER_CLIENT_COMMON_NAME = 'archiver';
export const AUDITOR_CLIENT_COMMON_NAME = 'auditor';
export const LOG_PUBLISHER_CLIENT_COMMON_NAME = 'log-publisher';
export const APPROVER_COUNT = 5;
const TRUST_DOMAIN = 'kernel.localhost';
const LOOPBACK_HOSTS = ['localhost', '127.0.0.1', '::1'];

export interface DevelopmentApprover {
  id: string;
  commonName: string;
  /** Ed25519 private key (PKCS#8 PEM, 0600) that approvals are signed with. */
  approvalKey: string;
  tls: CertificateFiles;
}

export interface DevelopmentIdentities {
  caCert: string;
  callers: Record<DevelopmentCaller, CertificateFiles>;
  approvers: DevelopmentApprover[];
  kernelServer: CertificateFiles;
  kernelClient: CertificateFiles;
  archiverClient: CertificateFiles;
  auditorClient: CertificateFiles;
  logPublisherClient: CertificateFiles;
  proxyServer: CertificateFiles;
  /** Issues certificates for other callers, in tests. */
  ca: DevelopmentCa;
}

/** SPIFFE id of a development identity (SPIFFE-ID section 2). */
export function developmentSpiffeId(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/${name}`;
}

/** Everything with a key in the development stack, made on first use and renewed when it is about to expire. */
export async function openDevelopmentIdentities(
  dir: string,
  now: () => Date = () => new Date(),
): Promise<DevelopmentIdentities> {
  const ca = await DevelopmentCa.open(dir, now);
  const client = (name: string, commonName: string) =>
    ca.ensure({ name, commonName, usage: 'client', uri: developmentSpiffeId(commonName) });
  const server = (name: string, commonName: string) =>
    ca.ensure({
      name,
      commonName,
      usage: 'server',
      hosts: LOOPBACK_HOSTS,
      uri: developmentSpiffeId(commonName),
    });
  const callers = {} as Record<DevelopmentCaller, CertificateFiles>;
  for (const [name, { commonName }] of Object.entries(DEVELOPMENT_CALLERS)) {
    callers[name as DevelopmentCaller] = await client(commonName, commonName);
  }
  const approvers: DevelopmentApprover[] = [];
  for (let n = 1; n <= APPROVER_COUNT; n += 1) {
    const id = `approver-${n}`;
    const approvalKey = join(dir, `${id}-approval.key`);
    await ensureApprovalKey(approvalKey);
    approvers.push({ id, commonName: id, approvalKey, tls: await client(id, id) });
  }
  return {
    ca,
    caCert: ca.certFile,
    callers,
    approvers,
    kernelServer: await server('kernel-server', 'kernel'),
    kernelClient: await client('kernel-client', KERNEL_CLIENT_COMMON_NAME),
    archiverClient: await client('archiver-client', ARCHIVER_CLIENT_COMMON_NAME),
    auditorClient: await client('auditor-client', AUDITOR_CLIENT_COMMON_NAME),
    logPublisherClient: await client('log-publisher-client', LOG_PUBLISHER_CLIENT_COMMON_NAME),
    proxyServer: await server('signing-proxy-server', 'signing-proxy'),
  };
}

async function ensureApprovalKey(file: string): Promise<void> {
  if (existsSync(file)) {
    try {
      if (createPrivateKey(await readFile(file, 'utf8')).asymmetricKeyType === 'ed25519') return;
    } catch {
      // Falls through to the refusal: an approver's key is never replaced silently, its approvals depend on it.
    }
    throw new DevstackError(
      'state_broken',
      `${file} is not an Ed25519 private key in PEM; restore it or choose another state folder.`,
      { file },
    );
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  await writePrivate(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}
