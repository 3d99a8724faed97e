import { SignerError } from '#platform/signer';
import { type SigningProxyConfig } from '../signing-proxy.config';
import { FileMarks } from './file-marks';
import { type MarkStore } from './mark-store';
import { PostgresMarks } from './postgres-marks';

type MarksConfig = Pick<
  SigningProxyConfig,
  'signingMarksDir' | 'signingMarksDatabaseUrl' | 'origin' | 'isProduction'
>;

/**
 * Opens the configured high-water marks; undefined where none are kept, which production does not allow.
 * @throws SignerError in one sentence that says what to change
 */
export async function openMarks(config: MarksConfig): Promise<MarkStore | undefined> {
  const { signingMarksDir: dir, signingMarksDatabaseUrl: url, origin, isProduction } = config;
  if (dir !== undefined && url !== undefined) {
    throw new SignerError(
      'misconfigured',
      'KERNEL_SIGNING_MARKS_DIR and KERNEL_SIGNING_MARKS_DATABASE_URL exclude each other: the marks are in one place',
    );
  }
  if (url !== undefined) return PostgresMarks.open(url, origin);
  if (dir !== undefined) return FileMarks.open(dir);
  if (!isProduction) return undefined;
  throw new SignerError(
    'misconfigured',
    'KERNEL_SIGNING_MARKS_DATABASE_URL (shared by replicas) or KERNEL_SIGNING_MARKS_DIR (one proxy) is missing: without high-water marks a restored database could fork the chain unseen',
  );
}
