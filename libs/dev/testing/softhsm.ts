import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { DEFAULT_SOFTHSM_MODULE, type ProvisionedToken } from '#platform/signer';
import { describeWith } from './describe-with';

/** Why the tests with a real token cannot run here, or null when they can. */
export function softHsmMissing(): string | null {
  if (!existsSync(DEFAULT_SOFTHSM_MODULE)) {
    return `there is no ${DEFAULT_SOFTHSM_MODULE} (Debian: apt-get install softhsm2)`;
  }
  try {
    createRequire(__filename).resolve('pkcs11js');
    return null;
  } catch {
    return 'pkcs11js is not installed (it needs python3, make and a C++ compiler when npm installs it)';
  }
}

/** A suite that needs SoftHSM (describeWith). */
export function describeWithSoftHsm(name: string, suite: () => void): void {
  describeWith({ missing: softHsmMissing() }, name, suite);
}

/** A key that another tool might have made, with the given attributes. */
export function generateTokenKey(
  token: ProvisionedToken,
  kid: string,
  attributes: { extractable: boolean; sensitive: boolean },
): Promise<void> {
  return withTokenSession(
    token,
    `const label = { type: 3, value: ${JSON.stringify(kid)} };
     p.C_GenerateKeyPair(session, { mechanism: 0x1055 },
       [{ type: 1, value: true }, label, { type: 0x180, value: ED25519 }],
       [{ type: 1, value: true }, label, { type: 0x108, value: true },
        { type: 0x103, value: ${attributes.sensitive} }, { type: 0x162, value: ${attributes.extractable} }]);`,
  );
}

/** Runs a few lines with the module as `p`, a session that may write as `session`, and a fresh key: `seed`, `raw`. */
export async function withTokenSession(token: ProvisionedToken, lines: string): Promise<void> {
  const program = `
    const { generateKeyPairSync } = require('node:crypto');
    const { readFileSync } = require('node:fs');
    const { PKCS11 } = require('pkcs11js');
    const ED25519 = Buffer.from('06032b6570', 'hex');
    const pair = generateKeyPairSync('ed25519');
    const seed = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
    const raw = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const p = new PKCS11();
    p.load(${JSON.stringify(token.modulePath)});
    p.C_Initialize({ flags: 2 });
    const slot = p.C_GetSlotList(true).find((s) => p.C_GetTokenInfo(s).label.trim() === ${JSON.stringify(token.tokenLabel)});
    const session = p.C_OpenSession(slot, 6);
    p.C_Login(session, 1, readFileSync(${JSON.stringify(token.pinFile)}, 'utf8').trim());
    ${lines}
    p.C_CloseSession(session);
  `;
  await runWithToken(token, ['-e', program]);
}

/** Node with the token's configuration in its environment, where the module looks for it. */
export function runWithToken(token: ProvisionedToken, args: string[]): Promise<{ stdout: string }> {
  return promisify(execFile)(
    '/usr/bin/env',
    [`SOFTHSM2_CONF=${token.configFile}`, process.execPath, ...args],
    {
      cwd: __dirname,
    },
  );
}
