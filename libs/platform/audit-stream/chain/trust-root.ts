import { readFileSync } from 'node:fs';
import { type Config, ConfigError, type MemberDefinition, readableFile } from '#platform/process';
import { EvidenceError, parseSignersFile, type SignerEntry } from '#evidence';

/** Setting for what a process that checks signatures trusts; each spreads it into its own `defineConfig`. */
export const trustSettings = {
  KERNEL_TRUST_ROOT_FILE: {
    schema: readableFile().optional(),
    description:
      'A signers.json with the audit keys to trust; keys that these add to the chain later are trusted too. Without it the keys with which the kernel was founded are trusted, which production refuses.',
    inProduction: 'required',
  },
} as const satisfies Record<string, MemberDefinition>;

export type TrustSettings = Config<typeof trustSettings>;

/**
 * Returns the keys of the trust root; null in development without one: those of the founding are trusted.
 * @throws ConfigError when it is missing in production, is not a signers.json, has no audit key or is another kernel's
 */
export function readTrustRoot(settings: TrustSettings, origin: string): SignerEntry[] | null {
  const { trustRootFile: file, isProduction } = settings;
  if (file !== undefined) return trustRootIn(file, origin);
  if (!isProduction) return null;
  throw refuse(
    'is missing; whoever writes first must not be trusted in production: name the signers.json that auditors use',
  );
}

/**
 * Returns the keys of a trust root's file.
 * @throws ConfigError when it is not a signers.json, has no audit key or is another kernel's
 */
export function trustRootIn(file: string, origin: string): SignerEntry[] {
  let root: ReturnType<typeof parseSignersFile>;
  try {
    root = parseSignersFile(readFileSync(file));
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    throw refuse(`is not acceptable: ${error.message}`);
  }
  if (root.origin !== undefined && root.origin !== origin) {
    throw refuse(`has the keys of ${root.origin}, not of ${origin}`);
  }
  if (!root.signers.some(({ purposes }) => purposes.includes('audit'))) {
    throw refuse('has no key with the purpose audit; nothing could be verified');
  }
  return root.signers;
}

function refuse(problem: string): ConfigError {
  return new ConfigError('invalid_configuration', [{ member: 'KERNEL_TRUST_ROOT_FILE', problem }]);
}
