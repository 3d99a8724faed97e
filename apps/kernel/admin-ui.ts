import { HttpEdgeError, readWebBundle, type WebBundle } from '#platform/edge';
import { type Logger } from '#platform/process';
import { type KernelConfig } from './kernel.config';

/** The admin UI of this build. @throws HttpEdgeError `invalid_bundle` in production, where it is not whole */
export async function readAdminUi(
  { adminUiFolder, isProduction }: Pick<KernelConfig, 'adminUiFolder' | 'isProduction'>,
  logger: Logger,
): Promise<WebBundle | undefined> {
  try {
    return await readWebBundle(adminUiFolder);
  } catch (error) {
    if (isProduction || !(error instanceof HttpEdgeError)) throw error;
    logger.warn({ reason: error.message }, 'there is no admin UI');
    return undefined;
  }
}
