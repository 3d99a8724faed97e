import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { defineConfig, loadConfig, text } from '#libs/config';
import { DEFAULT_SOFTHSM_MODULE } from '#libs/signer';

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

/**
 * A suite that needs SoftHSM. Where it is missing the suite is skipped with the reason in its name;
 * with CI=true that is a failure, so that no run passes for want of what it should have tested.
 */
export function describeWithSoftHsm(name: string, suite: () => void): void {
  const missing = softHsmMissing();
  if (missing === null) {
    describe(name, suite);
    return;
  }
  const { ci } = loadConfig(
    defineConfig({ CI: { schema: text().optional(), description: 'Set by CI systems.' } }),
  );
  if (ci === 'true' || ci === '1') {
    describe(name, () => {
      it('has what it needs', () => {
        throw new Error(`CI has to run this suite, but ${missing}`);
      });
    });
    return;
  }
  describe.skip(`${name} (skipped: ${missing})`, suite);
}
