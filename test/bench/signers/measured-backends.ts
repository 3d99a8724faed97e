import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AwsKmsBackend,
  Pkcs11Backend,
  ProxyBackend,
  type SigningBackend,
  SoftwareBackend,
  VaultTransitBackend,
} from '#platform/signer';
import { openBaoMissing, transitEnvironment } from '#dev/devstack';
import { startTestOpenBao } from '#dev/testing';
import { type FakeServices } from './fake-services.process';
import { AUDIT, MANIFEST, ORIGIN, ProxyProcess } from '../../signing-proxy/proxy-process';
import { type BenchSigner } from '../bench.config';

const KEYS = [
  { kid: AUDIT, purposes: ['audit' as const] },
  { kid: MANIFEST, purposes: ['manifest' as const] },
];

/** A backend to measure by itself and through a signing proxy process. */
export interface MeasuredBackend {
  open(): Promise<SigningBackend>;
  readonly proxy: ProxyProcess;
  /** Environment that makes the proxy process use that backend. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  stop(): Promise<void>;
}

/** @throws DevstackError when SoftHSM is missing for pkcs11 */
export async function prepareBackend(signer: BenchSigner): Promise<MeasuredBackend> {
  const proxy = await ProxyProcess.prepare(signer === 'pkcs11' ? 'pkcs11' : 'software');
  const stop = (): Promise<void> => proxy.stop();
  const { token } = proxy;
  switch (signer) {
    case 'software':
      return { open: () => openSoftware(proxy), proxy, environment: {}, stop };
    case 'pkcs11':
      if (!token) throw new Error('the signing proxy was prepared without a token');
      return { open: () => Pkcs11Backend.open(token), proxy, environment: {}, stop };
    case 'vault-transit':
      return openBaoMissing() === null ? prepareOpenBao(proxy) : prepareRemote(signer, proxy);
    case 'aws-kms':
      return prepareRemote(signer, proxy);
    case 'proxy':
      return prepareUpstream(proxy);
  }
}

function openSoftware(proxy: ProxyProcess): Promise<SigningBackend> {
  return SoftwareBackend.open({ dir: join(proxy.dir, 'keys'), keys: KEYS, production: false });
}

async function prepareOpenBao(proxy: ProxyProcess): Promise<MeasuredBackend> {
  const bao = await startTestOpenBao({ kids: [AUDIT, MANIFEST] });
  return {
    open: () =>
      VaultTransitBackend.open({
        ...bao.connection,
        auth: { method: 'cert', role: bao.transit.role },
        keys: KEYS,
      }),
    proxy,
    environment: { KERNEL_SOFTWARE_KEY_DIR: undefined, ...transitEnvironment(bao.transit) },
    stop: async () => {
      await proxy.stop();
      await bao.stop();
    },
  };
}

async function prepareRemote(
  signer: 'aws-kms' | 'vault-transit',
  proxy: ProxyProcess,
): Promise<MeasuredBackend> {
  const services = fork(join(__dirname, 'fake-services.process.js'), [AUDIT, MANIFEST]);
  const [{ kms, vault }] = (await once(services, 'message')) as [FakeServices];
  const stop = async (): Promise<void> => {
    await proxy.stop();
    services.disconnect();
    await once(services, 'exit');
  };
  const none = { KERNEL_SOFTWARE_KEY_DIR: undefined, KERNEL_SIGNER: signer };
  if (signer === 'aws-kms') {
    const { endpoint, region, ...credentials } = kms;
    return {
      open: () => AwsKmsBackend.open({ keys: KEYS, endpoint, region, credentials }),
      proxy,
      environment: {
        ...none,
        KERNEL_AWS_KMS_ENDPOINT: endpoint,
        KERNEL_AWS_KMS_REGION: region,
        AWS_ACCESS_KEY_ID: credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      },
      stop,
    };
  }
  const caFile = join(proxy.dir, 'vault-ca.pem');
  const tokenFile = join(proxy.dir, 'vault-token');
  await writeFile(caFile, vault.ca);
  await writeFile(tokenFile, vault.token, { mode: 0o600 });
  return {
    open: () =>
      VaultTransitBackend.open({
        address: vault.address,
        ca: vault.ca,
        auth: { method: 'token-file', file: tokenFile },
        keys: KEYS,
      }),
    proxy,
    environment: {
      ...none,
      KERNEL_VAULT_ADDRESS: vault.address,
      KERNEL_VAULT_CA_FILE: caFile,
      KERNEL_VAULT_AUTH: 'token-file',
      KERNEL_VAULT_TOKEN_FILE: tokenFile,
    },
    stop,
  };
}

/** The measured proxy in front of another signing proxy process, which has its keys in files. */
async function prepareUpstream(proxy: ProxyProcess): Promise<MeasuredBackend> {
  const upstream = await ProxyProcess.prepare('software');
  await upstream.start();
  const { ca, cert, key } = upstream.clientFiles();
  return {
    open: async () =>
      ProxyBackend.open({
        url: upstream.url,
        ca: await readFile(ca),
        cert: await readFile(cert),
        key: await readFile(key),
        origin: ORIGIN,
        keys: KEYS,
      }),
    proxy,
    environment: {
      KERNEL_SOFTWARE_KEY_DIR: undefined,
      KERNEL_SIGNER: 'proxy',
      KMS_ENDPOINT: upstream.url,
      KMS_CA_FILE: ca,
      KMS_CLIENT_CERT_FILE: cert,
      KMS_CLIENT_KEY_FILE: key,
    },
    stop: async () => {
      await proxy.stop();
      await upstream.stop();
    },
  };
}
