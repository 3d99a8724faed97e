import { type Envelope } from '#evidence';
import { type UpgradeState } from './domain/upgrade.state';
import { type AuthorizationSigner } from './governance.ports';
import { signOwnManifest } from './manifest-signing';

/**
 * The `kind` in the statement that says: deploy this. Callers cannot have anything signed under it (libs/modules/signing refuses
 * it), so a deploy pipeline that checks signature, digest and kind needs nothing else.
 */
export const DEPLOYMENT_AUTHORIZATION = 'deployment-authorization';

/** A manifest signature (docs/spec/manifest-signature.md) over the upgrade's manifest, of that kind. */
export async function authorizeDeployment(
  signer: AuthorizationSigner,
  { upgradeId, document, manifestSha256 }: UpgradeState,
  facts: { origin: string; signedAt: string; requestedBy: string; head: { shard: number; seq: number } },
): Promise<Envelope> {
  const { version } = document;
  const { envelope } = await signOwnManifest(signer, {
    ...facts,
    manifestId: upgradeId,
    version: typeof version === 'string' && version !== '' && version.length <= 255 ? version : 'unversioned',
    kind: DEPLOYMENT_AUTHORIZATION,
    sha256: manifestSha256,
  });
  return envelope;
}
