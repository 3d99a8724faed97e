import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Pkcs11Backend } from '#platform/signer';
import { CliError } from '../../cli.error';

/** Where an approver's private key is. */
export interface ApproverKeyOptions {
  signingKey?: string;
  pkcs11Module?: string;
  pkcs11Token?: string;
  pkcs11PinFile?: string;
  pkcs11Key?: string;
  pkcs11Env?: string[];
}

/** Signs once; a key in a token never leaves it. */
export interface ApproverKeyHolder {
  sign(input: Uint8Array): Promise<string>;
  close(): Promise<void>;
}

/** @throws CliError, SignerError */
export async function openApproverKey(options: ApproverKeyOptions): Promise<ApproverKeyHolder> {
  const { signingKey, pkcs11Key: label } = options;
  if (label !== undefined && signingKey !== undefined) {
    throw new CliError('wrong_usage', 'Sign with --signing-key or with --pkcs11-key, not with both.');
  }
  if (label !== undefined) return openToken(label, options);
  if (signingKey === undefined) {
    throw new CliError(
      'wrong_usage',
      'Which key signs? Name an Ed25519 key file with --signing-key, or a key in a token with --pkcs11-key.',
    );
  }
  const key = await readKey(signingKey);
  return {
    sign: (input) => Promise.resolve(sign(null, input, key).toString('base64')),
    close: () => Promise.resolve(),
  };
}

async function readKey(file: string): Promise<KeyObject> {
  let pem: string;
  try {
    pem = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new CliError('file_problem', `${resolve(file)} cannot be read (${code}).`, {}, { cause });
  }
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Falls through: what is wrong with it is not for a terminal to show.
  }
  throw new CliError('file_problem', `${resolve(file)} is not an Ed25519 private key in PEM.`);
}

async function openToken(label: string, options: ApproverKeyOptions): Promise<ApproverKeyHolder> {
  const {
    pkcs11Module: modulePath,
    pkcs11Token: tokenLabel,
    pkcs11PinFile: pinFile,
    pkcs11Env = [],
  } = options;
  if (modulePath === undefined || tokenLabel === undefined || pinFile === undefined) {
    throw new CliError(
      'wrong_usage',
      '--pkcs11-key needs --pkcs11-module, --pkcs11-token and --pkcs11-pin-file beside it.',
    );
  }
  const environment = Object.fromEntries(
    pkcs11Env.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new CliError('wrong_usage', `--pkcs11-env ${pair} is not NAME=VALUE.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
  const token = await Pkcs11Backend.open({
    modulePath: resolve(modulePath),
    tokenLabel,
    pinFile: resolve(pinFile),
    environment,
    keys: [{ kid: label, purposes: [] }],
    processes: 1,
  });
  return {
    sign: async (input) => {
      const [signature] = await token.sign(label, [input]);
      if (signature === undefined) throw new CliError('failed', `The token gave no signature for ${label}.`);
      return Buffer.from(signature).toString('base64');
    },
    close: () => token.close(),
  };
}
