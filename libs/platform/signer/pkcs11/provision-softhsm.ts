import { randomInt, randomUUID } from 'node:crypto';
import { chmod, link, lstat, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type SignerPurpose } from '#evidence';
import { SignerError } from '../signer.error';
import { isKeyName, type KeyRequest } from '../signing-backend';
import { TokenProcess } from './token-process';

/** Path of the module in Debian's softhsm2. */
export const DEFAULT_SOFTHSM_MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const DEFAULT_TOKEN_LABEL = 'illuvrse-kernel';
const PROVISION_TIMEOUT_MS = 30_000;

export interface ProvisionSoftHsmOptions {
  /** Folder for the token, its configuration and its PIN files; made with 0700. */
  dir: string;
  modulePath?: string;
  tokenLabel?: string;
  /** User PIN; made up on the first run when it is not given. A PIN file that exists is kept as it is. */
  pin?: string;
  /** Security officer's PIN; as above. */
  soPin?: string;
  keys: { kid: string; purpose: SignerPurpose }[];
  now?: () => Date;
}

/** Settings for Pkcs11Backend.open to use the token. */
export interface ProvisionedToken {
  modulePath: string;
  tokenLabel: string;
  /** Mode 0600, holds the user PIN. */
  pinFile: string;
  /** Value for SOFTHSM2_CONF. */
  configFile: string;
  environment: { SOFTHSM2_CONF: string };
  keys: KeyRequest[];
}

/**
 * Makes a SoftHSM token with non-extractable Ed25519 key pairs in a folder of its own, or completes an existing one: it
 * can be run on every start. For development and tests; a real HSM is initialised by its own tools.
 * @throws SignerError `misconfigured` (no module, pkcs11js missing, PIN refused), `token_error`
 */
export async function provisionSoftHsm(options: ProvisionSoftHsmOptions): Promise<ProvisionedToken> {
  const dir = resolve(options.dir);
  const modulePath = options.modulePath ?? DEFAULT_SOFTHSM_MODULE;
  const tokenLabel = options.tokenLabel ?? DEFAULT_TOKEN_LABEL;
  for (const { kid } of options.keys) {
    if (!isKeyName(kid)) throw new SignerError('invalid_request', `"${kid}" cannot be the name of a key`);
  }
  await lstat(modulePath).catch((error: unknown) => {
    throw new SignerError(
      'misconfigured',
      `There is no SoftHSM module at ${modulePath}: install SoftHSM 2 (Debian: apt-get install softhsm2) or name its path`,
      { modulePath },
      { cause: error },
    );
  });
  const tokens = join(dir, 'tokens');
  const configFile = join(dir, 'softhsm2.conf');
  const pinFile = join(dir, 'pin');
  const soPinFile = join(dir, 'so-pin');
  await mkdir(tokens, { recursive: true, mode: 0o700 });
  await chmod(dir, 0o700);
  await writeFile(
    configFile,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
    { mode: 0o600 },
  );
  await writeOnce(pinFile, options.pin);
  await writeOnce(soPinFile, options.soPin);

  const keys = options.keys.map(({ kid, purpose }): KeyRequest => ({ kid, purposes: [purpose] }));
  const process = new TokenProcess();
  try {
    await process.ask(
      {
        op: 'provision',
        modulePath,
        tokenLabel,
        pinFile,
        soPinFile,
        environment: { SOFTHSM2_CONF: configFile },
        keys,
        now: (options.now?.() ?? new Date()).toISOString(),
      },
      PROVISION_TIMEOUT_MS,
    );
  } finally {
    await process.close(PROVISION_TIMEOUT_MS);
  }
  return { modulePath, tokenLabel, pinFile, configFile, environment: { SOFTHSM2_CONF: configFile }, keys };
}

/** Writes a PIN file that does not exist yet; an existing one must contain the requested PIN, if there is one. */
async function writeOnce(path: string, wanted: string | undefined): Promise<void> {
  const draft = `${path}.${randomUUID()}.draft`;
  await writeFile(draft, `${wanted ?? randomPin()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (wanted !== undefined && (await readFile(path, 'utf8')).trimEnd() !== wanted) {
      throw new SignerError(
        'misconfigured',
        `${path} already holds another PIN than the one given: the token keeps the PIN it was made with`,
        { path },
      );
    }
  } finally {
    await unlink(draft);
  }
}

/** Digits only, since some tokens accept nothing else; 10^16 of them are out of reach of the token's few tries. */
function randomPin(): string {
  return Array.from({ length: 16 }, () => randomInt(10)).join('');
}
