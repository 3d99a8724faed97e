import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CertificateAuthority, type CertificateFiles } from '#dev/devstack';

const DAY_MS = 24 * 60 * 60 * 1000;
/** First address of the services' range, by which pods would reach the API server. */
const SERVICE_ADDRESS = '10.96.0.1';

/** Certificates and keys of one throw-away control plane, as files. */
export interface ClusterCredentials {
  readonly caFile: string;
  /** Of everything that serves: the API server, the controller manager and the scheduler. */
  readonly server: CertificateFiles;
  /** Signs the tokens of ServiceAccounts. */
  readonly tokens: { readonly key: string; readonly publicKey: string };
  /** A client certificate. @param group system:masters may do everything */
  client(name: string, group?: string): Promise<CertificateFiles>;
  /** A kubeconfig with such a certificate. @returns its file */
  kubeconfig(name: string, url: string, group?: string): Promise<string>;
}

export async function makeClusterCredentials(dir: string): Promise<ClusterCredentials> {
  const validity = { notAfter: new Date(Date.now() + DAY_MS) };
  const ca = await CertificateAuthority.create('test cluster CA', validity);
  const write = async (name: string, content: string): Promise<string> => {
    const file = join(dir, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  };
  const pair = async (
    name: string,
    { cert, key }: { cert: string; key: string },
  ): Promise<CertificateFiles> => ({
    cert: await write(`${name}.crt`, cert),
    key: await write(`${name}.key`, key),
  });
  const caFile = await write('ca.crt', ca.cert);
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const server = await ca.issue({
    subject: [{ CN: ['kube-apiserver'] }],
    usage: 'server',
    names: [
      ...names.map((value) => ({ type: 'dns' as const, value })),
      ...['127.0.0.1', SERVICE_ADDRESS].map((value) => ({ type: 'ip' as const, value })),
    ],
    ...validity,
  });
  const tokens = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const client = async (name: string, group?: string): Promise<CertificateFiles> => {
    const organisation = group === undefined ? [] : [{ O: [group] }];
    const issued = await ca.issue({ subject: [...organisation, { CN: [name] }], ...validity });
    return pair(name.replaceAll(':', '-'), issued);
  };
  return {
    caFile,
    server: await pair('server', server),
    tokens: {
      key: await write('tokens.key', tokens.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
      publicKey: await write(
        'tokens.pub',
        tokens.publicKey.export({ type: 'spki', format: 'pem' }) as string,
      ),
    },
    client,
    async kubeconfig(name, url, group) {
      const files = await client(name, group);
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': caFile } }],
        users: [{ name, user: { 'client-certificate': files.cert, 'client-key': files.key } }],
        contexts: [{ name: 'test', context: { cluster: 'test', user: name } }],
        'current-context': 'test',
      };
      return write(`${name.replaceAll(':', '-')}.kubeconfig`, JSON.stringify(config));
    },
  };
}
