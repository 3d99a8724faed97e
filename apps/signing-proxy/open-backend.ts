import { type Logger, TlsFiles } from '#platform/process';
import {
  AwsKmsBackend,
  Pkcs11Backend,
  ProxyBackend,
  SignerError,
  type SigningBackend,
  signingProxyTls,
  SoftwareBackend,
  type VaultAuth,
  VaultTransitBackend,
  whyNotInKms,
} from '#platform/signer';
import { type SigningProxyConfig } from './signing-proxy.config';
import { vaultTokenGauge } from './vault-token.metric';

/**
 * Opens the configured backend; its keys are self-tested when this resolves.
 * @throws SignerError in one sentence that says what to change
 */
export async function openBackend(config: SigningProxyConfig, logger: Logger): Promise<SigningBackend> {
  const requireKms = kmsRequired(config);
  checkKeyNames(config);
  // There for every backend, so that an alert on it is no typing error where it has no value.
  const onTokenEnd = vaultTokenGauge();
  const backend = await open(config, logger, onTokenEnd);
  if (!requireKms) return backend;
  for (const key of backend.keys()) {
    const why = whyNotInKms(key, { allowSoftHsm: config.allowSofthsm });
    if (why === null) continue;
    await backend.close();
    throw new SignerError('key_refused', `REQUIRE_KMS is in force, and ${why}.`, { kid: key.kid });
  }
  return backend;
}

function open(
  config: SigningProxyConfig,
  logger: Logger,
  onTokenEnd: (at: number | null) => void,
): Promise<SigningBackend> {
  switch (config.signer) {
    case 'software':
      return SoftwareBackend.open({
        // In production the setting is refused and so is the backend, whatever its folder: say the latter.
        dir: config.isProduction ? '' : needed('KERNEL_SOFTWARE_KEY_DIR', config.softwareKeyDir),
        keys: config.signingKeys,
        production: config.isProduction,
      });
    case 'pkcs11':
      return Pkcs11Backend.open({
        modulePath: needed('KERNEL_PKCS11_MODULE', config.pkcs11Module),
        tokenLabel: needed('KERNEL_PKCS11_TOKEN_LABEL', config.pkcs11TokenLabel),
        pinFile: needed('KERNEL_PKCS11_PIN_FILE', config.pkcs11PinFile),
        keys: config.signingKeys,
        processes: config.pkcs11Processes,
        production: config.isProduction,
        allowSoftHsm: config.allowSofthsm,
        onTrouble: (sentence) => logger.warn({ backend: 'pkcs11' }, sentence),
      });
    case 'aws-kms':
      return AwsKmsBackend.open({
        keys: config.signingKeys,
        region: config.awsKmsRegion,
        endpoint: encrypted('KERNEL_AWS_KMS_ENDPOINT', config.awsKmsEndpoint, config),
        concurrency: config.awsKmsConcurrency,
      });
    case 'vault-transit': {
      const tls = vaultTls(config, logger);
      return VaultTransitBackend.open({
        address: needed(
          'KERNEL_VAULT_ADDRESS',
          encrypted('KERNEL_VAULT_ADDRESS', config.vaultAddress, config),
        ),
        namespace: config.vaultNamespace,
        ...tls.current,
        renewals: tls,
        mount: config.vaultTransitMount,
        concurrency: config.vaultConcurrency,
        auth: vaultAuth(config),
        keys: config.signingKeys,
        onTrouble: (sentence) => logger.warn({ backend: 'vault-transit' }, sentence),
        onTokenEnd,
      });
    }
    case 'proxy': {
      const url = needed('KMS_ENDPOINT', config.kmsEndpoint);
      const files = {
        kmsCaFile: needed('KMS_CA_FILE', config.kmsCaFile),
        kmsClientCertFile: needed('KMS_CLIENT_CERT_FILE', config.kmsClientCertFile),
        kmsClientKeyFile: needed('KMS_CLIENT_KEY_FILE', config.kmsClientKeyFile),
      };
      const tls = signingProxyTls(files, logger);
      return ProxyBackend.open({
        url,
        ...tls.current,
        renewals: tls,
        origin: config.origin,
        keys: config.signingKeys,
      });
    }
  }
}

function vaultTls(
  { vaultCaFile: ca, vaultClientCertFile: cert, vaultClientKeyFile: key }: SigningProxyConfig,
  logger: Logger,
) {
  return new TlsFiles({ use: 'vault', paths: { ca, cert, key }, logger });
}

function vaultAuth(config: SigningProxyConfig): VaultAuth {
  const { vaultAuthMount: mount, vaultRole: role } = config;
  switch (needed('KERNEL_VAULT_AUTH', config.vaultAuth)) {
    case 'kubernetes':
      return {
        method: 'kubernetes',
        role: needed('KERNEL_VAULT_ROLE', role),
        jwtFile: config.vaultJwtFile,
        mount,
      };
    case 'cert':
      needed('KERNEL_VAULT_CLIENT_CERT_FILE', config.vaultClientCertFile);
      needed('KERNEL_VAULT_CLIENT_KEY_FILE', config.vaultClientKeyFile);
      return { method: 'cert', role, mount };
    case 'token-file':
      return { method: 'token-file', file: needed('KERNEL_VAULT_TOKEN_FILE', config.vaultTokenFile) };
  }
}

/** Refuses members that name a key by more than its kid where the backend would ignore them. */
function checkKeyNames({ signer, signingKeys }: SigningProxyConfig): void {
  const takes = { keyId: ['aws-kms', 'vault-transit'], keyVersion: ['vault-transit'] } as const;
  for (const key of signingKeys) {
    for (const [member, signers] of Object.entries(takes) as [keyof typeof takes, readonly string[]][]) {
      if (key[member] === undefined || signers.includes(signer)) continue;
      throw new SignerError(
        'misconfigured',
        `KERNEL_SIGNING_KEYS gives ${key.kid} a "${member}", which KERNEL_SIGNER=${signer} does not take: it is for ${signers.join(' and ')}`,
      );
    }
  }
}

/** Without TLS anyone on the way could read the token, and answer with signatures. */
function encrypted(
  variable: string,
  value: string | undefined,
  { isProduction }: SigningProxyConfig,
): string | undefined {
  if (!isProduction || value === undefined || value.startsWith('https:')) return value;
  throw new SignerError('refused_in_production', `${variable} has to be https when NODE_ENV=production`);
}

/** @throws SignerError `refused_in_production` */
function kmsRequired({ isProduction, requireKms, signer }: SigningProxyConfig): boolean {
  if (isProduction && requireKms === false) {
    throw new SignerError(
      'refused_in_production',
      'REQUIRE_KMS=false is refused when NODE_ENV=production: take it out of the environment.',
    );
  }
  // The backend says so itself in production, and better.
  if (requireKms === true && signer === 'software' && !isProduction) {
    throw new SignerError(
      'key_refused',
      'REQUIRE_KMS=true does not go with KERNEL_SIGNER=software, whose keys are kept in files: choose another signer.',
    );
  }
  return isProduction || requireKms === true;
}

function needed<T extends string>(variable: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new SignerError('misconfigured', `${variable} is missing: the chosen KERNEL_SIGNER needs it`);
}
