import { type Logger } from '#libs/observability';
import { Pkcs11Backend, SignerError, type SigningBackend, SoftwareBackend, whyNotInKms } from '#libs/signer';
import { type SigningProxyConfig } from './signing-proxy.config';

/**
 * Opens the configured backend; its keys are self-tested when this resolves.
 * @throws SignerError in one sentence that says what to change
 */
export async function openBackend(config: SigningProxyConfig, logger: Logger): Promise<SigningBackend> {
  const requireKms = kmsRequired(config);
  const backend = await open(config, logger);
  if (!requireKms) return backend;
  for (const key of backend.keys()) {
    const why = whyNotInKms(key, { allowSoftHsm: config.allowSofthsm });
    if (why === null) continue;
    await backend.close();
    throw new SignerError('key_refused', `REQUIRE_KMS is in force, and ${why}.`, { kid: key.kid });
  }
  return backend;
}

function open(config: SigningProxyConfig, logger: Logger): Promise<SigningBackend> {
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
  }
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

function needed(variable: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new SignerError('misconfigured', `${variable} is missing: the chosen KERNEL_SIGNER needs it`);
}
