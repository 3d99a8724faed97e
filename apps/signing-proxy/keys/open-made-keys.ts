import { SignerError } from '#platform/signer';
import { type SigningProxyConfig } from '../signing-proxy.config';
import { FileMadeKeys } from './file-made-keys';
import { type MadeKeys } from './made-keys';
import { PostgresMadeKeys } from './postgres-made-keys';

type MadeKeysConfig = Pick<
  SigningProxyConfig,
  'signingMarksDir' | 'signingMarksDatabaseUrl' | 'signingKeyMakers' | 'origin'
>;

/**
 * Opens the list of keys that were made, where the marks are.
 * @returns undefined where none may be made and none was
 * @throws SignerError in one sentence that says what to change
 */
export async function openMadeKeys(config: MadeKeysConfig): Promise<MadeKeys | undefined> {
  const { signingMarksDir: dir, signingMarksDatabaseUrl: url, signingKeyMakers: makers, origin } = config;
  if (url !== undefined) return PostgresMadeKeys.open(url, origin, makers.length > 0);
  if (dir !== undefined) return new FileMadeKeys(dir);
  if (makers.length === 0) return undefined;
  throw new SignerError(
    'misconfigured',
    'KERNEL_SIGNING_KEY_MAKERS lets keys be made, which are remembered beside the marks: set KERNEL_SIGNING_MARKS_DATABASE_URL (shared by replicas) or KERNEL_SIGNING_MARKS_DIR (one proxy)',
  );
}
